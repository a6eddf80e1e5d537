import type { SqlSession } from '../engine.ts';
import { DeltaError } from '../errors.ts';

/** How far a long operation is. */
export interface Progress {
  /** What the operation is at; each operation names its own in its docstring. */
  readonly phase: string;
  /** Of the phase's things (files, bins), and out of how many; `total` may grow while a phase finds more. */
  readonly done: number;
  readonly total: number;
  /** That the phase has read, freed or copied so far. */
  readonly bytes: number;
}

/** What every long operation takes. */
export interface LongWork {
  /** Called in order, never again after the operation has settled. What it throws fails the operation. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the operation with `aborted`: between its steps, and inside a statement of the engine. */
  readonly signal?: AbortSignal | undefined;
}

/** Throws `aborted` once the caller's signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted !== true) return;
  throw new DeltaError({
    code: 'aborted',
    message: `${what} was aborted; what it had committed stays`,
    cause: signal.reason,
  });
}

/** Runs statements of a session such that the signal ends the one that runs; throws `aborted` then. */
export async function interruptible<Result>(
  session: SqlSession,
  work: { readonly signal: AbortSignal | undefined; readonly what: string },
  task: () => Promise<Result>,
): Promise<Result> {
  throwIfAborted(work.signal, work.what);
  const interrupt = (): void => session.interrupt();
  work.signal?.addEventListener('abort', interrupt, { once: true });
  try {
    return await task();
  } catch (error) {
    // The engine's word for it says less than the caller's.
    throwIfAborted(work.signal, work.what);
    throw error;
  } finally {
    work.signal?.removeEventListener('abort', interrupt);
  }
}

/**
 * Runs a task for each item, at most `inFlightMax` at once, in the order of the items. After a failure no further one
 * is begun, and the first failure is thrown once those under way have ended.
 */
export async function forEachBounded<Item>(
  items: Iterable<Item>,
  inFlightMax: number,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (;;) {
      if (failures.length > 0) return;
      const next = iterator.next();
      if (next.done === true) return;
      try {
        await task(next.value);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: inFlightMax }, worker));
  if (failures.length > 0) throw failures[0];
}
