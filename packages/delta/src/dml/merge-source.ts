/** The source of a merge as a temporary table. */
import type { RowSource } from '../engine.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { deltaTypeFromDuckDb } from '../schema/duckdb-types.ts';
import type { DataType, StructType } from '../schema/types.ts';
import { assertNoOwnColumns } from './relations.ts';
import type { Attempt } from './row-operation.ts';

export interface MergeSource {
  readonly columns: readonly SourceColumn[];
  /** The text after FROM, without an alias: the columns, and `_sluice_s`, which numbers the rows. */
  readonly relation: string;
  /** The columns alone, without rows. */
  readonly empty: string;
  readonly rows: number;
}

export interface SourceColumn {
  readonly name: string;
  /** In DuckDB's words. */
  readonly sqlType: string;
  /** Undefined for a type that Delta lacks, such as the HUGEINT of a sum, which can still be cast. */
  readonly type: DataType | undefined;
}

/** Reads the source once, so that every statement of the attempt sees the same rows. */
export async function loadMergeSource(
  attempt: Attempt,
  { source, schema }: { source: RowSource; schema: StructType | undefined },
): Promise<MergeSource> {
  const { session, state } = attempt;
  let table = '"_sluice_source"';
  if (source.kind === 'sql' && schema === undefined) {
    await session.run(`CREATE OR REPLACE TEMPORARY TABLE ${table} AS ${source.sql}`);
  } else table = await session.load(source, schema ?? state.schema);
  const described = await session.rows(`DESCRIBE SELECT * FROM ${table}`);
  const columns = described.map((row): SourceColumn => {
    const sqlType = String(row[1]);
    return { name: String(row[0]), sqlType, type: typeOrNone(sqlType) };
  });
  assertNoOwnColumns({
    type: 'struct',
    fields: columns.map(({ name }) => ({ name, type: 'string', nullable: true, metadata: {} })),
  });
  if (columns.some(({ name }) => name.toLowerCase() === 'rowid')) {
    const numbered = `SELECT *, row_number() OVER () AS "_sluice_s" FROM ${table}`;
    await session.run(`CREATE OR REPLACE TEMPORARY TABLE "_sluice_numbered" AS ${numbered}`);
    table = '"_sluice_numbered"';
  }
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  const number = table === '"_sluice_numbered"' ? '"_sluice_s"' : 'rowid AS "_sluice_s"';
  const [count] = await session.rows(`SELECT count(*) FROM ${table}`);
  return {
    columns,
    relation: `(SELECT ${names}, ${number} FROM ${table})`,
    empty: `(SELECT ${names} FROM ${table} LIMIT 0)`,
    rows: Number(count?.[0] ?? 0),
  };
}

function typeOrNone(sqlType: string): DataType | undefined {
  try {
    return deltaTypeFromDuckDb(sqlType);
  } catch {
    return undefined;
  }
}
