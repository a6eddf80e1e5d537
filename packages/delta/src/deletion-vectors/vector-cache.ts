/** Vectors that were read from a store's files, which never change, for the next scan of the table. */
import type { ObjectStore } from '../store/object-store.ts';
import type { Block, RowSet } from './row-set.ts';

/** Memory that the vectors of one store may take up. */
const CACHE_BYTES_MAX = 64 * 1024 * 1024;

/** Forgets what was used longest ago. */
export class VectorCache {
  readonly #sets = new Map<string, { set: RowSet; bytes: number }>();
  #bytes = 0;

  get(key: string): RowSet | undefined {
    const entry = this.#sets.get(key);
    if (entry === undefined) return undefined;
    this.#sets.delete(key);
    this.#sets.set(key, entry);
    return entry.set;
  }

  set(key: string, set: RowSet): void {
    const bytes = key.length + sizeOf(set);
    if (bytes > CACHE_BYTES_MAX || this.#sets.has(key)) return;
    this.#sets.set(key, { set, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#sets) {
      if (this.#bytes <= CACHE_BYTES_MAX) return;
      this.#sets.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }
}

const caches = new WeakMap<ObjectStore, VectorCache>();

/** The one of the store; lives as long as the store does. */
export function vectorCacheOf(store: ObjectStore): VectorCache {
  const known = caches.get(store);
  if (known !== undefined) return known;
  const made = new VectorCache();
  caches.set(store, made);
  return made;
}

/** Of objects around each block, roughly. */
const BLOCK_OVERHEAD_BYTES = 128;

function sizeOf(set: RowSet): number {
  let bytes = BLOCK_OVERHEAD_BYTES;
  for (const block of set.blocks.values()) bytes += BLOCK_OVERHEAD_BYTES + bytesOf(block);
  return bytes;
}

function bytesOf(block: Block): number {
  return block.kind === 'list' ? block.values.byteLength : block.bytes.byteLength;
}
