/**
 * The world of deliveries: operations of the object store and the row writer wait for the scheduler as those of the
 * disk do; a crash leaves those under way without an end.
 */
import { MemoryStore } from '@sluice/delta/testing';
import {
  DeltaError,
  type ByteRange,
  type ListedObject,
  type ObjectFacts,
  type ObjectStore,
} from '@sluice/delta';
import { BatchHandler, type BatchFile } from '../src/modules/delivery/index.ts';
import type { RowWriter } from '../src/ports/row-writer.ts';
import { World } from './world.ts';

export interface Faults {
  /** Share of the store's calls that fail without effect, and that fail after their effect. */
  refuse: number;
  loseReply: number;
  /** Share of the listings that lack what was written last. */
  staleList: number;
}

export class DeliveryWorld extends World {
  readonly faults: Faults = { refuse: 0, loseReply: 0, staleList: 0 };
  readonly #stores = new Map<string, MemoryStore>();

  /** The store of a table's root as the present process sees it. */
  storeFor(root: string): ObjectStore {
    const inner = this.#stores.get(root) ?? new MemoryStore({ now: () => this.clock.nowMs() });
    this.#stores.set(root, inner);
    return new UnreliableStore(inner, this, root);
  }

  /** What is in it, without faults and without waiting. */
  contentOf(root: string): ObjectStore {
    return this.#stores.get(root) ?? new MemoryStore();
  }

  /** A writer over files in memory, and how the engine reads them. */
  rowWriter(): { writer: RowWriter; readFile: (path: string) => Uint8Array } {
    const files = new Map<string, Buffer[]>();
    const handler = new BatchHandler((name): BatchFile => {
      files.set(name, []);
      return {
        path: name,
        append: (bytes) => void files.get(name)?.push(Buffer.from(bytes)),
        close() {},
        remove: () => void files.delete(name),
      };
    });
    const { life } = this;
    const later = async <Result>(text: string, work: () => Result): Promise<Result> => {
      await this.gate(`writer ${text}`);
      if (life !== this.life) return new Promise<never>(() => {});
      if (this.random.chance(this.faults.refuse / 4)) throw new Error(`the writer failed to ${text}`);
      return work();
    };
    let batches = 0;
    const writer: RowWriter = {
      open(request) {
        const id = ++batches;
        handler.open(id, request);
        let queue: Promise<unknown> = Promise.resolve();
        // Calls of one batch keep their order, as messages to a thread do.
        const inOrder = <Result>(work: () => Promise<Result>): Promise<Result> => {
          const next = queue.then(work);
          queue = next.catch(() => {});
          return next;
        };
        return {
          add: (runs) => inOrder(() => later('add', () => handler.add(id, runs))),
          seal: () => inOrder(() => later('seal', () => handler.seal(id))),
          discard: () => inOrder(() => Promise.resolve(handler.discard(id))),
        };
      },
      close: () => Promise.resolve(handler.close()),
    };
    const readFile = (path: string): Uint8Array => {
      const parts = files.get(path);
      if (parts === undefined) throw new DeltaError({ code: 'not-found', message: `"${path}" is gone` });
      return Buffer.concat(parts);
    };
    return { writer, readFile };
  }
}

class UnreliableStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #world: DeliveryWorld;
  readonly #life: number;
  readonly #root: string;

  constructor(inner: ObjectStore, world: DeliveryWorld, root: string) {
    this.#inner = inner;
    this.#world = world;
    this.#life = world.life;
    this.#root = root.split('/').at(-1)!;
  }

  read(path: string, range?: ByteRange): Promise<Uint8Array> {
    return this.#call(`read ${path}`, () => this.#inner.read(path, range));
  }

  head(path: string): Promise<ObjectFacts | undefined> {
    return this.#call(`head ${path}`, () => this.#inner.head(path));
  }

  putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#call(`create ${path}`, () => this.#inner.putIfAbsent(path, bytes));
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    return this.#call(`put ${path}`, () => this.#inner.put(path, bytes));
  }

  delete(path: string): Promise<void> {
    return this.#call(`delete ${path}`, () => this.#inner.delete(path));
  }

  async *list(prefix: string, options?: { startAfter?: string }): AsyncIterable<ListedObject> {
    const { random, faults } = this.#world;
    const objects = await this.#call(`list ${prefix}`, async () => {
      const found: ListedObject[] = [];
      for await (const object of this.#inner.list(prefix, options)) found.push(object);
      return found;
    });
    // A stale listing still has the table's beginning, or there would be no table.
    const stale = objects.length > 1 && random.chance(faults.staleList);
    yield* stale ? objects.slice(0, Math.max(1, objects.length - 1 - random.below(3))) : objects;
  }

  async #call<Result>(text: string, work: () => Promise<Result>): Promise<Result> {
    const world = this.#world;
    await world.gate(`${this.#root}: ${text}`);
    if (this.#life !== world.life) return new Promise<never>(() => {});
    const fail = (what: string): DeltaError => new DeltaError({ code: 'io', message: `${what}: ${text}` });
    if (world.random.chance(world.faults.refuse)) throw fail('refused');
    const result = await work();
    if (world.random.chance(world.faults.loseReply)) throw fail('the reply was lost');
    return result;
  }
}
