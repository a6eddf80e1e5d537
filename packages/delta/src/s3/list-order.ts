/**
 * S3 lists keys in the order of their UTF-8 bytes, an ObjectStore in the order of UTF-16 code units. The two differ
 * only where, at the first difference, one key has a surrogate pair (U+10000 and above) and the other a unit from U+E000.
 *
 * Keys that have such a unit and the same text before the first one (the stem) are neighbours in both orders: sorting
 * each such run gives the other order.
 */
import { DeltaError } from '../errors.ts';

/** Neighbours that differ in characters from U+E000 on; beyond, a listing fails instead of filling the memory. */
export const REORDERED_KEYS_MAX = 1_000_000;

const HIGH_UNIT = /[\uD800-\uFFFF]/;

/** Gives items that come in the order of their paths' UTF-8 bytes in the order of UTF-16 code units. */
export async function* inUtf16Order<Item extends { readonly path: string }>(
  items: AsyncIterable<Item>,
): AsyncIterable<Item> {
  let stem: string | undefined;
  let run: Item[] = [];
  for await (const item of items) {
    const at = item.path.search(HIGH_UNIT);
    const itemStem = at < 0 ? undefined : item.path.slice(0, at);
    if (itemStem !== stem) {
      yield* sorted(run);
      run = [];
      stem = itemStem;
    }
    if (itemStem === undefined) yield item;
    else run.push(item);
    if (run.length > REORDERED_KEYS_MAX) throw tooMany(stem ?? '');
  }
  yield* sorted(run);
}

/** A key to list after, so that nothing that comes after `startAfter` in UTF-16 order is left out. */
export function startAfterInUtf8(startAfter: string): string {
  const at = startAfter.search(HIGH_UNIT);
  return at < 0 ? startAfter : startAfter.slice(0, at);
}

function sorted<Item extends { readonly path: string }>(run: Item[]): Item[] {
  return run.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function tooMany(stem: string): DeltaError {
  const message = `more than ${REORDERED_KEYS_MAX} names begin with "${stem}" and a character from U+E000 on`;
  return new DeltaError({ code: 'io', message, retry: 'never' });
}
