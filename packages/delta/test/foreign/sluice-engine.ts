/** This library as one of the engines under test. */
import { DuckDbEngine } from '../../src/duckdb/index.ts';
import { type DataType, DeltaTable, LocalStore, timestampText, type StructType } from '../../src/index.ts';
import type { Facts, NewTable, Row, Rows, TableEngine, Upsert, Value } from './table-engine.ts';

export class SluiceEngine implements TableEngine {
  readonly name = 'sluice';
  readonly #engine: DuckDbEngine;

  private constructor(engine: DuckDbEngine) {
    this.#engine = engine;
  }

  static async create(): Promise<SluiceEngine> {
    return new SluiceEngine(await DuckDbEngine.create({ threads: 1 }));
  }

  /** Opened afresh, as another process would. */
  open(path: string): Promise<DeltaTable> {
    return DeltaTable.open(this.#at(path));
  }

  async create(path: string, table: NewTable): Promise<void> {
    await DeltaTable.create({ ...this.#at(path), ...table });
  }

  async read(path: string, version?: number): Promise<Row[]> {
    const table = await this.open(path);
    const choice = version === undefined ? {} : { version };
    const { schema } = await table.snapshot(choice);
    return readAll(table.rows({ ...choice, timestamps: 'micros' }), schema);
  }

  async append(path: string, { rows, schema, mergeSchema }: Rows & { mergeSchema?: boolean }): Promise<void> {
    const table = await this.open(path);
    const result = await table.append({
      source: sourceOf({ rows, schema }),
      ...(mergeSchema === true ? { mergeSchema: schema } : {}),
    });
    if (result.kind !== 'committed') throw new Error(`append: ${result.kind}`);
  }

  async overwrite(path: string, { rows, schema, where }: Rows & { where?: string }): Promise<void> {
    const mode = where === undefined ? 'whole' : { replaceWhere: where };
    await (await this.open(path)).overwrite({ source: sourceOf({ rows, schema }), mode });
  }

  async delete(path: string, where: string): Promise<void> {
    await (await this.open(path)).delete({ where });
  }

  async update(
    path: string,
    change: { set: Readonly<Record<string, string>>; where: string },
  ): Promise<void> {
    await (await this.open(path)).update(change);
  }

  async merge(path: string, { rows, schema, on, deleteWhen }: Upsert): Promise<void> {
    let merge = (await this.open(path)).merge({ source: sourceOf({ rows, schema }), schema, on });
    if (deleteWhen !== undefined) merge = merge.whenMatchedDelete({ condition: deleteWhen });
    await merge.whenMatchedUpdate({ set: 'all' }).whenNotMatchedInsert({ values: 'all' }).execute();
  }

  async optimize(path: string, options: { readonly zOrderBy?: readonly string[] } = {}): Promise<void> {
    await (await this.open(path)).optimize(options);
  }

  async vacuum(path: string): Promise<void> {
    await (await this.open(path)).vacuum({ retentionMs: 0, retentionCheck: false });
  }

  async checkpoint(path: string): Promise<void> {
    await (await this.open(path)).checkpoint();
  }

  async cleanUp(path: string): Promise<void> {
    await (await this.open(path)).cleanUpLog();
  }

  async changes(path: string, { from, to }: { from: number; to?: number }): Promise<Row[]> {
    const scan = await (
      await this.open(path)
    ).changes({ from: { version: from }, ...(to === undefined ? {} : { to: { version: to } }) });
    const rows = await readAll(scan.rows({ timestamps: 'micros' }), scan.schema);
    return rows.map((row) =>
      Object.fromEntries(Object.entries(row).filter(([name]) => name !== '_commit_timestamp')),
    );
  }

  async facts(path: string): Promise<Facts> {
    const { version, fileCount, sizeBytes } = await (await this.open(path)).snapshot();
    return { version, files: fileCount, bytes: sizeBytes };
  }

  /** The versions that there are, the newest first. */
  async versions(path: string): Promise<number[]> {
    return (await (await this.open(path)).history()).map(({ version }) => version);
  }

  #at(path: string): { store: LocalStore; engine: DuckDbEngine; root: string } {
    return { store: new LocalStore(path), engine: this.#engine, root: '' };
  }
}

async function readAll(
  rows: AsyncIterable<Readonly<Record<string, unknown>>>,
  schema: StructType,
): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of rows) all.push(encode(row, schema) as Row);
  return all;
}

function sourceOf({ rows, schema }: Rows): { kind: 'rows'; rows: Record<string, unknown>[] } {
  return {
    kind: 'rows',
    rows: rows.map((row) => decode(row, { ...schema, fields: schema.fields.filter((f) => f.name in row) })),
  } as { kind: 'rows'; rows: Record<string, unknown>[] };
}

/** The library's value as it travels. */
function encode(value: unknown, type: DataType): Value {
  if (value === null || value === undefined) return null;
  if (typeof type !== 'string') {
    if (type.type === 'array') return (value as unknown[]).map((each) => encode(each, type.elementType));
    if (type.type === 'map') {
      const pairs = [...(value as Map<unknown, unknown>)].map(([key, item]) => [
        encode(key, type.keyType),
        encode(item, type.valueType),
      ]);
      return pairs.toSorted((a, b) => (JSON.stringify(a[0]) < JSON.stringify(b[0]) ? -1 : 1));
    }
    const members = value as Record<string, unknown>;
    return Object.fromEntries(type.fields.map((each) => [each.name, encode(members[each.name], each.type)]));
  }
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : Object.is(value, -0)
        ? '-0.0'
        : String(value);
  }
  return value as Value;
}

/** A value that travelled as the library takes it. */
function decode(value: Value, type: DataType): unknown {
  if (value === null) return null;
  if (typeof type !== 'string') {
    if (type.type === 'array') return (value as Value[]).map((each) => decode(each, type.elementType));
    if (type.type === 'map') {
      const pairs = value as [Value, Value][];
      return new Map(pairs.map(([key, item]) => [decode(key, type.keyType), decode(item, type.valueType)]));
    }
    const members = value as Record<string, Value>;
    return Object.fromEntries(
      type.fields.map((each) => [each.name, decode(members[each.name] ?? null, each.type)]),
    );
  }
  if (type === 'long') return BigInt(value as string);
  if (type === 'timestamp') return `${timestampText(BigInt(value as string))}Z`;
  if (type === 'timestamp_ntz') return timestampText(BigInt(value as string));
  if (type === 'float' || type === 'double') return Number(value);
  return type === 'binary' ? Buffer.from((value as string).slice(2), 'hex') : value;
}
