/** Reads a checkpoint's Parquet file: its few other actions as rows, its many adds and removes packed. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  DuckDBBlobVector,
  type DuckDBResult,
  DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  type DuckDBVector,
} from '@duckdb/node-api';
import type { CheckpointRead } from '../engine.ts';
import { assert, DeltaError } from '../errors.ts';
import {
  addTotals,
  FIELD_SEPARATOR,
  NO_TOTALS,
  type PackedBlock,
  type PackedTotals,
  ROW_SEPARATOR,
} from '../log/packed-files.ts';
import { quoteIdentifier, quotePath, quoteText } from '../scan/quote.ts';
import type { ConnectionPool } from './connection-pool.ts';
import { statisticsText } from './parsed-statistics.ts';

/** Rows of the file from which one block is made. */
const BLOCK_ROWS = 2048;

/**
 * Rows of the file that one statement packs, or one row group's where that has more. All that a statement packs is in
 * memory three times over: as the file has it, as it grows, and as the result; two are under way at most.
 */
const WINDOW_ROWS = 200_000;

/** Actions of checkpoints that come as rows; others are unknown, and of no use to a reader. */
const SMALL_ACTIONS = ['txn', 'metaData', 'protocol', 'domainMetadata', 'checkpointMetadata', 'sidecar'];

/**
 * Undefined if a path or statistics hold what packing has no form for. Throws what DuckDB throws, and `corrupt-log` for
 * a file that is no checkpoint, by its `path` in the store.
 */
export async function readCheckpointFile(
  pool: ConnectionPool,
  { file, path }: { file: string; path: string },
): Promise<CheckpointRead | undefined> {
  const source = new CheckpointSource(pool, { file, path });
  await source.describe();
  const actions = await source.smallActions();
  const adds = await source.adds();
  if (adds === undefined) return undefined;
  const removes = await source.removes();
  return removes && { actions, adds: adds.blocks, totals: adds.totals, removes: removes.blocks };
}

/** First and last row, the latter exclusive. */
type RowRange = readonly [from: number, to: number];

interface Packed {
  readonly blocks: PackedBlock[];
  readonly totals: PackedTotals;
}

class CheckpointSource {
  readonly #pool: ConnectionPool;
  readonly #from: string;
  readonly #file: string;
  readonly #path: string;
  #columns = new Map<string, DuckDBType>();
  #int96 = new Set<string>();
  #windows: readonly RowRange[] = [];
  /** Of the rows that may hold one of the few other actions. */
  #smallRows: readonly RowRange[] = [];

  constructor(pool: ConnectionPool, { file, path }: { file: string; path: string }) {
    this.#pool = pool;
    this.#path = path;
    this.#file = quotePath(file);
    this.#from = `read_parquet(${this.#file}, hive_partitioning = false, file_row_number = true)`;
  }

  async describe(): Promise<void> {
    const result = await this.#pool.use((connection) =>
      connection.run(`SELECT * FROM ${this.#from} LIMIT 0`),
    );
    const types = result.columnTypes();
    this.#columns = new Map(
      result.columnNames().flatMap((name, at): [string, DuckDBType][] => {
        const type = types[at];
        return type === undefined ? [] : [[name, type]];
      }),
    );
    const hasAction = [...SMALL_ACTIONS, 'add', 'remove'].some((name) => this.#columns.has(name));
    if (!hasAction) throw this.#corrupt('has no column of a checkpoint');
    await this.#findRows();
    if (this.#memberOf('add', 'stats_parsed') !== undefined) this.#int96 = await this.#int96Columns();
  }

  async smallActions(): Promise<Record<string, unknown>[]> {
    const names = SMALL_ACTIONS.filter((name) => this.#columns.has(name)).map(quoteIdentifier);
    if (names.length === 0) return [];
    const sql =
      `SELECT CAST(to_json(struct_pack(${names.map((name) => `${name} := ${name}`).join(', ')})) AS VARCHAR) ` +
      `FROM ${this.#from} WHERE (${names.map((name) => `${name} IS NOT NULL`).join(' OR ')})`;
    const actions: Record<string, unknown>[] = [];
    for (const range of this.#smallRows) {
      for (const [row] of await this.#rows(`${sql} AND ${isWithin(range)}`)) {
        assert(typeof row === 'string', 'to_json gives text');
        actions.push(JSON.parse(row) as Record<string, unknown>);
      }
    }
    return actions;
  }

  async adds(): Promise<Packed | undefined> {
    const type = this.#columns.get('add');
    if (!(type instanceof DuckDBStructType)) return this.#without('add');
    const add = new FileColumn('add', type);
    const stats = this.#statistics(add);
    const row = rowText([
      add.text('size'),
      add.text('modificationTime'),
      add.flag('dataChange'),
      add.text('baseRowId'),
      add.text('defaultRowCommitVersion'),
      add.json('partitionValues'),
      add.json('tags'),
      add.vector(),
      add.json('clusteringProvider'),
    ]);
    const deleted = add.has('deletionVector') ? 'add.deletionVector.cardinality' : 'NULL::BIGINT';
    // Members one by one, so that only they are read.
    const sql = (within: string): string => `
      SELECT ${PACKED}, ${joined('stats')} AS stats, sum(size) AS size_bytes, sum(records - coalesce(deleted, 0)) AS "rows",
        count(*) - count(records) AS uncounted, count(deleted) AS vectors, sum(deleted) AS deleted_rows,
        bool_or(contains("key", ${SEPARATOR}) OR contains(stats, ${SEPARATOR}) OR size IS NULL OR size < 0) AS odd
      FROM (SELECT *, ${RECORDS} AS records FROM (SELECT *, ${RECORDS_TEXT} AS records_text FROM (
        SELECT file_row_number, ${add.key()} AS "key", ${row} AS line, coalesce(${stats}, '') AS stats, add.size AS size,
          ${deleted} AS deleted
        FROM ${this.#from} WHERE ${within} AND add.path IS NOT NULL)))
      GROUP BY "at"`;
    return this.#blocks(sql);
  }

  async removes(): Promise<Packed | undefined> {
    const type = this.#columns.get('remove');
    if (!(type instanceof DuckDBStructType)) return this.#without('remove');
    const remove = new FileColumn('remove', type);
    const row = rowText([
      remove.text('deletionTimestamp'),
      remove.flag('dataChange'),
      remove.flag('extendedFileMetadata'),
      remove.text('size'),
      remove.text('baseRowId'),
      remove.text('defaultRowCommitVersion'),
      remove.json('partitionValues'),
      remove.vector(),
    ]);
    const sql = (within: string): string => `
      SELECT ${PACKED}, encode('') AS stats, 0 AS size_bytes, 0 AS "rows", 0 AS uncounted, 0 AS vectors, 0 AS deleted_rows,
        bool_or(contains("key", ${SEPARATOR})) AS odd
      FROM (SELECT file_row_number, ${remove.key()} AS "key", ${row} AS line
        FROM ${this.#from} WHERE ${within} AND remove.path IS NOT NULL)
      GROUP BY "at"`;
    return this.#blocks(sql);
  }

  /** @param sqlOf the statement for the rows of which a condition is true. */
  async #blocks(sqlOf: (within: string) => string): Promise<Packed | undefined> {
    const packing: Promise<Packed | undefined>[] = [];
    try {
      for (const range of this.#windows) {
        await packing.at(-2);
        // DuckDB packs a window while the result of the one before is copied.
        const { computed, packed } = this.#pack(sqlOf(isWithin(range)));
        packing.push(packed);
        await computed;
      }
    } finally {
      await Promise.allSettled(packing);
    }
    let totals = NO_TOTALS;
    const blocks: PackedBlock[] = [];
    for (const packed of await Promise.all(packing)) {
      if (packed === undefined) return undefined;
      totals = addTotals(totals, packed.totals);
      blocks.push(...packed.blocks);
    }
    return { blocks, totals };
  }

  /** Runs a statement that packs; `computed` never rejects. */
  #pack(sql: string): { computed: Promise<void>; packed: Promise<Packed | undefined> } {
    const { promise: computed, resolve } = Promise.withResolvers<void>();
    const packed = this.#pool
      .use(async (connection) => {
        const result = await connection.stream(sql);
        resolve();
        return readPacked(result);
      })
      .finally(resolve);
    return { computed, packed };
  }

  /**
   * Whole row groups, since a part of one costs nearly what all of it does; the last ranges have no end, since, whatever a
   * damaged file says of its row groups, no row of it is passed over.
   */
  async #findRows(): Promise<void> {
    const small = SMALL_ACTIONS.map(quoteText).join(', ');
    const groups = await this.#rows(
      `SELECT row_group_id, any_value(row_group_num_rows), bool_or(split_part(path_in_schema, ', ', 1) IN (${small}) ` +
        `AND stats_null_count IS DISTINCT FROM num_values) FROM parquet_metadata(${this.#file}) GROUP BY 1 ORDER BY 1`,
    );
    const windows: RowRange[] = [];
    const smallRows: RowRange[] = [];
    let from = 0;
    let to = 0;
    for (const [, rows, isSmall] of groups) {
      const start = to;
      to += Number(rows);
      if (isSmall === true) addRange(smallRows, [start, to]);
      if (to - from < WINDOW_ROWS) continue;
      windows.push([from, to]);
      from = to;
    }
    windows.push([from, Infinity]);
    addRange(smallRows, [to, Infinity]);
    this.#windows = windows;
    this.#smallRows = smallRows;
  }

  #rows(sql: string): Promise<unknown[][]> {
    return this.#pool.use(async (connection) => (await connection.runAndReadAll(sql)).getRowsJS());
  }

  /** Of an action that the file has no column for. */
  #without(name: string): Packed {
    if (this.#columns.has(name)) {
      throw this.#corrupt(`has a column "${name}" that is no struct`);
    }
    return { blocks: [], totals: NO_TOTALS };
  }

  #corrupt(what: string): DeltaError {
    return new DeltaError({ code: 'corrupt-log', message: `the checkpoint's file "${this.#path}" ${what}` });
  }

  /** SQL of an add's statistics as text. */
  #statistics(add: FileColumn): string {
    const text = add.has('stats') ? 'add.stats' : undefined;
    const type = this.#memberOf('add', 'stats_parsed');
    if (!(type instanceof DuckDBStructType)) return text ?? 'NULL::VARCHAR';
    const isInt96 = (path: readonly string[]): boolean =>
      this.#int96.has(JSON.stringify(['add', 'stats_parsed', ...path]));
    const parsed = statisticsText({ sql: 'add.stats_parsed', type, isInt96 });
    return text === undefined ? parsed : `coalesce(${text}, ${parsed})`;
  }

  #memberOf(column: string, member: string): DuckDBType | undefined {
    const type = this.#columns.get(column);
    return type instanceof DuckDBStructType ? type.entryTypes[type.entryNames.indexOf(member)] : undefined;
  }

  /** Paths, as JSON, of the leaves that have Parquet's old timestamp type. */
  async #int96Columns(): Promise<Set<string>> {
    const sql = `SELECT name, coalesce(num_children, 0), type FROM parquet_schema(${this.#file})`;
    const rows = await this.#rows(sql);
    const found = new Set<string>();
    let at = 0;
    const walk = (path: readonly string[]): void => {
      const [name, children, type] = rows[at] ?? [];
      at += 1;
      const own = [...path, typeof name === 'string' ? name : ''];
      if (type === 'INT96') found.add(JSON.stringify(own.slice(1)));
      for (let child = 0; child < Number(children ?? 0); child += 1) walk(own);
    };
    if (rows.length > 0) walk([]);
    return found;
  }
}

/** The blocks of a statement's result, in the order of the file; undefined where there is no form for what it holds. */
async function readPacked(result: DuckDBResult): Promise<Packed | undefined> {
  let totals = NO_TOTALS;
  const found: { at: number; block: PackedBlock }[] = [];
  for await (const row of rowsOf(result)) {
    if (row.odd === true) return undefined;
    totals = addTotals(totals, {
      sizeBytes: Number(row.size_bytes ?? 0),
      rows: Number(row.rows ?? 0),
      uncounted: Number(row.uncounted),
      vectors: Number(row.vectors),
      deletedRows: Number(row.deleted_rows ?? 0),
    });
    const block = {
      count: Number(row.count),
      keys: bytesOf(row.keys),
      rows: bytesOf(row.lines),
      stats: bytesOf(row.stats),
    };
    found.push({ at: Number(row.at), block });
  }
  return { blocks: found.toSorted((a, b) => a.at - b.at).map(({ block }) => block), totals };
}

/** Joins it with the last one where they meet. */
function addRange(ranges: RowRange[], [from, to]: RowRange): void {
  const last = ranges.at(-1);
  if (last?.[1] === from) ranges[ranges.length - 1] = [last[0], to];
  else ranges.push([from, to]);
}

function isWithin([from, to]: RowRange): string {
  return `file_row_number >= ${from}${to === Infinity ? '' : ` AND file_row_number < ${to}`}`;
}

/** SQL over the members of an action that names a file; '' for members that are null or that the file lacks. */
class FileColumn {
  readonly #name: string;
  readonly #type: DuckDBStructType;

  constructor(name: string, type: DuckDBStructType) {
    this.#name = name;
    this.#type = type;
  }

  has(member: string): boolean {
    return this.#type.entryNames.includes(member);
  }

  text(member: string): string {
    return this.has(member) ? `${this.#name}.${quoteIdentifier(member)}` : `''`;
  }

  flag(member: string): string {
    return this.has(member) ? `CAST(${this.#name}.${member} AS TINYINT)` : `''`;
  }

  json(member: string): string {
    if (!this.has(member)) return `''`;
    const sql = `${this.#name}.${quoteIdentifier(member)}`;
    const isMap = this.#type.entryTypes[this.#type.entryNames.indexOf(member)]?.typeId === DuckDBTypeId.MAP;
    const empty = isMap ? ` WHEN cardinality(${sql}) = 0 THEN '{}'` : '';
    return `CASE WHEN ${sql} IS NULL THEN ''${empty} ELSE CAST(to_json(${sql}) AS VARCHAR) END`;
  }

  vector(): string {
    if (!this.has('deletionVector')) return `''`;
    const sql = `${this.#name}.deletionVector`;
    return `CASE WHEN ${sql}.storageType IS NULL THEN '' ELSE CAST(to_json(${sql}) AS VARCHAR) END`;
  }

  /** As `fileKey`. */
  key(): string {
    const path = `${this.#name}.path`;
    if (!this.has('deletionVector')) return path;
    const vector = `${this.#name}.deletionVector`;
    const offset = `CASE WHEN ${vector}.offset IS NULL THEN '' ELSE '@' || ${vector}.offset END`;
    const id = `concat(${path}, chr(10), ${vector}.storageType, ${vector}.pathOrInlineDv, ${offset})`;
    return `CASE WHEN ${vector}.storageType IS NULL THEN ${path} ELSE ${id} END`;
  }
}

/** Row by row, since a row has megabytes to copy: others get their turn between two. */
async function* rowsOf(
  result: DuckDBResult,
): AsyncGenerator<Record<string, DuckDBValue | Uint8Array>, void, undefined> {
  const names = result.columnNames();
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return;
    for (let row = 0; row < chunk.rowCount; row += 1) {
      yield Object.fromEntries(names.map((name, at) => [name, itemOf(chunk.getColumnVector(at), row)]));
      await nextTurn();
    }
  }
}

/** Bytes as they come, without the copy that a value of DuckDB's would make of them. */
function itemOf(vector: DuckDBVector, row: number): DuckDBValue | Uint8Array {
  if (!(vector instanceof DuckDBBlobVector)) return vector.getItem(row);
  const bytes = vector.getItemBytes(row);
  // A few bytes are a view of the chunk, and would keep all of it.
  return bytes === null || bytes.length > INLINE_BYTES_MAX ? bytes : Uint8Array.from(bytes);
}

/** Of DuckDB's strings, which are in the vector itself up to here. */
const INLINE_BYTES_MAX = 12;

function bytesOf(value: DuckDBValue | Uint8Array | undefined): Uint8Array {
  assert(value instanceof Uint8Array, 'packed text is bytes');
  return value;
}

const SEPARATOR = `chr(${ROW_SEPARATOR.charCodeAt(0)})`;

/** The rows' values of a column as one text, in bytes. Aggregates of one group see its rows in the same order. */
function joined(column: string): string {
  return `encode(string_agg(${column}, ${SEPARATOR}))`;
}

/** The columns that every block has. */
const PACKED =
  `file_row_number // ${BLOCK_ROWS} AS "at", count(*) AS count, ` +
  `${joined('"key"')} AS keys, ${joined('line')} AS lines`;

function rowText(fields: readonly string[]): string {
  return `concat(${fields.join(`, chr(${FIELD_SEPARATOR.charCodeAt(0)}), `)})`;
}

const RECORDS_FIRST = '{"numRecords":';

/** The text of the number of records in statistics, if it comes first, as nearly every writer has it. */
const RECORDS_TEXT =
  `CASE WHEN starts_with(stats, '${RECORDS_FIRST}') THEN substr(stats, ${RECORDS_FIRST.length + 1}, ` +
  `strpos(stats, ',') - ${RECORDS_FIRST.length + 1}) END`;

/** The number of records in statistics, from {@link RECORDS_TEXT} if it is nothing but a few digits. */
const RECORDS =
  'CASE WHEN length(records_text) <= 15 AND CAST(TRY_CAST(records_text AS UBIGINT) AS VARCHAR) = records_text ' +
  'THEN CAST(records_text AS BIGINT) ' +
  `WHEN stats <> '' AND json_valid(stats) AND json_type(stats, '$.numRecords') = 'UBIGINT' ` +
  `THEN TRY_CAST(stats->>'$.numRecords' AS BIGINT) END`;
