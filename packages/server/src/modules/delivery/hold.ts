import type { Logger } from '../../ports/observe.ts';
import type { Streams } from '../streams/index.ts';
import { messageOf } from './errors.ts';

export interface HoldOptions {
  readonly streams: Streams;
  readonly logger: Logger;
  /** Of the stream that is held, and of the delivery for the log. */
  readonly names: { readonly stream: string; readonly delivery: string };
  readonly deliveryId: string;
  /** First offset that is still needed, by shard id. */
  readonly needed: () => ReadonlyMap<string, number>;
}

/** Lets retention have direct puts that are delivered; the latest position wins, one change at a time. */
export class Hold {
  readonly #options: HoldOptions;
  #moving: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: HoldOptions) {
    this.#options = options;
  }

  move(): void {
    if (this.#moving !== undefined) {
      this.#again = true;
      return;
    }
    const { streams, logger, names, deliveryId, needed } = this.#options;
    this.#moving = streams
      .hold(names.stream, deliveryId, needed())
      .catch((error: unknown) =>
        logger.warn(
          { delivery: names.delivery, error: messageOf(error) },
          'delivered puts could not be released',
        ),
      )
      .then(() => {
        this.#moving = undefined;
        const again = this.#again && !this.#closed;
        this.#again = false;
        if (again) this.move();
      });
  }

  /** No change follows the one that is under way. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when the change under way has ended. */
  async settled(): Promise<void> {
    await this.#moving;
  }
}
