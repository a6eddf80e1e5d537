/** What the footers of Parquet files say, without a look at their rows. */
import type { LeafStatistics, SqlSession } from '../../engine.ts';
import { DeltaError, messageOf } from '../../errors.ts';
import { quotePath, quoteText } from '../../scan/quote.ts';
import { deltaTypeFromDuckDb, duckDbType } from '../../schema/duckdb-types.ts';
import { type DataType, field, sameType, type StructField, type StructType } from '../../schema/types.ts';

export interface ParquetFooter {
  readonly rows: number;
  readonly columns: readonly LeafStatistics[];
}

/**
 * The columns of the files, in the order in which they first appear: all nullable. Throws `invalid-schema` for a
 * column that has different types in different files, naming both, `unsupported-type`, and `engine` for a file that is
 * no Parquet file.
 */
export async function mergedSchema(
  session: Pick<SqlSession, 'rows'>,
  files: readonly { readonly path: string; readonly local: string }[],
): Promise<StructType> {
  const fields: StructField[] = [];
  const origin = new Map<string, string>();
  for (const file of await oneOfEachShape(session, files)) {
    const described = await session.rows(`DESCRIBE SELECT * FROM ${readParquet([file.local])}`);
    const instants = await int96Columns(session, file.local);
    for (const [name, text] of described) {
      const type = asInstant(deltaTypeFromDuckDb(String(text)), instants.has(String(name)));
      const at = fields.findIndex((known) => known.name.toLowerCase() === String(name).toLowerCase());
      const known = fields[at];
      if (known === undefined) {
        fields.push(field(String(name), type));
        origin.set(String(name), file.path);
      } else if (known.name !== name || !sameType(known.type, type)) {
        throw new DeltaError({
          code: 'invalid-schema',
          message:
            `the column "${String(name)}" is ${duckDbType(type)} in "${file.path}", ` +
            `but "${known.name}" is ${duckDbType(known.type)} in "${origin.get(known.name)}"`,
          hint: 'Convert the folders apart, or rewrite the files that differ.',
        });
      }
    }
  }
  return { type: 'struct', fields };
}

/** Rows and, where the footers keep them, bounds and nulls of each file, in their order. */
export async function readFooters(
  session: Pick<SqlSession, 'rows'>,
  files: readonly string[],
  schema: StructType,
): Promise<ParquetFooter[]> {
  const list = `[${files.map((file) => quotePath(file)).join(', ')}]`;
  const counts = await session.rows(`SELECT file_name, num_rows FROM parquet_file_metadata(${list})`);
  const rows = new Map(counts.map(([name, count]) => [String(name), Number(count)]));
  const columns = new Map<string, LeafStatistics[]>();
  for (const leaf of toldApart(leavesOf(schema.fields, []))) {
    for (const [name, nulls, min, max] of await session.rows(boundsSql(list, leaf))) {
      const known = columns.get(String(name)) ?? [];
      known.push({
        path: leaf.path,
        nullCount: Number(nulls),
        ...(typeof min === 'string' ? { min } : {}),
        ...(typeof max === 'string' ? { max } : {}),
      });
      columns.set(String(name), known);
    }
  }
  return files.map((file) => {
    const count = rows.get(file);
    if (count === undefined)
      throw new DeltaError({ code: 'engine', message: `the footer of "${file}" can't be read` });
    return { rows: count, columns: columns.get(file) ?? [] };
  });
}

function readParquet(files: readonly string[]): string {
  return `read_parquet([${files.map((file) => quotePath(file)).join(', ')}], hive_partitioning = false)`;
}

/** Files with distinct columns, so that folders of many alike cost one look each. */
async function oneOfEachShape(
  session: Pick<SqlSession, 'rows'>,
  files: readonly { readonly path: string; readonly local: string }[],
): Promise<{ path: string; local: string }[]> {
  const list = `[${files.map(({ local }) => quotePath(local)).join(', ')}]`;
  const shape = `concat_ws('|', name, type, coalesce(duckdb_type, ''), coalesce(converted_type, ''), coalesce(num_children, -1))`;
  const sql = `SELECT min(file_name) FROM (SELECT file_name, string_agg(${shape}, '/' ORDER BY column_id) AS shape FROM parquet_schema(${list}) GROUP BY 1) GROUP BY shape`;
  try {
    const shapes = new Set((await session.rows(sql)).map(([name]) => String(name)));
    return files.filter(({ local }) => shapes.has(local));
  } catch (cause) {
    throw new DeltaError({
      code: 'engine',
      message: `not every file is a Parquet file: ${messageOf(cause)}`,
      cause,
    });
  }
}

/** Top-level columns of the old 96-bit timestamps: Spark wrote instants in them, with nothing that says so. */
async function int96Columns(session: Pick<SqlSession, 'rows'>, file: string): Promise<ReadonlySet<string>> {
  const rows = await session.rows(`SELECT name FROM parquet_schema(${quotePath(file)}) WHERE type = 'INT96'`);
  return new Set(rows.map(([name]) => String(name)));
}

function asInstant(type: DataType, isInt96: boolean): DataType {
  return isInt96 && type === 'timestamp_ntz' ? 'timestamp' : type;
}

interface Leaf {
  readonly path: readonly string[];
  readonly type: DataType;
}

function* leavesOf(fields: readonly StructField[], path: readonly string[]): Generator<Leaf> {
  for (const { name, type } of fields) {
    if (typeof type === 'string') yield { path: [...path, name], type };
    else if (type.type === 'struct') yield* leavesOf(type.fields, [...path, name]);
  }
}

/** Leaves whose paths, joined as DuckDB does, are those of no other one. */
function toldApart(leaves: Iterable<Leaf>): Leaf[] {
  const byText = Map.groupBy(leaves, ({ path }) => path.join(PATH_SEPARATOR));
  return [...byText.values()].flatMap((same) => (same.length === 1 ? same : []));
}

const PATH_SEPARATOR = ', ';

const BOUNDLESS: ReadonlySet<string> = new Set(['float', 'double', 'binary', 'boolean', 'variant']);

/**
 * Per file: nulls, and bounds where every row group has them. Floating-point bounds are left out, since footers leave
 * NaN out; so are those of binaries and booleans, which the log has none of.
 */
function boundsSql(list: string, { path, type }: Leaf): string {
  const where = `path_in_schema = ${quoteText(path.join(PATH_SEPARATOR))}`;
  const known = `count(stats_null_count) = count(*)`;
  const bound = (which: 'min' | 'max'): string => {
    if (typeof type !== 'string' || BOUNDLESS.has(type)) return 'NULL';
    const column = `TRY_CAST(stats_${which}_value AS ${duckDbType(type)})`;
    const isMissing = `count(*) FILTER (num_values > stats_null_count AND ${column} IS NULL) > 0`;
    return `CASE WHEN ${isMissing} THEN NULL ELSE ${textOf(`${which}(${column})`, type)} END`;
  };
  return (
    `SELECT file_name, sum(stats_null_count), ${bound('min')}, ${bound('max')} ` +
    `FROM parquet_metadata(${list}) WHERE ${where} GROUP BY file_name HAVING ${known}`
  );
}

function textOf(value: string, type: DataType): string {
  if (type === 'timestamp') return `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%fZ')`;
  if (type === 'timestamp_ntz') return `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%f')`;
  return `CAST(${value} AS VARCHAR)`;
}
