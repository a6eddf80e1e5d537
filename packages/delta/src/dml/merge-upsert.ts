/**
 * The merge that most are: matching rows are replaced by the source's, the others are added. Whatever matches, each row
 * of the source makes one row of the table, so that the new file is written before the table is looked at, and its keys
 * are read from there: the source needs no temporary table, and no join picks its rows.
 */
import type { AddFile } from '../log/actions.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { isLocal } from '../store/object-store.ts';
import type { DataFiles } from '../write/data-files.ts';
import { writeRules } from '../write/prepare.ts';
import { type CompiledMerge, insertedRows, type MergePlan } from './merge-clauses.ts';
import { resolve, sourceColumn } from './merge-prune.ts';
import type { MergeRequest } from './merge-request.ts';
import type { SourceRows } from './merge-source.ts';
import { writeNewRows } from './new-files.ts';
import { fieldNamed } from './relations.ts';
import type { Attempt } from './row-operation.ts';
import { writesVectors } from './touched-files.ts';

export interface WrittenUpsert {
  readonly data: DataFiles;
  /** The columns of the source that the condition looks at, read back. */
  readonly rows: SourceRows;
  /** Those rows of the source again that match more than one row of the table; undefined where none does. */
  repeatedRows(hits: string): Promise<string | undefined>;
}

/** Below it, an estimate that is far too low would make row groups that are far too small. */
const ROWS_EXPECTED_MIN = 100_000;
/** Rows of one file for which numbers are unique; a row group alone is far below. */
const FILE_ROWS_MAX = 2 ** 40;

/** Whether a merge is one whose rows can be written first, and its condition be decided from them. */
export function isUpsert(attempt: Attempt, merge: CompiledMerge, { clauses }: MergeRequest): boolean {
  const { matched, inserts, bySource, schema } = merge;
  const [update, insert] = [matched[0], inserts[0]];
  const isAll = clauses.every(
    (clause) =>
      (clause.kind === 'matched-update' && clause.set === 'all') ||
      (clause.kind === 'insert' && clause.values === 'all'),
  );
  if (!isAll || matched.length !== 1 || inserts.length !== 1 || bySource.length > 0) return false;
  const isWhole = update?.isUnconditional === true && insert?.isUnconditional === true;
  if (!isWhole || !merge.updatesFromSource || merge.source.sql === undefined) return false;
  const isSame = schema.fields.every(
    ({ name, type }) =>
      update.values?.get(name) === (insert.values?.get(name) ?? `CAST(NULL AS ${duckDbType(type)})`),
  );
  // A remote store would have to be read at once; without vectors, rows that stay share a file with those that are new.
  const { store } = attempt.context.io;
  return isSame && isLocal(store) && writesVectors(attempt.state) && keepsKeys(attempt, merge);
}

/** Whether the condition sees the same values in the new rows as in the source's. */
function keepsKeys(attempt: Attempt, merge: CompiledMerge): boolean {
  const { state } = attempt;
  return merge.on.columns.every((names) => {
    const reference = resolve(names, merge, attempt);
    if (reference?.side !== 'source') return reference?.side === 'target';
    const [name = '', ...members] = reference.path;
    const column = members.length === 0 ? sourceColumn(name, merge) : undefined;
    const field = column === undefined ? undefined : fieldNamed(state.schema, column.name);
    return (
      field !== undefined &&
      duckDbType(field.type) === column?.sqlType &&
      // An empty text would come back as NULL.
      !state.metadata.partitionColumns.includes(field.name)
    );
  });
}

/** The rows that such a merge replaces, as hits (see row-changes.ts); nothing of them has to be kept but their places. */
export async function replacedRows(
  attempt: Attempt,
  plan: MergePlan,
  candidates: readonly AddFile[],
): Promise<string> {
  const scan = await attempt.scan(candidates);
  const [target, source] = [quoteIdentifier(plan.targetAlias), quoteIdentifier(plan.sourceAlias)];
  await attempt.session.run(
    `CREATE OR REPLACE TEMPORARY TABLE "_sluice_replaced" AS SELECT ${target}."_sluice_file" AS "_sluice_f", ` +
      `${target}."_sluice_row" AS "_sluice_r", ${source}."_sluice_s" AS "_sluice_s" FROM (${scan}) AS ${target} ` +
      `JOIN ${plan.sourceRows.relation} AS ${source} ON ${plan.on.sql}`,
  );
  const clause = plan.matched[0]?.number;
  return `(SELECT *, ${clause} AS "_sluice_clause", true AS "_sluice_updates" FROM "_sluice_replaced")`;
}

/** Writes the rows of such a merge. Throws as a write does for rows that the table forbids. */
export async function writeUpsert(attempt: Attempt, merge: CompiledMerge): Promise<WrittenUpsert> {
  const { source, schema, sourceAlias } = merge;
  const sql = insertedRows(merge, `(${source.sql}\n) AS ${quoteIdentifier(sourceAlias)}`);
  const data = await writeNewRows(attempt, {
    source: { kind: 'sql', sql },
    schema,
    rowsExpected: Math.max(ROWS_EXPECTED_MIN, await attempt.session.estimatedRows(sql)),
    rules: writeRules(attempt.state, { schema, kind: 'rewrite' }),
  });
  const scan = await attempt.scan(data.adds);
  const fields = schema.fields.map(({ name }) => quoteIdentifier(name));
  const known = source.columns.filter(({ name }) => fieldNamed(schema, name) !== undefined);
  const columns = known.map(({ name }) => quoteIdentifier(name));
  const number = `"_sluice_file" * ${FILE_ROWS_MAX} + "_sluice_row" AS "_sluice_s"`;
  return {
    data,
    rows: { relation: `(SELECT ${[...columns, number].join(', ')} FROM (${scan}))`, count: data.rows },
    repeatedRows: async (hits) => {
      const [row] = await attempt.session.rows(`SELECT count(*) > count(DISTINCT "_sluice_s") FROM ${hits}`);
      if (row?.[0] !== true) return undefined;
      const again = `SELECT "_sluice_s" FROM ${hits} QUALIFY row_number() OVER (PARTITION BY "_sluice_s") > 1`;
      return (
        `SELECT ${fields.join(', ')} FROM (SELECT *, ${number} FROM (${scan})) AS "_sluice_new" ` +
        `JOIN (${again}) AS "_sluice_again" ON "_sluice_new"."_sluice_s" = "_sluice_again"."_sluice_s"`
      );
    },
  };
}
