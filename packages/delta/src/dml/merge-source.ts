/** The source of a merge: its columns, and its rows as a relation that gives the same ones each time. */
import type { RowSource } from '../engine.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { deltaTypeFromDuckDb } from '../schema/duckdb-types.ts';
import type { DataType, StructType } from '../schema/types.ts';
import { assertNoOwnColumns } from './relations.ts';
import type { Attempt } from './row-operation.ts';

export interface MergeSource {
  readonly columns: readonly SourceColumn[];
  /** The columns alone, without rows; what follows FROM, without an alias. */
  readonly empty: string;
  /** A SELECT that was not run yet; undefined where the rows have been loaded. */
  readonly sql: string | undefined;
  /** Makes the rows a temporary table; at most one call. */
  readonly load: () => Promise<SourceRows>;
}

export interface SourceColumn {
  readonly name: string;
  /** In DuckDB's words. */
  readonly sqlType: string;
  /** Undefined for a type that Delta lacks, such as the HUGEINT of a sum, which can still be cast. */
  readonly type: DataType | undefined;
}

/** Rows that were read once, so that every statement of the attempt sees the same. */
export interface SourceRows {
  /** What follows FROM, without an alias: the columns, and `_sluice_s`, a BIGINT that is another for each row. */
  readonly relation: string;
  readonly count: number;
}

const TABLE = '"_sluice_source"';

/** Looks at the source's columns. The rows of an SQL source wait until they are asked for. */
export async function openMergeSource(
  attempt: Attempt,
  { source, schema }: { source: RowSource; schema: StructType | undefined },
): Promise<MergeSource> {
  const { session, state } = attempt;
  const isWaiting = source.kind === 'sql' && schema === undefined;
  const rows = isWaiting
    ? `(${source.sql}\n) AS "_sluice_q"`
    : await session.load(source, schema ?? state.schema);
  const described = await session.rows(`DESCRIBE SELECT * FROM ${rows}`);
  const columns = described.map(([name, type]): SourceColumn => {
    // As in a table, where a column has to have some type.
    const sqlType = type === '"NULL"' ? 'INTEGER' : String(type);
    return { name: String(name), sqlType, type: typeOrNone(sqlType) };
  });
  assertNoOwnColumns({
    type: 'struct',
    fields: columns.map(({ name }) => ({ name, type: 'string', nullable: true, metadata: {} })),
  });
  const nulls = columns.map(({ name, sqlType }) => `CAST(NULL AS ${sqlType}) AS ${quoteIdentifier(name)}`);
  return {
    columns,
    empty: `(SELECT ${nulls.join(', ')} LIMIT 0)`,
    sql: isWaiting ? source.sql : undefined,
    load: async () => {
      if (!isWaiting) return numbered(attempt, columns, rows);
      await session.run(`CREATE OR REPLACE TEMPORARY TABLE ${TABLE} AS SELECT * FROM ${rows}`);
      return numbered(attempt, columns, TABLE);
    },
  };
}

async function numbered(
  { session }: Attempt,
  columns: readonly SourceColumn[],
  loaded: string,
): Promise<SourceRows> {
  let [table, number] = [loaded, 'rowid AS "_sluice_s"'];
  if (columns.some(({ name }) => name.toLowerCase() === 'rowid')) {
    [table, number] = ['"_sluice_numbered"', '"_sluice_s"'];
    const select = `SELECT *, row_number() OVER () AS "_sluice_s" FROM ${loaded}`;
    await session.run(`CREATE OR REPLACE TEMPORARY TABLE ${table} AS ${select}`);
  }
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  const [count] = await session.rows(`SELECT count(*) FROM ${table}`);
  return { relation: `(SELECT ${names}, ${number} FROM ${table})`, count: Number(count?.[0] ?? 0) };
}

function typeOrNone(sqlType: string): DataType | undefined {
  try {
    return deltaTypeFromDuckDb(sqlType);
  } catch {
    return undefined;
  }
}
