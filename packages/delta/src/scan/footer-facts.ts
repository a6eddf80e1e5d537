/** What is told by the footers of data files, which never change: each is read once, as long as there is room. */
import type { Engine } from '../engine.ts';
import { quotePath } from './quote.ts';

/** Files that are remembered, by engine; then all are forgotten. */
const FILES_MAX = 100_000;
/** Files that one statement looks into. */
const FILES_AT_ONCE_MAX = 2_000;

interface Known<Fact> {
  /** Undefined for a file of which there is nothing to tell. */
  readonly byPath: Map<string, Fact | undefined>;
  /** So that files of which the same is told share it. */
  readonly byText: Map<string, Fact>;
}

export class FooterFacts<Fact> {
  readonly #sqlOf: (files: string) => string;
  readonly #parse: (text: string) => Fact;
  readonly #known = new WeakMap<Engine, Known<Fact>>();

  /** @param sqlOf gives the path of each file, which it gets as SQL's list, with a text that `parse` makes a fact of. */
  constructor(sqlOf: (files: string) => string, parse: (text: string) => Fact) {
    this.#sqlOf = sqlOf;
    this.#parse = parse;
  }

  /** At least of these files; of none where the engine has no SQL. */
  async of(engine: Engine, paths: readonly string[]): Promise<ReadonlyMap<string, Fact | undefined>> {
    const { byPath, byText } = this.#roomFor(engine, paths.length);
    const wanted = [...new Set(paths)].filter((path) => !byPath.has(path));
    for (let at = 0; at < wanted.length; at += FILES_AT_ONCE_MAX) {
      const files = wanted.slice(at, at + FILES_AT_ONCE_MAX);
      const sql = this.#sqlOf(`[${files.map(quotePath).join(', ')}]`);
      const found = await engine.session?.((session) => session.rows(sql));
      if (found === undefined) return byPath;
      for (const path of files) byPath.set(path, undefined);
      for (const [path, value] of found) {
        const text = String(value);
        const fact = byText.get(text) ?? this.#parse(text);
        byText.set(text, fact);
        byPath.set(String(path), fact);
      }
    }
    return byPath;
  }

  #roomFor(engine: Engine, files: number): Known<Fact> {
    const known = this.#known.get(engine);
    if (known !== undefined && known.byPath.size + files <= FILES_MAX) return known;
    const empty = { byPath: new Map<string, Fact | undefined>(), byText: new Map<string, Fact>() };
    this.#known.set(engine, empty);
    return empty;
  }
}
