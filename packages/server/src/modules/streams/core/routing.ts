/** Which shard a record goes to: the one whose range has the MD5 of its partition key, or its explicit hash key. */
import { assert } from '../../../base/assert.ts';
import { md5Rest, md5Top } from './md5.ts';

export const HASH_KEY_MAX = (1n << 128n) - 1n;
const HASH_KEY = /^(0|[1-9]\d{0,38})$/;
const LOW_96 = (1n << 96n) - 1n;

export interface HashRange {
  readonly start: bigint;
  /** Inclusive. */
  readonly end: bigint;
}

/** The ranges that a new stream's shards get: equal, the last one takes the remainder. */
export function evenRanges(count: number): HashRange[] {
  const width = (HASH_KEY_MAX + 1n) / BigInt(count);
  return Array.from({ length: count }, (_, index) => ({
    start: width * BigInt(index),
    end: index === count - 1 ? HASH_KEY_MAX : width * BigInt(index + 1) - 1n,
  }));
}

/** Routes to the positions of `ranges`, which must cover all hash keys in rising order without gaps. */
export class Router {
  readonly #starts: readonly bigint[];
  /** Upper 32 bits of each start, which decide nearly always. */
  readonly #tops: Float64Array;

  constructor(ranges: readonly HashRange[]) {
    let next = 0n;
    for (const range of ranges) {
      assert(
        range.start === next && range.end >= range.start,
        'shards must cover the hash keys without gaps',
      );
      next = range.end + 1n;
    }
    assert(next === HASH_KEY_MAX + 1n, 'shards must cover all hash keys');
    this.#starts = ranges.map((range) => range.start);
    this.#tops = Float64Array.from(this.#starts, (start) => Number(start >> 96n));
  }

  get size(): number {
    return this.#tops.length;
  }

  ofKey(key: string): number {
    if (this.#tops.length === 1) return 0;
    const top = md5Top(key);
    const tops = this.#tops;
    let low = 0;
    let high = tops.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (tops[middle]! <= top) low = middle;
      else high = middle - 1;
    }
    return tops[low] === top ? this.#below(low, top, md5Rest()) : low;
  }

  /** By a hash key in decimal digits; undefined for what is none. */
  ofText(hashKey: string): number | undefined {
    if (!HASH_KEY.test(hashKey)) return undefined;
    const value = BigInt(hashKey);
    return value > HASH_KEY_MAX ? undefined : this.ofHash(value);
  }

  ofHash(hashKey: bigint): number {
    assert(hashKey >= 0n && hashKey <= HASH_KEY_MAX, 'a hash key has 128 bits');
    const tops = this.#tops;
    const top = Number(hashKey >> 96n);
    let position = 0;
    for (let low = 0, high = tops.length - 1; low <= high;) {
      const middle = (low + high) >> 1;
      if (tops[middle]! <= top) {
        position = middle;
        low = middle + 1;
      } else high = middle - 1;
    }
    return this.#below(position, top, hashKey & LOW_96);
  }

  /** Steps down over starts that share the upper bits and lie above. */
  #below(position: number, top: number, rest: bigint): number {
    let found = position;
    while (found > 0 && this.#tops[found] === top && (this.#starts[found]! & LOW_96) > rest) found--;
    return found;
  }
}
