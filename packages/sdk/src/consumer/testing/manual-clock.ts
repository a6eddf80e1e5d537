import type { Clock } from '../clock.ts';

/** A clock that a test moves; with `runFreely`, each sleep moves it by itself. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #isFree = false;
  readonly #sleeping = new Set<{ readonly untilMs: number; readonly wake: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    if (this.#isFree) {
      this.#nowMs += ms;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#sleeping.add({ untilMs: this.#nowMs + ms, wake: resolve });
      signal?.addEventListener('abort', () => resolve());
    });
  }

  runFreely(): void {
    this.#isFree = true;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const sleeper of this.#sleeping)
      if (sleeper.untilMs <= this.#nowMs) {
        this.#sleeping.delete(sleeper);
        sleeper.wake();
      }
  }
}
