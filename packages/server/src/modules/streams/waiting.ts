import { streamsError } from './errors.ts';
import type { Shard, Waiter } from './shard.ts';

/** Resolves when the shard has a record at `offset` or later, or gets none any more; rejects when the signal says so. */
export async function waitFor(
  shard: Shard,
  offset: number,
  { signal, waitersMax }: { readonly signal: AbortSignal | undefined; readonly waitersMax: number },
): Promise<void> {
  if (shard.nextOffset > offset || shard.closedMs !== undefined) return;
  if (shard.waiters.size >= waitersMax)
    throw streamsError({
      code: 'overloaded',
      message: `${shard.waiters.size} readers wait for ${shard.shardId} already`,
      retry: 'backoff',
    });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waiter: Waiter = { offset, wake: resolve };
  const abort = (): void => {
    shard.waiters.delete(waiter);
    reject(signal?.reason as Error);
  };
  shard.waiters.add(waiter);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
