/**
 * Makes found changes of rows: which files go, get a deletion vector, or are written anew, and what the change feed is
 * told.
 *
 * The rows that an operation affects are in a temporary table of "hits", one row for each:
 * - `_sluice_f` BIGINT: index into the operation's files; `_sluice_r` BIGINT: position in that file.
 * - `_sluice_clause` INTEGER: which of the operation's clauses applies, from 1.
 * - `_sluice_updates` BOOLEAN: whether the row is updated; otherwise it is deleted.
 * - `_sluice_new`, where an updated row is carried, and `_sluice_old`, with the change feed on: structs of the table's
 *   columns after and before the operation.
 *
 * Invariants:
 * - C1 every row of the table that is no hit is in exactly one file afterwards, unchanged; no deleted row comes back.
 * - C2 with the change feed on, a commit that holds more than insertions or removals of whole files describes all of its
 *   changes in files of the change feed (protocol: "Add CDC File").
 */
import { readDeletionVector, RowSet, writeDeletionVectors } from '../deletion-vectors/index.ts';
import { deletionVectorPath } from '../deletion-vectors/vector-store.ts';
import type { Action, AddFile, MetadataAction } from '../log/actions.ts';
import { removeOf } from '../maintenance/remove-of.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import type { StructType } from '../schema/types.ts';
import type { DataFiles } from '../write/data-files.ts';
import { movedHighWaterMarks } from '../write/identity.ts';
import { type WriteRules, writeRules } from '../write/prepare.ts';
import { type ChangeRows, tracksChanges, writeChangeFiles } from './change-files.ts';
import { withComputed } from './derived-columns.ts';
import { assertNoDuplicates } from './duplicate-matches.ts';
import { withVector } from './with-vector.ts';
import { writeNewRows } from './new-files.ts';
import { packed, unchangedValue, unpacked } from './relations.ts';
import type { Attempt } from './row-operation.ts';
import { type TouchedFile, touchedFiles, writesVectors } from './touched-files.ts';

export interface RowChanges {
  /** That the hits index. */
  readonly files: readonly AddFile[];
  /** That the table has after the operation. */
  readonly schema: StructType;
  /** The quoted name of the table of hits; undefined when there can't be any. */
  readonly hits?: string | undefined;
  /** Whether the hits carry their rows, or `updatedRows` has them; otherwise `updated` computes them. */
  readonly carried: boolean;
  /**
   * Gives a SELECT of the schema's columns of the updated rows, where no file has to be read for them; undefined where
   * `written` has them all.
   */
  readonly updatedRows?: (() => Promise<string | undefined>) | undefined;
  /**
   * How an updated row is computed where it isn't carried: the value of each column over the aliases `target` and `hit`
   * and those of `join`, a text that follows FROM.
   */
  readonly updated?: { readonly values: ReadonlyMap<string, string>; readonly join: string } | undefined;
  /** Files that hold the rows to add already, and the updated ones but for `updatedRows`. */
  readonly written?: DataFiles | undefined;
  /** Whether a row may be a hit more than once, which then throws `duplicate-match`. */
  readonly mayRepeat?: boolean | undefined;
  /** A SELECT of the schema's columns of rows to add. */
  readonly inserted?: string | undefined;
  /** Rows that a source has, each of which about one row is updated, deleted or added for. */
  readonly sourceRows?: number | undefined;
  /** Of the row as it was, in `updated`; default: `target`. */
  readonly targetAlias?: string | undefined;
  /** Where the operation changes it. */
  readonly metadata?: MetadataAction | undefined;
}

export interface AppliedChanges {
  readonly actions: readonly Action[];
  readonly counts: ChangeCounts;
}

export interface ChangeCounts {
  readonly rowsUpdated: number;
  readonly rowsDeleted: number;
  /** Updated and deleted rows by the number of the clause that applied to them. */
  readonly affectedByClause: ReadonlyMap<number, number>;
  readonly rowsInserted: number;
  /** Rows that were written anew as they were. */
  readonly rowsCopied: number;
  readonly filesAdded: number;
  readonly filesRemoved: number;
  readonly bytesAdded: number;
  readonly bytesRemoved: number;
  readonly vectorsAdded: number;
  readonly vectorsRemoved: number;
  readonly changeFilesAdded: number;
}

/** Whether an operation's hits should carry their rows: where the rows are needed apart from their files. */
export function carriesRows(attempt: Attempt): boolean {
  return writesVectors(attempt.state) || tracksChanges(attempt.state);
}

/**
 * The columns of hits that carry rows, as a text that goes on a SELECT over the alias of the row as it was; `newRow` is
 * the struct of an updated one, where that is carried.
 */
export function carriedColumns(
  attempt: Attempt,
  row: { schema: StructType; alias: string; newRow?: string | undefined },
): string {
  const { state } = attempt;
  const columns: string[] = [];
  if (row.newRow !== undefined) columns.push(`${row.newRow} AS "_sluice_new"`);
  if (tracksChanges(state)) {
    const old = packed(row.schema, (field) =>
      unchangedValue(field, { from: state.schema, alias: row.alias }),
    );
    columns.push(`${old} AS "_sluice_old"`);
  }
  return columns.map((column) => `, ${column}`).join('');
}

/** Writes what the changes need, and gives the actions that make them; no actions if nothing changes. */
export async function applyRowChanges(attempt: Attempt, changes: RowChanges): Promise<AppliedChanges> {
  const { hits, files } = changes;
  const touched = hits === undefined ? [] : await touchedFiles(attempt, { hits, files });
  attempt.report(
    'write',
    touched.length,
    touched.reduce((sum, { file }) => sum + file.size, 0),
  );
  const gone = touched.filter(({ fate }) => fate !== 'vector');
  const rowsUpdated = touched.reduce((sum, { updated }) => sum + updated, 0);
  const rowsCopied = touched
    .filter(({ fate }) => fate === 'rewrite')
    .reduce((sum, { live, affected }) => sum + live - affected, 0);
  // Readers take whole files that come and go for rows deleted and inserted.
  const isPlain = gone.length === touched.length && rowsCopied + rowsUpdated === 0;
  const isTold = !isPlain && tracksChanges(attempt.state);
  const rules = writeRules(attempt.state, { schema: changes.schema, kind: 'rewrite' });
  const made = isTold ? await madeRows(attempt, { changes, hasUpdates: rowsUpdated > 0, rules }) : undefined;
  const positions = await vectorPositions(attempt, changes, touched);
  if (changes.mayRepeat === true && hits !== undefined) {
    await assertNoDuplicates(attempt, { hits, touched, positions });
  }
  // Vectors are this thread's work, data the engine's. Both have ended before either's failure is told, so that all new
  // files are known by then.
  const [dataWrite, vectorWrite] = await Promise.allSettled([
    writeData(attempt, { changes, touched, rules, made }),
    vectorActions(attempt, touched, positions),
  ]);
  const [data, vectors] = [valueOf(dataWrite), valueOf(vectorWrite)];
  const newFiles = [changes.written, data].filter((files) => files !== undefined);
  const adds = newFiles.flatMap((files) => files.adds);
  const rowsMade = newFiles.reduce((sum, { rows }) => sum + rows, 0);
  const changeFiles = isTold ? await writeChangeFiles(attempt, changeRows(changes, made)) : [];
  const nowMs = attempt.context.now();
  const actions: Action[] = [
    ...gone.map(({ file }): Action => ({ remove: removeOf(file, { dataChange: true, nowMs }) })),
    ...vectors,
    ...adds.map((add): Action => ({ add })),
    ...changeFiles.map((cdc): Action => ({ cdc })),
  ];
  const rowsInserted = rowsMade - rowsCopied - rowsUpdated;
  const metadata = movedMetadata(attempt, changes, rowsInserted > 0 ? rowsMade : 0);
  return {
    actions: actions.length === 0 || metadata === undefined ? actions : [{ metaData: metadata }, ...actions],
    counts: {
      rowsUpdated,
      rowsDeleted: touched.reduce((sum, { affected, updated }) => sum + affected - updated, 0),
      rowsInserted,
      affectedByClause: byClause(touched),
      rowsCopied,
      filesAdded: adds.length,
      filesRemoved: gone.length,
      bytesAdded: newFiles.reduce((sum, { bytes }) => sum + bytes, 0),
      bytesRemoved: gone.reduce((sum, { file }) => sum + file.size, 0),
      vectorsAdded: touched.length - gone.length,
      vectorsRemoved: touched.filter(({ file }) => file.deletionVector).length,
      changeFilesAdded: changeFiles.length,
    },
  };
}

function byClause(touched: readonly TouchedFile[]): ReadonlyMap<number, number> {
  const total = new Map<number, number>();
  for (const file of touched) {
    for (const [clause, rows] of file.byClause) total.set(clause, (total.get(clause) ?? 0) + rows);
  }
  return total;
}

/** The table's metadata after the operation, where it is another: identity columns may have given values away. */
function movedMetadata(
  { state }: Attempt,
  { metadata, schema }: RowChanges,
  rowsNumbered: number,
): MetadataAction | undefined {
  const moved = movedHighWaterMarks({ metadata: metadata ?? state.metadata, schema }, rowsNumbered);
  return moved?.metadata ?? metadata;
}

/**
 * The rows that updates and insertions make, with all computed columns, as a table that data and change files are
 * written from alike.
 */
async function madeRows(
  attempt: Attempt,
  { changes, hasUpdates, rules }: { changes: RowChanges; hasUpdates: boolean; rules: WriteRules },
): Promise<string | undefined> {
  const parts: string[] = [];
  const updated = hasUpdates ? await updatedRows(changes) : undefined;
  if (updated !== undefined) parts.push(`SELECT *, 'update_postimage' AS "_change_type" FROM (${updated})`);
  if (changes.inserted !== undefined) {
    parts.push(`SELECT *, 'insert' AS "_change_type" FROM (${changes.inserted})`);
  }
  if (parts.length === 0) return undefined;
  const made = withComputed(parts.map((part) => `(${part})`).join(' UNION ALL '), {
    schema: changes.schema,
    computed: rules.computed,
  });
  await attempt.session.run(`CREATE OR REPLACE TEMPORARY TABLE "_sluice_made" AS ${made}`);
  return '"_sluice_made"';
}

/** The updated rows that the hits carry, or that are had without them; undefined where files hold them. */
async function updatedRows({ hits, schema, ...changes }: RowChanges): Promise<string | undefined> {
  if (changes.updatedRows !== undefined) return changes.updatedRows();
  return `SELECT ${unpacked(schema, '"_sluice_new"')} FROM ${hits} WHERE "_sluice_updates"`;
}

/** Writes all the rows that new files must hold; undefined if there are none. */
async function writeData(
  attempt: Attempt,
  write: {
    changes: RowChanges;
    touched: readonly TouchedFile[];
    rules: WriteRules;
    made: string | undefined;
  },
): Promise<DataFiles | undefined> {
  const { changes, touched, rules, made } = write;
  const parts: string[] = [];
  const rewritten = touched.filter(({ fate }) => fate === 'rewrite');
  if (!changes.carried) {
    const read = touched.filter(({ fate, updated }) => fate === 'rewrite' || updated > 0);
    if (read.length > 0) parts.push(await rewrittenRows(attempt, changes, read));
  } else if (rewritten.length > 0) parts.push(await copiedRows(attempt, changes, rewritten));
  if (made !== undefined) parts.push(`SELECT * EXCLUDE ("_change_type") FROM ${made}`);
  else {
    const hasUpdates = touched.some(({ updated }) => updated > 0);
    const updated = changes.carried && hasUpdates ? await updatedRows(changes) : undefined;
    if (updated !== undefined) parts.push(updated);
    if (changes.inserted !== undefined) parts.push(changes.inserted);
  }
  if (parts.length === 0) return undefined;
  return writeNewRows(attempt, {
    source: { kind: 'sql', sql: parts.map((part) => `(${part})`).join(' UNION ALL ') },
    schema: changes.schema,
    metadata: changes.metadata,
    rules: made === undefined ? rules : { ...rules, computed: {} },
    rowsExpected: expectedRows(changes, touched),
    bytes: touched.reduce((sum, { file, fate }) => sum + (fate === 'vector' ? 0 : file.size), 0),
  });
}

function expectedRows(
  { inserted, sourceRows }: RowChanges,
  touched: readonly TouchedFile[],
): number | undefined {
  if (inserted !== undefined && sourceRows === undefined) return undefined;
  const total = (rowsOf: (file: TouchedFile) => number): number =>
    touched.reduce((sum, file) => sum + rowsOf(file), 0);
  const copied = total(({ fate, live, affected }) => (fate === 'rewrite' ? live - affected : 0));
  const added = Math.max(0, (sourceRows ?? 0) - total(({ affected }) => affected));
  return copied + total(({ updated }) => updated) + (inserted === undefined ? 0 : added);
}

/** The rows of some files that are no hits, as they are. */
async function copiedRows(
  attempt: Attempt,
  changes: RowChanges,
  touched: readonly TouchedFile[],
): Promise<string> {
  const { scan, hits } = await scanWithHits(attempt, changes, touched);
  const columns = changes.schema.fields.map(
    (field) =>
      `${unchangedValue(field, { from: attempt.state.schema, alias: 'target' })} AS ${quoteIdentifier(field.name)}`,
  );
  return (
    `SELECT ${columns.join(', ')} FROM (${scan}) AS "target" ANTI JOIN ${hits} AS "hit" ` +
    `ON "target"."_sluice_file" = "hit"."_sluice_at" AND "target"."_sluice_row" = "hit"."_sluice_r"`
  );
}

/** The rows of some files after the operation: those that are no hits as they are, the updated ones computed. */
async function rewrittenRows(
  attempt: Attempt,
  changes: RowChanges,
  touched: readonly TouchedFile[],
): Promise<string> {
  const { scan, hits } = await scanWithHits(attempt, changes, touched);
  const alias = changes.targetAlias ?? 'target';
  const target = quoteIdentifier(alias);
  const columns = changes.schema.fields.map((field) => {
    const same = unchangedValue(field, { from: attempt.state.schema, alias });
    const value = changes.updated?.values.get(field.name);
    const computed =
      value === undefined || value === same
        ? same
        : `CASE WHEN "hit"."_sluice_updates" THEN ${value} ELSE ${same} END`;
    return `${computed} AS ${quoteIdentifier(field.name)}`;
  });
  return (
    `SELECT ${columns.join(', ')} FROM (${scan}) AS ${target} LEFT JOIN ${hits} AS "hit" ` +
    `ON ${target}."_sluice_file" = "hit"."_sluice_at" AND ${target}."_sluice_row" = "hit"."_sluice_r" ` +
    `${changes.updated?.join ?? ''} WHERE "hit"."_sluice_r" IS NULL OR "hit"."_sluice_updates"`
  );
}

/** A scan of some files, and the hits in them with `_sluice_at` as the index into that scan. */
async function scanWithHits(
  attempt: Attempt,
  { hits }: RowChanges,
  touched: readonly TouchedFile[],
): Promise<{ scan: string; hits: string }> {
  const files = touched.map(({ file }) => file);
  const scan = await attempt.scan(files);
  const places = touched.map(({ at }, index) => `(${index}, ${at})`);
  return {
    scan,
    hits:
      `(SELECT CAST("_sluice_p"."_sluice_at" AS BIGINT) AS "_sluice_at", "_sluice_h".* EXCLUDE ("_sluice_f") FROM ${hits} AS "_sluice_h" ` +
      `JOIN (VALUES ${places.join(', ')}) AS "_sluice_p"("_sluice_at", "_sluice_of") ` +
      `ON "_sluice_h"."_sluice_f" = "_sluice_p"."_sluice_of")`,
  };
}

function valueOf<Value>(result: PromiseSettledResult<Value>): Value {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** Where the hits are in the files that get a vector, by index of the file. */
async function vectorPositions(
  { session }: Attempt,
  { hits }: RowChanges,
  touched: readonly TouchedFile[],
): Promise<ReadonlyMap<number, RowSet>> {
  const marked = touched.filter(({ fate }) => fate === 'vector');
  if (hits === undefined || marked.length === 0) return new Map();
  const places = marked.map(({ at }) => at).join(', ');
  const blocks = await session.positions(
    `SELECT "_sluice_f", "_sluice_r" FROM ${hits} WHERE "_sluice_f" IN (${places})`,
  );
  return new Map([...blocks].map(([at, own]) => [at, RowSet.fromPositionBlocks(own)]));
}

/** Vectors of positions, joined with those that the files had, as removals and additions of the same files. */
async function vectorActions(
  { context, newPaths }: Attempt,
  touched: readonly TouchedFile[],
  positions: ReadonlyMap<number, RowSet>,
): Promise<Action[]> {
  const marked = touched.filter(({ fate }) => fate === 'vector');
  if (marked.length === 0) return [];
  const sets: RowSet[] = [];
  for (const { at, file } of marked) {
    const added = positions.get(at) ?? RowSet.EMPTY;
    const before = file.deletionVector
      ? await readDeletionVector(context.io, file.deletionVector)
      : RowSet.EMPTY;
    sets.push(before.union(added));
  }
  const descriptors = await writeDeletionVectors(context.io, sets, context.uuid);
  const nowMs = context.now();
  return marked.flatMap(({ file, physical }, index): Action[] => {
    const vector = descriptors[index] as (typeof descriptors)[number];
    const path = deletionVectorPath(context.io, vector);
    if (path !== undefined && !newPaths.includes(path)) newPaths.push(path);
    return [
      { remove: removeOf(file, { dataChange: true, nowMs }) },
      { add: withVector(file, { vector, rows: physical }) },
    ];
  });
}

function changeRows({ hits, schema, metadata }: RowChanges, made: string | undefined): ChangeRows {
  const parts: string[] = [];
  if (hits !== undefined) {
    const type = `CASE WHEN "_sluice_updates" THEN 'update_preimage' ELSE 'delete' END`;
    parts.push(`SELECT ${unpacked(schema, '"_sluice_old"')}, ${type} AS "_change_type" FROM ${hits}`);
  }
  if (made !== undefined) parts.push(`SELECT * FROM ${made}`);
  return { schema, metadata, sql: parts.map((part) => `(${part})`).join(' UNION ALL ') };
}
