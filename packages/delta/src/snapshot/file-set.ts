/**
 * The files of a table at one version, sharing their memory with the versions before it.
 *
 * Invariants: an entry is in every version from `since` (inclusive) to `until` (exclusive); a ledger only ever grows at
 * its newest version, so a set once handed out never changes, and a refresh costs what the new commits hold.
 */
import { assert } from '../errors.ts';
import type { AddFile, RemoveFile } from '../log/actions.ts';
import { fileKey } from '../log/actions.ts';
import { BLOCK_FILES, type FileBlock, ObjectBlock } from '../log/file-block.ts';
import { addTotals, NO_TOTALS, type PackedFiles, type PackedTotals, totalsOf } from '../log/packed-files.ts';

/** The adds of a checkpoint, with what they come to. */
export interface PackedAdds {
  readonly files: PackedFiles<AddFile>;
  readonly totals: PackedTotals;
}

interface Entry {
  readonly add: AddFile;
  readonly since: number;
  until: number;
}

interface Ledger {
  /** The newest version; only its set may grow the ledger. */
  version: number;
  /** Files of the checkpoint that the ledger began with: in every version, unless their `baseUntil` says otherwise. */
  readonly base: PackedFiles<AddFile> | undefined;
  /** By number in `base`, the version from which on the file is gone; made with the first that is. */
  baseUntil: Float64Array | undefined;
  /** Files of `base` in the newest version. */
  baseLive: number;
  /** Later files. */
  entries: Entry[];
  /** The files of `entries`, as far as they fill blocks; made when they are looked through. */
  readonly blocks: ObjectBlock[];
  /** Those of the newest version. */
  readonly live: Map<string, Entry>;
}

/** Dead entries that a ledger may hold beyond the number of live ones. */
const DEAD_ENTRIES_SLACK = 1024;
/** A base of which less than this part lives on is given up. */
const BASE_LIVE_MIN = 1 / 8;

export class FileSet {
  readonly version: number;
  readonly count: number;
  readonly sizeBytes: number;
  /** Rows that deletion vectors delete left out; undefined while a file's statistics lack the number of records. */
  readonly rowCount: number | undefined;
  /** Files with a deletion vector. */
  readonly vectorCount: number;
  /** Rows that deletion vectors delete. */
  readonly deletedRowCount: number;
  readonly #totals: PackedTotals;
  readonly #ledger: Ledger;

  private constructor(ledger: Ledger, facts: { version: number; count: number; totals: PackedTotals }) {
    const { version, count, totals } = facts;
    this.#ledger = ledger;
    this.#totals = totals;
    this.version = version;
    this.count = count;
    this.sizeBytes = totals.sizeBytes;
    this.rowCount = totals.uncounted === 0 ? totals.rows : undefined;
    this.vectorCount = totals.vectors;
    this.deletedRowCount = totals.deletedRows;
  }

  /** The set before the first version. */
  static empty(version = -1): FileSet {
    return new FileSet(ledgerOf(version, []), { version, count: 0, totals: NO_TOTALS });
  }

  /**
   * The set at a later version. Costs what the changes hold, unless the set was advanced before: then a copy of it all.
   */
  advance(version: number, changes: { adds: readonly AddFile[]; removes: readonly RemoveFile[] }): FileSet {
    assert(version > this.version, 'a file set advances to a later version');
    const ledger = this.#ledger.version === this.version ? this.#ledger : forked(this, this.#ledger);
    let totals = this.#totals;
    const end = (key: string): void => {
      const gone = endFile(ledger, key, version);
      if (gone !== undefined) totals = addTotals(totals, negated(totalsOf(gone)));
    };
    for (const remove of changes.removes) end(fileKey(remove));
    for (const add of changes.adds) {
      const key = fileKey(add);
      end(key);
      const entry = { add, since: version, until: Infinity };
      ledger.entries.push(entry);
      ledger.live.set(key, entry);
      totals = addTotals(totals, totalsOf(add));
    }
    ledger.version = version;
    const count = ledger.baseLive + ledger.live.size;
    return new FileSet(compacted(ledger), { version, count, totals });
  }

  /** Does a part, of so many files, of the work that the first change waits for; whether that was all. */
  indexSome(limit: number): boolean {
    return this.#ledger.base?.indexSome(limit) ?? true;
  }

  /** In the order in which the log added them; two iterations may give different objects for one file. */
  *files(): Generator<AddFile, void, undefined> {
    const { base, baseUntil, entries } = this.#ledger;
    for (const [number, add] of base?.files() ?? []) {
      if (this.version < (baseUntil?.[number] ?? Infinity)) yield add;
    }
    for (const { add, since, until } of entries) {
      if (since <= this.version && this.version < until) yield add;
    }
  }

  /**
   * Those that may match, in the order of {@link FileSet.files}, block by block: as many blocks as there are, also where
   * none of their files may. Costs little for each file that doesn't match, once its statistics were looked through.
   */
  *matching(tests: FileSetTests): Generator<readonly AddFile[], void, undefined> {
    const { base, baseUntil, entries, blocks } = this.#ledger;
    let first = 0;
    for (const block of base?.blocks ?? []) {
      const offset = first;
      yield matchingOf(block, tests, (at) => this.version < (baseUntil?.[offset + at] ?? Infinity));
      first += block.count;
    }
    const isLive = ({ since, until }: Entry): boolean => since <= this.version && this.version < until;
    let at = 0;
    for (; at + BLOCK_FILES <= entries.length; at += BLOCK_FILES) {
      const own = entries.slice(at, at + BLOCK_FILES);
      const block = (blocks[at / BLOCK_FILES] ??= new ObjectBlock(own.map(({ add }) => add)));
      yield matchingOf(block, tests, (place) => isLive(own[place] as Entry));
    }
    // The last ones, to which more are added.
    yield entries.slice(at).flatMap((entry) => (isLive(entry) && tests.file(entry.add) ? [entry.add] : []));
  }

  /** Builds sets from many changes of which only the outcome is wanted. */
  static builder(base?: PackedAdds): FileSetBuilder {
    return new FileSetBuilder(base, (ledger, totals) => {
      const count = ledger.baseLive + ledger.live.size;
      return new FileSet(ledger, { version: ledger.version, count, totals });
    });
  }
}

/** Of single files, and of many at once: 0 for those that the first rules out, 2 for those that it keeps, else 1. */
export interface FileSetTests {
  readonly file: (file: AddFile) => boolean;
  readonly block: (block: FileBlock) => Uint8Array;
}

function matchingOf(block: FileBlock, tests: FileSetTests, isLive: (at: number) => boolean): AddFile[] {
  const files: AddFile[] = [];
  const answers = tests.block(block);
  for (let at = 0; at < answers.length; at += 1) {
    if (answers[at] === 0 || !isLive(at)) continue;
    const file = block.file(at);
    if (answers[at] === 2 || tests.file(file)) files.push(file);
  }
  return files;
}

/** A set in the making, which begins with the files of a checkpoint or with none. */
export class FileSetBuilder {
  readonly #base: PackedAdds | undefined;
  readonly #finish: (ledger: Ledger, totals: PackedTotals) => FileSet;
  readonly #ledger: Ledger;
  #goneFromBase: PackedTotals = NO_TOTALS;

  constructor(base: PackedAdds | undefined, finish: (ledger: Ledger, totals: PackedTotals) => FileSet) {
    this.#base = base;
    this.#finish = finish;
    this.#ledger = ledgerOf(-1, [], base?.files);
  }

  /** As {@link FileSet.indexSome}. */
  indexSome(limit: number): boolean {
    return this.#base?.files.indexSome(limit) ?? true;
  }

  /** The file takes the place of one with its key, and the last place in the order. */
  add(add: AddFile): void {
    const key = fileKey(add);
    this.remove(key);
    this.#ledger.live.set(key, { add, since: 0, until: Infinity });
  }

  /** Absent is fine. */
  remove(key: string): void {
    if (this.#ledger.live.delete(key)) return;
    const gone = endInBase(this.#ledger, key, 0);
    if (gone !== undefined) this.#goneFromBase = addTotals(this.#goneFromBase, totalsOf(gone));
  }

  /** To be called once, at the end. */
  build(version: number): FileSet {
    let totals = addTotals(this.#base?.totals ?? NO_TOTALS, negated(this.#goneFromBase));
    const entries = [...this.#ledger.live.values()];
    for (const { add } of entries) totals = addTotals(totals, totalsOf(add));
    return this.#finish({ ...this.#ledger, version, entries }, totals);
  }
}

/** The file with a key, which is gone from a version on; undefined if there was none. */
function endFile(ledger: Ledger, key: string, version: number): AddFile | undefined {
  const entry = ledger.live.get(key);
  if (entry === undefined) return endInBase(ledger, key, version);
  entry.until = version;
  ledger.live.delete(key);
  return entry.add;
}

function endInBase(ledger: Ledger, key: string, version: number): AddFile | undefined {
  const { base } = ledger;
  if (base === undefined || ledger.baseLive === 0) return undefined;
  const number = base.find(key);
  const isGone = ledger.baseUntil !== undefined && ledger.baseUntil[number] !== Infinity;
  if (number < 0 || isGone) return undefined;
  ledger.baseUntil ??= new Float64Array(base.count).fill(Infinity);
  ledger.baseUntil[number] = version;
  ledger.baseLive -= 1;
  return base.file(number);
}

/** A ledger of its own for a set that others have gone on from. */
function forked(set: FileSet, { base, baseUntil, entries }: Ledger): Ledger {
  const own = entries
    .filter(({ since, until }) => since <= set.version && set.version < until)
    .map(({ add, since }) => ({ add, since, until: Infinity }));
  const ledger = ledgerOf(set.version, own, base);
  if (baseUntil === undefined) return ledger;
  const until = baseUntil.map((version) => (version <= set.version ? version : Infinity));
  const baseLive = until.reduce((count, version) => (version === Infinity ? count + 1 : count), 0);
  return { ...ledger, baseUntil: until, baseLive };
}

/** The ledger, or a copy without its dead entries once those are the greater part; older sets keep the original. */
function compacted(ledger: Ledger): Ledger {
  const { base, baseUntil, entries, live } = ledger;
  const isBaseDead = base !== undefined && ledger.baseLive < base.count * BASE_LIVE_MIN;
  if (!isBaseDead && entries.length <= 2 * live.size + DEAD_ENTRIES_SLACK) return ledger;
  const kept = entries.filter((entry) => entry.until === Infinity).map((entry) => ({ ...entry }));
  if (!isBaseDead) {
    const copy = ledgerOf(ledger.version, kept, base);
    return { ...copy, baseUntil: baseUntil?.slice(), baseLive: ledger.baseLive };
  }
  const revived: Entry[] = [];
  for (const [number, add] of base.files()) {
    if (baseUntil?.[number] === Infinity) revived.push({ add, since: ledger.version, until: Infinity });
  }
  return ledgerOf(ledger.version, [...revived, ...kept]);
}

function ledgerOf(version: number, entries: Entry[], base?: PackedFiles<AddFile>): Ledger {
  return {
    version,
    base,
    baseUntil: undefined,
    baseLive: base?.count ?? 0,
    entries,
    blocks: [],
    live: new Map(entries.map((entry) => [fileKey(entry.add), entry])),
  };
}

function negated(totals: PackedTotals): PackedTotals {
  return {
    sizeBytes: -totals.sizeBytes,
    rows: -totals.rows,
    uncounted: -totals.uncounted,
    vectors: -totals.vectors,
    deletedRows: -totals.deletedRows,
  };
}
