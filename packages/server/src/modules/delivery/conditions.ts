import type { Clock } from '../../ports/clock.ts';

/** Conditions of one delivery that callers wait for; they are looked at again whenever it says that it changed. */
export class Conditions {
  readonly #clock: Clock;
  #watchers: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  changed(): void {
    for (const watcher of this.#watchers) watcher();
  }

  /** Resolves once the condition is met; false when that takes longer. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    if (condition()) return true;
    const met = Promise.withResolvers<void>();
    const watch = (): void => {
      if (condition()) met.resolve();
    };
    this.#watchers.push(watch);
    const done = await this.within(ms, met.promise);
    this.#watchers = this.#watchers.filter((other) => other !== watch);
    return done;
  }

  /** Resolves with the promise; false when that takes longer. */
  async within(ms: number, promise: Promise<void>): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = this.#clock.timer(ms, () => late.resolve(false));
    const done = await Promise.race([promise.then(() => true), late.promise]);
    timer.cancel();
    return done;
  }
}
