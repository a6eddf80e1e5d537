import { type Engine, type SqlSession, withSession } from '../engine.ts';
import { DeltaError } from '../errors.ts';

/** An interrupt that comes before its statement has begun is lost, so it is given again until the iteration ends. */
const INTERRUPT_AGAIN_MS = 50;

/**
 * The items that `produce` makes with a session of its own, which ends when the iteration does: a caller that leaves
 * early must call `return()`, as `for await` does. The signal interrupts the statement that runs, and ends the iteration
 * with `aborted`. Throws `engine` if the engine has no SQL.
 */
export async function* streamFromSession<Item>(
  engine: Engine,
  produce: (session: SqlSession) => AsyncIterable<Item>,
  signal?: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  throwIfAborted(signal);
  const opened = Promise.withResolvers<SqlSession>();
  const done = Promise.withResolvers<void>();
  const held = withSession(engine, async (session) => {
    opened.resolve(session);
    await done.promise;
  });
  held.catch(opened.reject);
  let interrupting: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  try {
    const session = await opened.promise;
    stop = () => {
      session.interrupt();
      interrupting = setInterval(() => session.interrupt(), INTERRUPT_AGAIN_MS);
    };
    signal?.addEventListener('abort', stop, { once: true });
    throwIfAborted(signal);
    for await (const item of produce(session)) {
      throwIfAborted(signal);
      yield item;
      throwIfAborted(signal);
    }
  } catch (error) {
    // An interrupted statement fails in the engine's words.
    throwIfAborted(signal);
    throw error;
  } finally {
    if (stop !== undefined) signal?.removeEventListener('abort', stop);
    clearInterval(interrupting);
    done.resolve();
    await held;
  }
}

/** Throws `aborted` once the signal is. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new DeltaError({ code: 'aborted', message: 'the reading was aborted', cause: signal.reason });
}
