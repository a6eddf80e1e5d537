import type {
  Engine,
  LeafStatistics,
  PartitionValues,
  ReadRequest,
  RowSource,
  WriteRequest,
  WrittenFile,
} from '../engine.ts';
import { DeltaError } from '../errors.ts';
import { locateFile } from '../log/file-path.ts';
import type { StructField } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { rowToNdjson } from '../write/ndjson.ts';

type Row = Record<string, unknown>;

export interface JsonEngineOptions {
  /** Reads a source of the kind `ndjson`; such sources are refused without it. */
  readonly readFile?: (file: string) => Uint8Array | Promise<Uint8Array>;
}

/**
 * An engine that keeps rows as JSON where Parquet would be: deterministic, and without I/O beyond the store's and
 * `readFile`. Numbers are JavaScript's; casts are checked for numbers, booleans and NOT NULL of top-level columns.
 */
export class JsonEngine implements Engine {
  readonly #readFile: JsonEngineOptions['readFile'];

  constructor(options: JsonEngineOptions = {}) {
    this.#readFile = options.readFile;
  }

  async writeParquet(request: WriteRequest): Promise<WrittenFile[]> {
    if (request.checks !== undefined || request.computed !== undefined || request.fileSchema !== undefined) {
      const message = 'JsonEngine has no SQL to check, compute or rename columns with';
      throw new DeltaError({ code: 'engine', message });
    }
    const rows = (await this.#rowsOf(request.source)).map((row, at) => castRow(row, request, at + 1));
    const data = request.schema.fields.filter(({ name }) => !request.partitionColumns.includes(name));
    const groups = new Map<string, { values: PartitionValues; rows: Row[] }>();
    for (const row of rows) {
      const values = partitionValues(row, request.partitionColumns);
      const key = JSON.stringify(values);
      const group = groups.get(key) ?? { values, rows: [] };
      group.rows.push(Object.fromEntries(data.map(({ name }) => [name, row[name] ?? null])));
      groups.set(key, group);
    }
    const written: WrittenFile[] = [];
    for (const group of groups.values()) {
      const path = request.pathFor(group.values);
      const bytes = Buffer.from(JSON.stringify(group.rows));
      await request.store.put(path, bytes);
      written.push({
        path,
        sizeBytes: bytes.length,
        rows: group.rows.length,
        partitionValues: group.values,
        columns: data.flatMap((field) => leafStatistics(field, group.rows)),
      });
    }
    return written;
  }

  async readParquet(request: ReadRequest): Promise<Row[]> {
    const rows = await readFileRows(request.store, request.path);
    const names = request.schema.fields.map((field) => field.name);
    return rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
  }

  async #rowsOf(source: RowSource): Promise<Row[]> {
    // Through text in both cases, so that a row means the same from either.
    if (source.kind === 'rows') return source.rows.map((row) => JSON.parse(rowToNdjson(row)) as Row);
    if (source.kind === 'sql') throw new DeltaError({ code: 'engine', message: 'JsonEngine has no SQL' });
    if (this.#readFile === undefined) {
      throw new DeltaError({ code: 'engine', message: 'this JsonEngine was made without readFile' });
    }
    const text = Buffer.from(await this.#readFile(source.file)).toString('utf8');
    return text.split('\n').flatMap((line, at) => (line.trim() === '' ? [] : [parseLine(line, at + 1)]));
  }
}

/** The rows of a snapshot that a {@link JsonEngine} wrote, file by file in the log's order. */
export async function readJsonRows(
  io: { store: ObjectStore; root: string },
  snapshot: Snapshot,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const file of snapshot.files()) {
    const path = joinPath(io.root, locateFile(file.path).path);
    for (const row of await readFileRows(io.store, path)) {
      const entries = snapshot.schema.fields.map(({ name }) => [
        name,
        snapshot.partitionColumns.includes(name) ? file.partitionValues[name] : (row[name] ?? null),
      ]);
      rows.push(Object.fromEntries(entries) as Row);
    }
  }
  return rows;
}

async function readFileRows(store: ObjectStore, path: string): Promise<Row[]> {
  const text = Buffer.from(await store.read(path)).toString('utf8');
  try {
    return JSON.parse(text) as Row[];
  } catch (cause) {
    throw new DeltaError({ code: 'engine', message: `"${path}" is not a file of this engine`, cause });
  }
}

function parseLine(line: string, number: number): Row {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  } catch {
    // Reported below, with the line's number.
  }
  throw new DeltaError({ code: 'invalid-data', message: `line ${number} of the source is no JSON object` });
}

function castRow(row: Row, request: WriteRequest, number: number): Row {
  const cast = request.schema.fields.map((field): [string, unknown] => {
    const value = castValue(row[field.name], field, number);
    if (value === null && !field.nullable) {
      throw new DeltaError({
        code: 'not-null',
        message: `row ${number} has NULL in the column "${field.name}", where the schema forbids it`,
      });
    }
    return [field.name, value];
  });
  return Object.fromEntries(cast);
}

const INTEGER_TYPES: readonly unknown[] = ['long', 'integer', 'short', 'byte'];

function castValue(value: unknown, field: StructField, number: number): unknown {
  if (value === null || value === undefined) return null;
  const fail = (): never => {
    throw new DeltaError({
      code: 'invalid-data',
      message: `row ${number}: ${JSON.stringify(value)} in the column "${field.name}" is not of its type`,
    });
  };
  const { type } = field;
  if (INTEGER_TYPES.includes(type)) {
    const cast = Number(value);
    return typeof value !== 'object' && value !== '' && Number.isInteger(cast) ? cast : fail();
  }
  if (type === 'double' || type === 'float' || decimalOf(type) !== undefined) {
    return typeof value !== 'object' && value !== '' && !Number.isNaN(Number(value)) ? Number(value) : fail();
  }
  if (type === 'boolean') return typeof value === 'boolean' ? value : fail();
  if (type === 'string') return typeof value === 'string' ? value : JSON.stringify(value);
  return value;
}

function partitionValues(row: Row, columns: readonly string[]): PartitionValues {
  return Object.fromEntries(
    columns.map((column) => {
      const value = row[column];
      return [column, value === null || value === undefined || value === '' ? null : textOf(value)];
    }),
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function leafStatistics(field: StructField, rows: readonly Row[]): LeafStatistics[] {
  if (typeof field.type !== 'string') return [];
  const values = rows.map((row) => row[field.name]).filter((value) => value !== null);
  const facts = { path: [field.name], nullCount: rows.length - values.length };
  const bounds = boundsOf(values);
  return [bounds === undefined ? facts : { ...facts, ...bounds }];
}

function boundsOf(values: readonly unknown[]): { min: string; max: string } | undefined {
  if (values.length === 0) return undefined;
  if (values.every((value) => typeof value === 'number')) {
    const sorted = values.toSorted((a, b) => a - b);
    return { min: String(sorted[0]), max: String(sorted.at(-1)) };
  }
  if (values.every((value) => typeof value === 'string')) {
    const sorted = values.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return { min: sorted[0] ?? '', max: sorted.at(-1) ?? '' };
  }
  return undefined;
}
