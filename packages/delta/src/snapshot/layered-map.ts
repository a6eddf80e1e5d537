/** A map that never changes, of which changed copies are cheap. */

/** What a layered map may begin with: many values that are not all in memory as objects. */
export interface FrozenValues<Value> {
  readonly count: number;
  /** The number of a key's value; -1 if there is none. */
  find(key: string): number;
  /** Does a part of the work that the first look-up waits for; whether that was all. */
  indexSome(limit: number): boolean;
  file(number: number): Value;
  files(): Iterable<readonly [number, Value]>;
}

/** Changes that a layer may hold before it is merged with the one below, for each root of that one's size. */
const CHANGES_PER_ROOT = 4;
const CHANGES_MIN = 64;

/** Texts to values. A changed copy costs about the root of the map's size, at most. */
export class LayeredMap<Value extends object> implements ReadonlyMap<string, Value> {
  readonly size: number;
  readonly #frozen: FrozenValues<Value> | undefined;
  readonly #keyOf: (value: Value) => string;
  /** Null where the value of a layer below is gone; the last layer counts. */
  readonly #middle: ReadonlyMap<string, Value | null>;
  readonly #top: ReadonlyMap<string, Value | null>;

  private constructor(layers: {
    size: number;
    frozen: FrozenValues<Value> | undefined;
    keyOf: (value: Value) => string;
    middle: ReadonlyMap<string, Value | null>;
    top: ReadonlyMap<string, Value | null>;
  }) {
    this.size = layers.size;
    this.#frozen = layers.frozen;
    this.#keyOf = layers.keyOf;
    this.#middle = layers.middle;
    this.#top = layers.top;
  }

  static from<Value extends object>(
    keyOf: (value: Value) => string,
    frozen?: FrozenValues<Value>,
  ): LayeredMap<Value> {
    return new LayeredMap({ size: frozen?.count ?? 0, frozen, keyOf, middle: new Map(), top: new Map() });
  }

  /** Does a part, of so many keys, of the work that the first look-up waits for; whether that was all. */
  indexSome(limit: number): boolean {
    return this.#frozen?.indexSome(limit) ?? true;
  }

  /** A copy with these values set, or removed where null; the map itself if there are none. */
  with(changes: ReadonlyMap<string, Value | null>): LayeredMap<Value> {
    if (changes.size === 0) return this;
    let { size } = this;
    let top = new Map(this.#top);
    for (const [key, value] of changes) {
      const had = this.has(key);
      if (!had && value === null) continue;
      size += (value === null ? 0 : 1) - (had ? 1 : 0);
      top.set(key, value);
    }
    let middle = this.#middle;
    if (top.size > CHANGES_MIN + CHANGES_PER_ROOT * Math.sqrt(middle.size)) {
      const merged = new Map(middle);
      for (const [key, value] of top) {
        if (value === null && this.#frozen === undefined) merged.delete(key);
        else merged.set(key, value);
      }
      middle = merged;
      top = new Map();
    }
    return new LayeredMap({ size, frozen: this.#frozen, keyOf: this.#keyOf, middle, top });
  }

  get(key: string): Value | undefined {
    const changed = this.#top.get(key) ?? (this.#top.has(key) ? null : this.#middle.get(key));
    if (changed !== undefined) return changed ?? undefined;
    const number = this.#frozen?.find(key) ?? -1;
    return number < 0 ? undefined : this.#frozen?.file(number);
  }

  has(key: string): boolean {
    const changed = this.#top.get(key) ?? (this.#top.has(key) ? null : this.#middle.get(key));
    return changed === undefined ? (this.#frozen?.find(key) ?? -1) >= 0 : changed !== null;
  }

  *entries(): Generator<[string, Value], undefined, unknown> {
    for (const [, value] of this.#frozen?.files() ?? []) {
      const key = this.#keyOf(value);
      if (!this.#top.has(key) && !this.#middle.has(key)) yield [key, value];
    }
    for (const [key, value] of this.#middle) {
      if (value !== null && !this.#top.has(key)) yield [key, value];
    }
    for (const [key, value] of this.#top) if (value !== null) yield [key, value];
    return undefined;
  }

  *keys(): Generator<string, undefined, unknown> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  *values(): Generator<Value, undefined, unknown> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  forEach(task: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.entries()) task(value, key, this);
  }

  [Symbol.iterator](): Generator<[string, Value], undefined, unknown> {
    return this.entries();
  }
}
