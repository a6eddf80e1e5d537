/** Finds the rows that a merge affects. */
import type { AddFile } from '../log/actions.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { tracksChanges } from './change-files.ts';
import {
  clauseNumber,
  type CompiledClause,
  insertedRows,
  type MergePlan,
  updatedStruct,
  updatingNumbers,
} from './merge-clauses.ts';
import { carriedColumns, carriesRows } from './row-changes.ts';
import type { Attempt } from './row-operation.ts';

/** What a merge reads of the table. */
export interface MergeFiles {
  /** That may hold matching rows first, then the others. */
  readonly all: readonly AddFile[];
  readonly candidates: number;
}

export interface MergeRows {
  /** As in row-changes.ts; undefined where no row of the table can be affected. */
  readonly hits?: string;
  /** As in row-changes.ts. */
  readonly mayRepeat?: boolean;
  readonly inserted?: string;
}

const PAIRS = '"_sluice_pairs"';
const HITS = '"_sluice_hits"';
const INSERTS = '"_sluice_inserts"';

/** Pairs of matching rows, and what follows from them. */
export async function findMergeRows(
  attempt: Attempt,
  plan: MergePlan,
  files: MergeFiles,
): Promise<MergeRows> {
  if (plan.matched.length + plan.bySource.length === 0) {
    return { inserted: await insertedWithoutPairs(attempt, plan, files) };
  }
  await findPairs(attempt, plan, files);
  if (plan.bySource.length > 0) await addUnmatchedRows(attempt, plan, files);
  const hits = await hitsOf(attempt, plan);
  const inserted = await insertedRowsOf(attempt, plan);
  return { ...hits, ...(inserted === undefined ? {} : { inserted }) };
}

/** A merge that only inserts reads the columns of its condition and writes no table of pairs. */
async function insertedWithoutPairs(attempt: Attempt, plan: MergePlan, files: MergeFiles): Promise<string> {
  const source = `${plan.sourceRows.relation} AS ${quoteIdentifier(plan.sourceAlias)}`;
  if (files.candidates === 0) return insertedRows(plan, source);
  const target = `(${await attempt.scan(files.all.slice(0, files.candidates))}) AS ${quoteIdentifier(plan.targetAlias)}`;
  return insertedRows(plan, `${source} ANTI JOIN ${target} ON ${plan.on.sql}`);
}

async function findPairs(attempt: Attempt, plan: MergePlan, files: MergeFiles): Promise<void> {
  const scan = await attempt.scan(files.all.slice(0, files.candidates));
  const [target, source] = [quoteIdentifier(plan.targetAlias), quoteIdentifier(plan.sourceAlias)];
  const needsAll = plan.inserts.length + plan.bySource.length > 0;
  await attempt.session.run(
    `CREATE OR REPLACE TEMPORARY TABLE ${PAIRS} AS SELECT ${hitColumns(attempt, plan, plan.matched)}, ` +
      `${source}."_sluice_s" AS "_sluice_s" FROM (${scan}) AS ${target} ` +
      `JOIN ${plan.sourceRows.relation} AS ${source} ON ${plan.on.sql}${needsAll ? '' : ' WHERE "_sluice_clause" > 0'}`,
  );
}

/**
 * Whether updated rows are computed with the hits, or from the source alone. Values for rows without a match are over the
 * table alone, so that names in them may be ambiguous once the source is joined to it.
 */
export function carriesMerged(attempt: Attempt, plan: MergePlan): boolean {
  return carriesRows(attempt) || plan.bySource.some(({ values }) => values !== undefined);
}

/** The columns of a hit, for the clauses that may apply to it. */
function hitColumns(attempt: Attempt, plan: MergePlan, clauses: readonly CompiledClause[]): string {
  const updating = updatingNumbers(plan);
  const isCarried = updating.length > 0 && carriesMerged(attempt, plan) && !plan.updatesFromSource;
  const newRow = isCarried ? updatedStruct(clauses, plan, attempt.state.schema) : undefined;
  const target = quoteIdentifier(plan.targetAlias);
  return (
    `${target}."_sluice_file" AS "_sluice_f", ${target}."_sluice_row" AS "_sluice_r", ` +
    `${clauseNumber(clauses)} AS "_sluice_clause", ` +
    `${updating.length === 0 ? 'false' : `"_sluice_clause" IN (${updating.join(', ')})`} AS "_sluice_updates"` +
    carriedColumns(attempt, { schema: plan.schema, alias: plan.targetAlias, newRow })
  );
}

/** The pairs in which a clause applies. */
async function hitsOf(attempt: Attempt, plan: MergePlan): Promise<Pick<MergeRows, 'hits' | 'mayRepeat'>> {
  const applied = `SELECT * FROM ${PAIRS} WHERE "_sluice_clause" > 0`;
  const [only, ...others] = plan.matched;
  if (others.length > 0 || only?.kind !== 'matched-delete' || !only.isUnconditional) {
    return { hits: `(${applied})`, mayRepeat: true };
  }
  // Deleted once, whatever the number of matches; the pairs stay, since each row of the source has found its match.
  await attempt.session.run(
    `CREATE OR REPLACE TEMPORARY TABLE ${HITS} AS ` +
      `SELECT DISTINCT ON ("_sluice_f", "_sluice_r") * FROM (${applied})`,
  );
  return { hits: HITS, mayRepeat: false };
}

/** Adds the rows of the table that no row of the source matches, and to which a clause applies. */
async function addUnmatchedRows(attempt: Attempt, plan: MergePlan, files: MergeFiles): Promise<void> {
  const scan = await attempt.scan(files.all);
  const target = quoteIdentifier(plan.targetAlias);
  const select =
    `SELECT ${hitColumns(attempt, plan, plan.bySource)}, CAST(NULL AS BIGINT) AS "_sluice_s" FROM (${scan}) AS ${target} ` +
    `ANTI JOIN ${PAIRS} AS "_sluice_p" ON ${target}."_sluice_file" = "_sluice_p"."_sluice_f" ` +
    `AND ${target}."_sluice_row" = "_sluice_p"."_sluice_r" WHERE "_sluice_clause" > 0`;
  await attempt.session.run(`INSERT INTO ${PAIRS} BY NAME ${select}`);
}

async function insertedRowsOf(attempt: Attempt, plan: MergePlan): Promise<string | undefined> {
  if (plan.inserts.length === 0) return undefined;
  const source = quoteIdentifier(plan.sourceAlias);
  const from =
    `${plan.sourceRows.relation} AS ${source} ANTI JOIN (SELECT "_sluice_s" FROM ${PAIRS}) AS "_sluice_m" ` +
    `ON ${source}."_sluice_s" = "_sluice_m"."_sluice_s"`;
  const select = insertedRows(plan, from);
  if (!tracksChanges(attempt.state)) return select;
  // The rows are needed twice, and must be the same both times.
  await attempt.session.run(`CREATE OR REPLACE TEMPORARY TABLE ${INSERTS} AS ${select}`);
  return `SELECT * FROM ${INSERTS}`;
}
