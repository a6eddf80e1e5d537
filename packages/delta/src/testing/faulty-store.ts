import { DeltaError } from '../errors.ts';
import type {
  ByteRange,
  ListedObject,
  ListOptions,
  ObjectFacts,
  ObjectStore,
} from '../store/object-store.ts';

/**
 * - `refuse` fails without effect, `throttle` and `full` too, as `io` and `no-space`;
 * - `lose-reply` has its effect and then fails;
 * - `late` fails, and a put has its effect at some time afterwards: when {@link FaultyStore.applyLate} is called;
 * - `slow` answers only after others had their turn;
 * - `stale` lists without the newest objects, as stores do whose listings lag; another call is done as usual;
 * - `truncate` reads less than there is, as after a torn connection that no one noticed: a breach of the contract that
 *   readers who know the size must catch.
 */
export type Fault = 'refuse' | 'throttle' | 'full' | 'lose-reply' | 'late' | 'slow' | 'stale' | 'truncate';

export interface StoreCall {
  readonly verb: 'read' | 'head' | 'putIfAbsent' | 'put' | 'list' | 'delete';
  readonly path: string;
}

/** What a call with the faults `refuse`, `lose-reply` and `late` rejects with. */
export class InjectedFault extends Error {
  override readonly name = 'InjectedFault';
}

/** Objects, the newest put through this store, that a stale listing lacks. */
export const STALE_OBJECTS = 3;

/** A store whose calls fail as a plan says; it is asked once for each call, before it. */
export class FaultyStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #plan: (call: StoreCall) => Fault | undefined;
  /** Puts that are still on their way, oldest first. */
  readonly #late: (() => Promise<unknown>)[] = [];
  readonly #newest: string[] = [];

  constructor(inner: ObjectStore, plan: (call: StoreCall) => Fault | undefined) {
    this.#inner = inner;
    this.#plan = plan;
  }

  read(path: string, range?: ByteRange): Promise<Uint8Array> {
    return this.#call({ verb: 'read', path }, async (fault) => {
      const bytes = await this.#inner.read(path, range);
      return fault === 'truncate' ? bytes.subarray(0, bytes.length >> 1) : bytes;
    });
  }

  head(path: string): Promise<ObjectFacts | undefined> {
    return this.#call({ verb: 'head', path }, () => this.#inner.head(path));
  }

  putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    const copy = new Uint8Array(bytes);
    return this.#call({ verb: 'putIfAbsent', path }, async () => {
      const outcome = await this.#inner.putIfAbsent(path, copy);
      if (outcome === 'created') this.#remember(path);
      return outcome;
    });
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    const copy = new Uint8Array(bytes);
    return this.#call({ verb: 'put', path }, async () => {
      await this.#inner.put(path, copy);
      this.#remember(path);
    });
  }

  async *list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
    const call: StoreCall = { verb: 'list', path: prefix };
    const fault = this.#plan(call);
    const refusal = refusalOf(fault, call);
    if (refusal !== undefined) throw refusal;
    const hidden = new Set(fault === 'stale' ? this.#newest : []);
    if (fault === 'slow') await othersHadTheirTurn();
    for await (const object of this.#inner.list(prefix, options)) {
      if (!hidden.has(object.path)) yield object;
    }
    if (fault === 'lose-reply') throw new InjectedFault(`list ${prefix}: reply lost`);
  }

  delete(path: string): Promise<void> {
    return this.#call({ verb: 'delete', path }, () => this.#inner.delete(path));
  }

  /** Puts that failed as `late` and had no effect so far. */
  get lateCount(): number {
    return this.#late.length;
  }

  /** Lets late puts, the oldest first, have their effect; whatever that is, no one hears of it. */
  async applyLate(countMax = Infinity): Promise<void> {
    for (const put of this.#late.splice(0, countMax)) await put().catch(() => undefined);
  }

  async #call<Result>(
    call: StoreCall,
    action: (fault: Fault | undefined) => Promise<Result>,
  ): Promise<Result> {
    const fault = this.#plan(call);
    const refusal = refusalOf(fault, call);
    if (refusal !== undefined) {
      const isPut = call.verb === 'put' || call.verb === 'putIfAbsent';
      if (fault === 'late' && isPut) this.#late.push(() => action(undefined));
      throw refusal;
    }
    if (fault === 'slow') await othersHadTheirTurn();
    const result = await action(fault);
    if (fault === 'lose-reply') throw new InjectedFault(`${call.verb} ${call.path}: reply lost`);
    return result;
  }

  #remember(path: string): void {
    this.#newest.push(path);
    if (this.#newest.length > STALE_OBJECTS) this.#newest.shift();
  }
}

function refusalOf(fault: Fault | undefined, { verb, path }: StoreCall): Error | undefined {
  switch (fault) {
    case 'refuse':
      return new InjectedFault(`${verb} ${path}: refused`);
    case 'late':
      return new InjectedFault(`${verb} ${path}: no answer yet`);
    case 'throttle':
      return new DeltaError({ code: 'io', message: `can't ${verb} "${path}": slow down` });
    case 'full':
      return new DeltaError({ code: 'no-space', message: `can't ${verb} "${path}": no space is left` });
    default:
      return undefined;
  }
}

/** Everything that could go on without waiting has done so. */
async function othersHadTheirTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
