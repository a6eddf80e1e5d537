/** Which files of a version to read, and the SQL that reads them. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DeltaError } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import { prepareFiles, preparedSql } from '../scan/scan-files.ts';
import { stubScanSql } from '../scan/scan-sql.ts';
import { STUB_FILE } from '../scan/stub.ts';
import { tableColumns } from '../skip/file-facts.ts';
import type { Predicate } from '../skip/predicate.ts';
import { filesTest } from '../skip/prune.ts';
import { recordCount } from '../stats/record-count.ts';
import type { TableIo } from './load.ts';
import type { TableState } from './table-state.ts';

export interface ScanOptions {
  /** Leaves out files that can't hold a matching row; the query must still filter. */
  readonly predicate?: Predicate;
  /** Absolute path of a Parquet file without rows for `stubSql`; default: `STUB_FILE`. */
  readonly stubFile?: string;
}

export interface Scan {
  readonly files: readonly AddFile[];
  readonly filesSkipped: number;
  /** Of the files; what a query reads of them is mostly less. */
  readonly bytes: number;
  /**
   * A SELECT that any DuckDB connection can run: all columns in schema order with the table's types, partition values
   * as constants, columns that a file lacks NULL. The connection's `TimeZone` must be UTC where files hold timestamps
   * without a zone (INT96).
   */
  readonly sql: string;
  /** The same columns, without rows: for planning a query to learn its filters. */
  readonly stubSql: string;
  /**
   * Lets go of the files that a remote store copied to this machine for the scan; call it once the SQL is no longer run.
   * Nothing to do for a local store. Idempotent.
   */
  readonly release: () => void;
}

/** The files of a state that may hold a matching row. Throws `corrupt-log` for a deletion vector that is damaged. */
export async function scanState(state: TableState, io: TableIo, options: ScanOptions = {}): Promise<Scan> {
  const { schema } = state;
  const files: AddFile[] = [];
  let bytes = 0;
  for await (const some of candidates(state, options.predicate)) {
    for (const file of some) {
      if (isEmptied(file)) continue;
      files.push(file);
      bytes += file.size;
    }
  }
  const prepared = await prepareFiles({ io }, state, files);
  return {
    files,
    filesSkipped: state.files.count - files.length,
    bytes,
    release: prepared.release,
    // Built when asked for: a list of many files is a long text.
    get sql() {
      if (schema.fields.length === 0) throw withoutColumns();
      return preparedSql(prepared);
    },
    get stubSql() {
      if (schema.fields.length === 0) throw withoutColumns();
      return stubScanSql(options.stubFile ?? STUB_FILE, schema);
    },
  };
}

/** Blocks of files that are looked through before other work gets its turn. */
const BLOCKS_PER_TURN = 16;

async function* candidates(
  state: TableState,
  predicate: Predicate | undefined,
): AsyncGenerator<Iterable<AddFile>, void, undefined> {
  if (predicate === undefined) return yield state.files.files();
  let blocks = 0;
  for (const files of state.files.matching(filesTest(predicate, tableColumns(state)))) {
    if (files.length > 0) yield files;
    blocks += 1;
    if (blocks % BLOCKS_PER_TURN === 0) await nextTurn();
  }
}

/** Whether every row of the file is deleted. */
function isEmptied({ deletionVector, stats }: AddFile): boolean {
  return (
    deletionVector !== undefined &&
    deletionVector !== null &&
    deletionVector.cardinality === recordCount(stats)
  );
}

function withoutColumns(): DeltaError {
  return new DeltaError({
    code: 'invalid-schema',
    message: 'the table has no columns, so there is nothing to scan',
  });
}
