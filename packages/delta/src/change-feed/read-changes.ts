/** The change feed of a table: which rows each version inserted, updated and deleted. */
import type { ColumnBatch, SqlSession } from '../engine.ts';
import { streamFromSession, throwIfAborted } from '../reading/leased-session.ts';
import { type Row, type RowOptions, rowsOf, selectBatches } from '../reading/select.ts';
import type { StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { CHANGE_TYPE, changeSchema, COMMIT_VERSION } from './change-columns.ts';
import { changeSql } from './change-sql.ts';
import { type CollectedChanges, collectChanges } from './collect-changes.ts';
import { openCommitClock } from './commit-clock.ts';
import { assertFilesThere } from './files-there.ts';
import { type ChangeRange, resolveRange } from './range.ts';

export interface ChangeOptions extends ChangeRange {
  /** Ends the look at the log with `aborted`. */
  readonly signal?: AbortSignal;
}

export interface ChangeRowOptions extends RowOptions {
  /**
   * Whether the rows come in the order of the versions, and of each version those that it took away first; default: no
   * order. An order costs a sort before the first row.
   */
  readonly inOrder?: boolean;
}

/** The changes of a range of versions, found but not yet read. */
export interface ChangeScan {
  /** Inclusive, as what was asked for resolved to; a range without versions ends before it begins. */
  readonly fromVersion: number;
  readonly toVersion: number;
  /**
   * The table's columns at the end of the range, then `_change_type` (insert, update_preimage, update_postimage or
   * delete), `_commit_version` and `_commit_timestamp`.
   */
  readonly schema: StructType;
  /** Files that hold the changes, and their bytes. */
  readonly fileCount: number;
  readonly sizeBytes: number;
  /**
   * A SELECT of the schema's columns, in no order, that any DuckDB connection whose time zone is UTC can run until a
   * vacuum removes the files.
   */
  readonly sql: string;
  /** Lets go of local copies that a remote store made: the SELECT must not run afterwards. Idempotent. */
  release(): void;
  /** As `readBatches` of a table. */
  batches(options?: ChangeRowOptions): AsyncGenerator<ColumnBatch, void, undefined>;
  /** As `readRows` of a table. */
  rows(options?: ChangeRowOptions): AsyncGenerator<Row, void, undefined>;
}

/**
 * Finds the changes of a range by the log. Versions that recorded changes in files of their own (UPDATE, MERGE, some
 * deletions) give those; of others, rows of added files were inserted and rows of removed ones deleted, as were those by
 * which a deletion vector grew. Versions that only rearrange rows have no changes.
 *
 * Throws `changes-unavailable` when the feed was not enabled in a version of the range, when the schema changed by more
 * than added columns, or when files are gone; `version-not-found` for ranges outside the log (see {@link ChangeRange});
 * `invalid-data` for a range that ends before it begins; `aborted`.
 */
export async function readChanges(context: TableContext, options: ChangeOptions): Promise<ChangeScan> {
  const stopIfAborted = (): void => throwIfAborted(options.signal);
  stopIfAborted();
  const newest = await context.refresh();
  const clock = await openCommitClock(context.io, newest);
  const range = await resolveRange(context, options, { newest: newest.version, clock });
  if (range.to < range.from) return scanOf(context, { range, end: newest, changes: NO_CHANGES });
  const end = range.to === newest.version ? newest : await context.stateAt(range.to);
  changeSchema(end.schema);
  const changes = await collectChanges(context, { ...range, end }, { clock, stopIfAborted });
  await assertFilesThere(context.io, changes, newest);
  return scanOf(context, { range, end, changes });
}

const NO_CHANGES: CollectedChanges = { inserted: [], deleted: [], recorded: [], revectored: [] };

async function scanOf(
  context: TableContext,
  found: { range: { from: number; to: number }; end: TableState; changes: CollectedChanges },
): Promise<ChangeScan> {
  const { range, end, changes } = found;
  const schema = changeSchema(end.schema);
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const each of releases.splice(0)) each();
  };
  const source = { io: context.io, end, onRelease: (each: () => void) => void releases.push(each) };
  const sql = await changeSql(source, changes).catch((error: unknown) => {
    release();
    throw error;
  });
  const sizes = new Map(allFiles(changes).map(({ file }) => [file.path, file.size]));
  const batches = (options: ChangeRowOptions = {}): AsyncGenerator<ColumnBatch, void, undefined> => {
    const from = { source: sql, fields: schema.fields, ...(options.inOrder === true ? IN_ORDER : {}) };
    const produce = (session: SqlSession): AsyncIterable<ColumnBatch> =>
      selectBatches(session, from, options);
    return streamFromSession(context.io.engine, produce, options.signal);
  };
  return {
    fromVersion: range.from,
    toVersion: range.to,
    schema,
    fileCount: sizes.size,
    sizeBytes: sizes.values().reduce((sum, size) => sum + size, 0),
    sql,
    release,
    batches,
    async *rows(options) {
      for await (const batch of batches(options)) yield* rowsOf(batch);
    },
  };
}

const IN_ORDER = {
  orderBy: `${COMMIT_VERSION}, ${CHANGE_TYPE} NOT IN ('delete', 'update_preimage')`,
};

function allFiles(changes: CollectedChanges): CollectedChanges['inserted'] {
  return [...changes.inserted, ...changes.deleted, ...changes.recorded, ...changes.revectored];
}
