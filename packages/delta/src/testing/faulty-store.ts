import type { ByteRange, ListedObject, ObjectFacts, ObjectStore } from '../store/object-store.ts';

/** `refuse` fails without effect; `lose-reply` has its effect and then fails. */
export type Fault = 'refuse' | 'lose-reply';

export interface StoreCall {
  readonly verb: 'read' | 'head' | 'putIfAbsent' | 'put' | 'list' | 'delete';
  readonly path: string;
}

/** What a call with a fault rejects with. */
export class InjectedFault extends Error {
  override readonly name = 'InjectedFault';
}

/** A store whose calls fail as a plan says; it is asked once for each call, before it. */
export class FaultyStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #plan: (call: StoreCall) => Fault | undefined;

  constructor(inner: ObjectStore, plan: (call: StoreCall) => Fault | undefined) {
    this.#inner = inner;
    this.#plan = plan;
  }

  read(path: string, range?: ByteRange): Promise<Uint8Array> {
    return this.#call({ verb: 'read', path }, () => this.#inner.read(path, range));
  }

  head(path: string): Promise<ObjectFacts | undefined> {
    return this.#call({ verb: 'head', path }, () => this.#inner.head(path));
  }

  putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#call({ verb: 'putIfAbsent', path }, () => this.#inner.putIfAbsent(path, bytes));
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    return this.#call({ verb: 'put', path }, () => this.#inner.put(path, bytes));
  }

  async *list(prefix: string, options?: { startAfter?: string }): AsyncIterable<ListedObject> {
    if (this.#plan({ verb: 'list', path: prefix }) !== undefined) throw new InjectedFault(`list ${prefix}`);
    yield* this.#inner.list(prefix, options);
  }

  delete(path: string): Promise<void> {
    return this.#call({ verb: 'delete', path }, () => this.#inner.delete(path));
  }

  async #call<Result>(call: StoreCall, action: () => Promise<Result>): Promise<Result> {
    const fault = this.#plan(call);
    if (fault === 'refuse') throw new InjectedFault(`${call.verb} ${call.path}: refused`);
    const result = await action();
    if (fault === 'lose-reply') throw new InjectedFault(`${call.verb} ${call.path}: reply lost`);
    return result;
  }
}
