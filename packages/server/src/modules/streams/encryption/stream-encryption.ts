/** Turns the encryption of streams on and off. */
import type { KeyService } from '../../../ports/key-service.ts';
import type { MetaStore } from '../../../ports/meta-store.ts';
import type { StreamSettings } from '../api.ts';
import type { Stream } from '../stream.ts';
import type { StreamStore } from '../stream-store.ts';
import { DataKeyStore } from './data-key-store.ts';
import { DataKeys } from './data-keys.ts';

export class StreamEncryptions {
  readonly dataKeys: DataKeys;
  readonly #store: StreamStore;

  constructor(options: {
    readonly meta: MetaStore;
    readonly store: StreamStore;
    readonly keys?: KeyService;
  }) {
    this.dataKeys = new DataKeys(options.keys, new DataKeyStore(options.meta));
    this.#store = options.store;
  }

  /** As the stream was left by its last start or stop. */
  restore(stream: Stream): void {
    const { encryption } = stream.settings;
    stream.sealer = encryption && this.dataKeys.sealer(stream.name, encryption);
  }

  async start(stream: Stream, { key, named }: { key: string; named: string }): Promise<void> {
    const masterKeyId = await this.dataKeys.describe(stream.name, key);
    await this.#set(stream, { key: named, masterKeyId });
  }

  async stop(stream: Stream): Promise<void> {
    await this.#set(stream, undefined);
  }

  async #set(stream: Stream, encryption: StreamSettings['encryption']): Promise<void> {
    const settings = { ...stream.settings, encryption };
    await this.#store.configure(stream.name, { mode: stream.mode, settings });
    stream.settings = settings;
    this.restore(stream);
  }
}
