/** The rows of a table at one version. */
import { type ColumnBatch, type SqlSession, withSession } from '../engine.ts';
import { pin } from '../maintenance/pins.ts';
import { isLocal } from '../store/object-store.ts';
import { wherePredicate } from '../skip/where.ts';
import { DeltaError } from '../errors.ts';
import type { TableIo } from '../snapshot/load.ts';
import { type Scan, scanState } from '../snapshot/scan.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { streamFromSession } from './leased-session.ts';
import { type Row, type RowOptions, rowsOf, selectBatches, selectSql, type SelectOptions } from './select.ts';

/**
 * The rows, in no promised order, in batches of columns, of which only a bounded number is in memory at once. Vacuums of
 * this process leave the files alone meanwhile. A condition also leaves out files that can't hold a matching row. Nothing is read before the first batch is asked for;
 * a caller that leaves early must call `return()`, as `for await` does.
 *
 * Throws `invalid-data` for columns or a limit that can't be, `invalid-expression` for a condition that can't be used,
 * `aborted`, `corrupt-log`, `not-found` for a file that is gone, and `engine` when the engine has no SQL or a file can't
 * be read.
 */
export function readBatches(
  context: { readonly io: TableIo },
  state: TableState,
  options: RowOptions = {},
): AsyncGenerator<ColumnBatch, void, undefined> {
  const produce = async function* (session: SqlSession): AsyncGenerator<ColumnBatch, void, undefined> {
    const unpin = pin(context, { version: state.version, files: () => state.files.files() });
    let scan: Scan | undefined;
    try {
      scan = await scanWhere(context, state, { session, where: options.where });
      yield* selectBatches(session, { source: scan.sql, fields: state.schema.fields }, options);
    } finally {
      scan?.release();
      unpin();
    }
  };
  return streamFromSession(context.io.engine, produce, options.signal);
}

/** As {@link readBatches}, a row at a time, with the columns' names as the schema spells them. */
export async function* readRows(
  context: { readonly io: TableIo },
  state: TableState,
  options: RowOptions = {},
): AsyncGenerator<Row, void, undefined> {
  for await (const batch of readBatches(context, state, options)) yield* rowsOf(batch);
}

/**
 * The SELECT of the same rows, for any DuckDB connection whose time zone is UTC to run. It names the files of that
 * version, which stay readable until a vacuum removes them. Throws as {@link readBatches}, and `engine` for a remote
 * store, whose local copies someone has to let go of: there `Snapshot.scan` is what to use.
 */
export async function toSql(
  context: { readonly io: TableIo },
  state: TableState,
  options: SelectOptions = {},
): Promise<string> {
  if (!isLocal(context.io.store)) {
    throw new DeltaError({
      code: 'engine',
      message: 'the SQL of a table in a remote store would name copies that nobody lets go of',
      hint: 'Use snapshot.scan(), whose files stay until its release() is called.',
    });
  }
  return withSession(context.io.engine, async (session) => {
    const scan = await scanWhere(context, state, { session, where: options.where });
    return selectSql(session, { source: scan.sql, fields: state.schema.fields }, options);
  });
}

/** Of the files that may hold a row that matches. */
async function scanWhere(
  { io }: { readonly io: TableIo },
  state: TableState,
  { session, where }: { readonly session: SqlSession; readonly where: string | undefined },
): Promise<Scan> {
  const predicate = where === undefined ? undefined : await wherePredicate(session, state, where);
  return scanState(state, io, predicate === undefined ? {} : { predicate });
}
