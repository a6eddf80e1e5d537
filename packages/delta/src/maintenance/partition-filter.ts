import type { SqlSession } from '../engine.ts';
import { DeltaError, isDeltaError, messageOf } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { partitionConstant } from '../schema/partition-value.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { partitionKey } from './optimize/bins.ts';
import { partitionFields } from './partition-names.ts';

/** Combinations of partition values that one statement names. */
const VALUES_PER_STATEMENT = 1_000;

/**
 * The files in partitions for which a condition of DuckDB is true. Throws `invalid-expression` for one that needs more
 * than the partition columns, or that DuckDB can't evaluate.
 */
export async function filesWhere(
  session: Pick<SqlSession, 'rows'>,
  state: Pick<TableState, 'schema' | 'metadata' | 'files'>,
  where: string,
): Promise<AddFile[]> {
  const fields = partitionFields(state);
  if (fields.length === 0) {
    throw refused(where, 'the table has no partition columns');
  }
  const groups = new Map<string, AddFile[]>();
  for (const file of state.files.files()) {
    const key = partitionKey(file.partitionValues);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  const all = [...groups.values()];
  const names = ['"_sluice_at"', ...fields.map(({ field }) => quoteIdentifier(field.name))];
  const found: AddFile[] = [];
  for (let from = 0; from < all.length; from += VALUES_PER_STATEMENT) {
    const tuples = all.slice(from, from + VALUES_PER_STATEMENT).map((group, at) => {
      const values = group[0]?.partitionValues ?? {};
      const constants = fields.map(({ field, key }) => partitionConstant(values[key], field.type));
      return `(${[String(from + at), ...constants].join(', ')})`;
    });
    const sql = `SELECT "_sluice_at" FROM (VALUES ${tuples.join(', ')}) AS p (${names.join(', ')}) WHERE (${where}\n)`;
    for (const [at] of await evaluated(session, { sql, where })) found.push(...(all[Number(at)] ?? []));
  }
  return found;
}

async function evaluated(
  session: Pick<SqlSession, 'rows'>,
  { sql, where }: { sql: string; where: string },
): Promise<unknown[][]> {
  try {
    return await session.rows(sql);
  } catch (error) {
    if (isDeltaError(error, 'engine') || isDeltaError(error, 'invalid-data')) {
      throw refused(where, messageOf(error), error);
    }
    throw error;
  }
}

function refused(where: string, why: string, cause?: unknown): DeltaError {
  return new DeltaError({
    code: 'invalid-expression',
    message: `the condition "${where}" can't choose partitions: ${why}`,
    hint: 'Use partition columns only: whole partitions are rewritten.',
    cause,
  });
}
