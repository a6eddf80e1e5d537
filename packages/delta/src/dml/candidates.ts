/** Which files an operation with a condition has to look into. */
import { mappingMode, physicalName } from '../column-mapping/index.ts';
import type { AddFile } from '../log/actions.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { partitionConstant } from '../schema/partition-value.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { StructField } from '../schema/types.ts';
import { tableColumns } from '../skip/file-facts.ts';
import { type FileTest, filesTest } from '../skip/prune.ts';
import { wherePredicate } from '../skip/where.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { CheckedExpression } from './expression.ts';
import { fieldNamed } from './relations.ts';
import type { Attempt } from './row-operation.ts';

/** What a condition is over; the alias that it may qualify columns by. */
export const TARGET_ALIAS = 'target';

/** Files that may hold matching rows, with the test that found them. */
export async function candidateFiles(
  attempt: Attempt,
  where: string,
): Promise<{ files: AddFile[]; mayMatch: FileTest }> {
  const { session, state } = attempt;
  const predicate = await wherePredicate(session, state, where, { alias: TARGET_ALIAS });
  const tests = filesTest(predicate, tableColumns(state));
  return { files: [...state.files.matching(tests)].flat(), mayMatch: tests.file };
}

/** Whether a condition looks at partition columns only, so that it is true for all rows of a file or for none. */
export function isOverPartitions(
  condition: CheckedExpression,
  state: TableState,
  alias = TARGET_ALIAS,
): boolean {
  const { partitionColumns } = state.metadata;
  const isPartition = (name: string): boolean => {
    const field = fieldNamed(state.schema, name);
    return field !== undefined && partitionColumns.includes(field.name);
  };
  return condition.columns.every((names) => {
    const [first = '', second] = names;
    if (names.length === 1) return isPartition(first);
    // A column named as the alias would be meant instead of it.
    const isQualified =
      first.toLowerCase() === alias.toLowerCase() && fieldNamed(state.schema, first) === undefined;
    return names.length === 2 && isQualified && isPartition(second ?? '');
  });
}

/** The files of whose rows such a condition is true. */
export async function filesByPartition(
  attempt: Attempt,
  condition: CheckedExpression,
  alias = TARGET_ALIAS,
): Promise<AddFile[]> {
  const { session, state } = attempt;
  const { partitionColumns } = state.metadata;
  const fields = state.schema.fields.filter(({ name }) => partitionColumns.includes(name));
  const groups = new Map<string, AddFile[]>();
  for (const file of state.files.files()) {
    const key = JSON.stringify(fields.map((field) => partitionText(file, field, state)));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  if (groups.size === 0) return [];
  const all = [...groups.values()];
  const values = all.map(([file], at) => {
    const constants = fields.map((field) =>
      partitionConstant(partitionText(file as AddFile, field, state), field.type),
    );
    return `(${[at, ...constants].join(', ')})`;
  });
  const names = ['_sluice_at', ...fields.map(({ name }) => name)].map(quoteIdentifier);
  const typed = fields.map(
    ({ name, type }) => `CAST(${quoteIdentifier(name)} AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`,
  );
  const rows = await session.rows(
    `SELECT "_sluice_at" FROM (SELECT ${['"_sluice_at"', ...typed].join(', ')} FROM (VALUES ${values.join(', ')}) AS "v"(${names.join(', ')})) AS ${quoteIdentifier(alias)} ` +
      `WHERE ${condition.sql} ORDER BY 1`,
  );
  return rows.flatMap(([at]) => all[Number(at)] ?? []);
}

/** A file's value of a partition column, as the log has it. */
function partitionText(file: AddFile, field: StructField, state: TableState): string | null {
  return file.partitionValues[physicalName(field, mappingMode(state))] ?? null;
}
