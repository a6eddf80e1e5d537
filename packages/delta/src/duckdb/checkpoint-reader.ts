/** Reads a checkpoint's Parquet file: its few other actions as rows, its many adds and removes packed. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  type DuckDBResult,
  DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
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
import { quoteIdentifier, quotePath } from '../scan/quote.ts';
import { statisticsText } from './parsed-statistics.ts';

/** Rows of the file from which one block is made. */
const BLOCK_ROWS = 2048;

/**
 * Rows of the file that one statement packs, or one row group's where that has more. All that a statement packs is in
 * memory three times over: as the file has it, as it grows, and as the result.
 */
const WINDOW_ROWS = 200_000;

/** Actions of checkpoints that come as rows; others are unknown, and of no use to a reader. */
const SMALL_ACTIONS = ['txn', 'metaData', 'protocol', 'domainMetadata', 'checkpointMetadata', 'sidecar'];

/**
 * Undefined if a path or statistics hold what packing has no form for. Throws what DuckDB throws, and `corrupt-log` for
 * a file that is no checkpoint, by its `path` in the store.
 */
export async function readCheckpointFile(
  connection: DuckDBConnection,
  { file, path }: { file: string; path: string },
): Promise<CheckpointRead | undefined> {
  const source = new CheckpointSource(connection, { file, path });
  await source.describe();
  const actions = await source.smallActions();
  const adds = await source.adds();
  if (adds === undefined) return undefined;
  const removes = await source.removes();
  return removes && { actions, adds: adds.blocks, totals: adds.totals, removes: removes.blocks };
}

class CheckpointSource {
  readonly #connection: DuckDBConnection;
  readonly #from: string;
  readonly #file: string;
  readonly #path: string;
  #columns = new Map<string, DuckDBType>();
  #int96 = new Set<string>();
  /** First and last row (exclusive) of each window. */
  #windows: readonly (readonly [number, number])[] = [];

  constructor(connection: DuckDBConnection, { file, path }: { file: string; path: string }) {
    this.#connection = connection;
    this.#path = path;
    this.#file = quotePath(file);
    this.#from = `read_parquet(${this.#file}, hive_partitioning = false, file_row_number = true)`;
  }

  async describe(): Promise<void> {
    const result = await this.#connection.run(`SELECT * FROM ${this.#from} LIMIT 0`);
    const types = result.columnTypes();
    this.#columns = new Map(
      result.columnNames().flatMap((name, at): [string, DuckDBType][] => {
        const type = types[at];
        return type === undefined ? [] : [[name, type]];
      }),
    );
    const hasAction = [...SMALL_ACTIONS, 'add', 'remove'].some((name) => this.#columns.has(name));
    if (!hasAction) throw this.#corrupt('has no column of a checkpoint');
    this.#windows = await this.#rowWindows();
    if (this.#memberOf('add', 'stats_parsed') !== undefined) this.#int96 = await this.#int96Columns();
  }

  async smallActions(): Promise<Record<string, unknown>[]> {
    const names = SMALL_ACTIONS.filter((name) => this.#columns.has(name)).map(quoteIdentifier);
    if (names.length === 0) return [];
    const sql =
      `SELECT CAST(to_json(struct_pack(${names.map((name) => `${name} := ${name}`).join(', ')})) AS VARCHAR) ` +
      `FROM ${this.#from} WHERE ${names.map((name) => `${name} IS NOT NULL`).join(' OR ')}`;
    const [rows = []] = (await this.#connection.runAndReadAll(sql)).getColumnsJS();
    return rows.map((row) => {
      assert(typeof row === 'string', 'to_json gives text');
      return JSON.parse(row) as Record<string, unknown>;
    });
  }

  async adds(): Promise<{ blocks: PackedBlock[]; totals: PackedTotals } | undefined> {
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
      FROM (SELECT *, ${RECORDS} AS records FROM (
        SELECT file_row_number, ${add.key()} AS "key", ${row} AS line, coalesce(${stats}, '') AS stats, add.size AS size,
          ${deleted} AS deleted
        FROM ${this.#from} WHERE ${within} AND add.path IS NOT NULL))
      GROUP BY "at"`;
    return this.#blocks(sql);
  }

  async removes(): Promise<{ blocks: PackedBlock[]; totals: PackedTotals } | undefined> {
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
  async #blocks(
    sqlOf: (within: string) => string,
  ): Promise<{ blocks: PackedBlock[]; totals: PackedTotals } | undefined> {
    let totals = NO_TOTALS;
    const blocks: PackedBlock[] = [];
    for (const [from, to] of this.#windows) {
      const end = to === Infinity ? '' : ` AND file_row_number < ${to}`;
      const sql = sqlOf(`file_row_number >= ${from}${end}`);
      const found: { at: number; block: PackedBlock }[] = [];
      for await (const row of rowsOf(await this.#connection.stream(sql))) {
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
      for (const { block } of found.toSorted((a, b) => a.at - b.at)) blocks.push(block);
    }
    return { blocks, totals };
  }

  /** Whole row groups, since a part of one costs nearly what all of it does. The last window has no end. */
  async #rowWindows(): Promise<[number, number][]> {
    const sql = `SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata(${this.#file}) ORDER BY 1`;
    const groups = (await this.#connection.runAndReadAll(sql)).getRowsJS();
    const windows: [number, number][] = [];
    let from = 0;
    let to = 0;
    for (const [, rows] of groups) {
      to += Number(rows);
      if (to - from < WINDOW_ROWS) continue;
      windows.push([from, to]);
      from = to;
    }
    // Whatever a damaged file says of its row groups, no row of it is passed over.
    windows.push([from, Infinity]);
    return windows;
  }

  /** Of an action that the file has no column for. */
  #without(name: string): { blocks: PackedBlock[]; totals: PackedTotals } {
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
    const rows = (await this.#connection.runAndReadAll(sql)).getRowsJS();
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
async function* rowsOf(result: DuckDBResult): AsyncGenerator<Record<string, DuckDBValue>, void, undefined> {
  const names = result.columnNames();
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return;
    for (let row = 0; row < chunk.rowCount; row += 1) {
      yield Object.fromEntries(names.map((name, at) => [name, chunk.getColumnVector(at).getItem(row)]));
      await nextTurn();
    }
  }
}

function bytesOf(value: DuckDBValue | undefined): Uint8Array {
  assert(value instanceof DuckDBBlobValue, 'packed text is bytes');
  return value.bytes;
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

/** The number of records in statistics; nearly every writer puts it first. */
const RECORDS =
  `coalesce(TRY_CAST(regexp_extract(stats, '^\\{"numRecords":(\\d{1,15})[,}]', 1) AS BIGINT), ` +
  `CASE WHEN stats <> '' AND json_valid(stats) AND json_type(stats, '$.numRecords') = 'UBIGINT' ` +
  `THEN TRY_CAST(stats->>'$.numRecords' AS BIGINT) END)`;
