/** Time that only moves when a test or a simulation says so. */
import { assert } from '../../base/assert.ts';
import type { Clock, Timer } from '../../ports/clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly fn: () => void;
}

export class SimClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.timer(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    return promise;
  }

  timer(ms: number, fn: () => void): Timer {
    const pending = { dueMs: this.#monotonicMs + Math.max(0, ms), order: this.#order++, fn };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Moves time on and fires what falls due, in order of its time, each at that time. What it wakes runs afterwards. */
  advance(ms: number): void {
    assert(ms >= 0, 'time only moves forward');
    const endMs = this.#monotonicMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#move(Math.max(0, next.dueMs - this.#monotonicMs));
      this.#pending.delete(next);
      next.fn();
    }
    this.#move(endMs - this.#monotonicMs);
  }

  /** Like `advance`, and lets what each timer wakes run before time goes on. */
  async advanceSettling(ms: number, settle: () => Promise<void>): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#move(Math.max(0, next.dueMs - this.#monotonicMs));
      this.#pending.delete(next);
      next.fn();
      await settle();
    }
    this.#move(endMs - this.#monotonicMs);
  }

  /** Sets the wall clock apart from monotonic time, as an administrator or NTP does. */
  jumpWall(ms: number): void {
    this.#wallMs += ms;
  }

  /** Milliseconds until the next timer; undefined when there is none. */
  untilNextMs(): number | undefined {
    const next = this.#next(Infinity);
    return next === undefined ? undefined : Math.max(0, next.dueMs - this.#monotonicMs);
  }

  /** Forgets all timers: those of a process that crashed. */
  dropTimers(): void {
    this.#pending.clear();
  }

  #move(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  #next(untilMs: number): Pending | undefined {
    let found: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.dueMs > untilMs) continue;
      const earlier = found === undefined || pending.dueMs < found.dueMs;
      if (earlier || (pending.dueMs === found?.dueMs && pending.order < found.order)) found = pending;
    }
    return found;
  }
}
