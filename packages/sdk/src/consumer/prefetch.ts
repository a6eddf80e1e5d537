/** How many batches of a shard are read beyond the one that is processed. */
const PREFETCHED_BATCHES_MAX = 1;

/** The same items, with one more asked for while each is used; `items` is closed when nobody goes on. */
export async function* prefetched<T>(
  items: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  const asked: Promise<IteratorResult<T, void>>[] = [];
  try {
    for (;;) {
      while (asked.length <= PREFETCHED_BATCHES_MAX) {
        const next = items.next();
        // It is awaited later, or never.
        next.catch(() => {});
        asked.push(next);
      }
      const got = await asked.shift()!;
      if (got.done === true) return;
      yield got.value;
    }
  } finally {
    void items.return().catch(() => {});
  }
}
