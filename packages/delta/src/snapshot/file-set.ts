/**
 * The files of a table at one version, sharing their memory with the versions before it.
 *
 * Invariants: an entry is in every version from `since` (inclusive) to `until` (exclusive); a ledger only ever grows at
 * its newest version, so a set once handed out never changes, and a refresh costs what the new commits hold.
 */
import { assert } from '../errors.ts';
import type { AddFile, RemoveFile } from '../log/actions.ts';
import { fileKey } from '../log/actions.ts';
import { recordCount } from '../stats/record-count.ts';

interface Entry {
  readonly add: AddFile;
  readonly rows: number | undefined;
  readonly since: number;
  until: number;
}

interface Ledger {
  /** The newest version; only its set may grow the ledger. */
  version: number;
  entries: Entry[];
  /** Files of the newest version. */
  readonly live: Map<string, Entry>;
}

/** Dead entries that a ledger may hold beyond the number of live ones. */
const DEAD_ENTRIES_SLACK = 1024;

export class FileSet {
  readonly version: number;
  readonly count: number;
  readonly sizeBytes: number;
  /** Undefined while a file's statistics lack the number of records. */
  readonly rowCount: number | undefined;
  readonly #ledger: Ledger;

  private constructor(
    ledger: Ledger,
    facts: { version: number; count: number; sizeBytes: number; rowCount: number | undefined },
  ) {
    this.#ledger = ledger;
    this.version = facts.version;
    this.count = facts.count;
    this.sizeBytes = facts.sizeBytes;
    this.rowCount = facts.rowCount;
  }

  /** The set before the first version. */
  static empty(version = -1): FileSet {
    const ledger = { version, entries: [], live: new Map<string, Entry>() };
    return new FileSet(ledger, { version, count: 0, sizeBytes: 0, rowCount: 0 });
  }

  /**
   * The set at a later version. Costs what the changes hold, unless the set was advanced before: then a copy of it all.
   */
  advance(version: number, changes: { adds: readonly AddFile[]; removes: readonly RemoveFile[] }): FileSet {
    assert(version > this.version, 'a file set advances to a later version');
    const ledger = this.#ledger.version === this.version ? this.#ledger : forked(this);
    let { sizeBytes } = this;
    let removedRows = 0;
    let removedUnknown = false;
    const end = (key: string): void => {
      const entry = ledger.live.get(key);
      if (entry === undefined) return;
      entry.until = version;
      ledger.live.delete(key);
      sizeBytes -= entry.add.size;
      removedRows += entry.rows ?? 0;
      removedUnknown ||= entry.rows === undefined;
    };
    for (const remove of changes.removes) end(fileKey(remove));
    let addedRows: number | undefined = 0;
    for (const add of changes.adds) {
      const key = fileKey(add);
      end(key);
      const entry = newEntry(add, version);
      ledger.entries.push(entry);
      ledger.live.set(key, entry);
      sizeBytes += add.size;
      addedRows = addedRows === undefined || entry.rows === undefined ? undefined : addedRows + entry.rows;
    }
    ledger.version = version;
    const rowCount =
      this.rowCount !== undefined && addedRows !== undefined
        ? this.rowCount - removedRows + addedRows
        : removedUnknown && addedRows !== undefined
          ? sumOfRows(ledger)
          : undefined;
    const facts = { version, count: ledger.live.size, sizeBytes, rowCount };
    return new FileSet(compacted(ledger), facts);
  }

  /** In the order in which the log added them. */
  *files(): Generator<AddFile, void, undefined> {
    for (const { add, since, until } of this.#ledger.entries) {
      if (since <= this.version && this.version < until) yield add;
    }
  }
}

/** A ledger of its own for a set that others have gone on from. */
function forked(set: FileSet): Ledger {
  const entries = [...set.files()].map((add) => newEntry(add, set.version));
  return ledgerOf(set.version, entries);
}

/** The ledger, or a copy without its dead entries once those are the greater part; older sets keep the original. */
function compacted(ledger: Ledger): Ledger {
  if (ledger.entries.length <= 2 * ledger.live.size + DEAD_ENTRIES_SLACK) return ledger;
  const live = ledger.entries.filter((entry) => entry.until === Infinity);
  return ledgerOf(
    ledger.version,
    live.map((entry) => ({ ...entry })),
  );
}

function ledgerOf(version: number, entries: Entry[]): Ledger {
  return { version, entries, live: new Map(entries.map((entry) => [fileKey(entry.add), entry])) };
}

function newEntry(add: AddFile, since: number): Entry {
  return { add, rows: recordCount(add.stats), since, until: Infinity };
}

function sumOfRows(ledger: Ledger): number | undefined {
  let rows = 0;
  for (const entry of ledger.live.values()) {
    if (entry.rows === undefined) return undefined;
    rows += entry.rows;
  }
  return rows;
}
