import { DeltaError } from '../errors.ts';
import type {
  ByteRange,
  ListedObject,
  ListOptions,
  ObjectFacts,
  ObjectStore,
} from '../store/object-store.ts';

/**
 * Objects in memory. Deterministic: the same calls give the same answers, and without a clock every write is one
 * millisecond later than the one before. Bytes are copied in and out.
 */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, { bytes: Uint8Array; modifiedMs: number }>();
  readonly #now: () => number;
  #writes = 0;

  constructor(options: { now?: () => number } = {}) {
    this.#now = options.now ?? (() => this.#writes);
  }

  async read(path: string, range?: ByteRange): Promise<Uint8Array> {
    const object = this.#objects.get(path);
    if (object === undefined) {
      throw new DeltaError({ code: 'not-found', message: `"${path}" does not exist` });
    }
    const { bytes } = object;
    // Not by slice(): a Buffer's shares its memory.
    return new Uint8Array(
      range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length),
    );
  }

  async head(path: string): Promise<ObjectFacts | undefined> {
    const object = this.#objects.get(path);
    return object === undefined ? undefined : factsOf(object);
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    if (this.#objects.has(path)) return 'exists';
    this.#set(path, bytes);
    return 'created';
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    this.#set(path, bytes);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ListedObject> {
    const startAfter = options.startAfter ?? '';
    const paths = [...this.#objects.keys()].filter((path) => path.startsWith(prefix) && path > startAfter);
    for (const path of paths.sort()) {
      const object = this.#objects.get(path);
      if (object !== undefined) yield { path, ...factsOf(object) };
    }
  }

  async delete(path: string): Promise<void> {
    this.#objects.delete(path);
  }

  #set(path: string, bytes: Uint8Array): void {
    this.#writes += 1;
    this.#objects.set(path, { bytes: new Uint8Array(bytes), modifiedMs: this.#now() });
  }
}

function factsOf(object: { bytes: Uint8Array; modifiedMs: number }): ObjectFacts {
  return { sizeBytes: object.bytes.length, modifiedMs: object.modifiedMs };
}
