/** Tables as other writers leave them, file by file, and a connection of DuckDB's own that reads their scans. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type RowSet, writeDeletionVectors } from '../../deletion-vectors/index.ts';
import { DuckDbEngine } from '../../duckdb/index.ts';
import { DeltaTable, LocalStore, quoteText, schemaToJson, type StructType } from '../../index.ts';
import type { Predicate } from '../../skip/predicate.ts';
import { loadState } from '../../snapshot/load.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import type { TableState } from '../../snapshot/table-state.ts';

export const directory: string = mkdtempSync(join(tmpdir(), 'sluice-scan-test-'));
export const store: LocalStore = new LocalStore(directory);
export const engine: DuckDbEngine = await DuckDbEngine.create({ threads: 2 });
export const connection: DuckDBConnection = await (
  await DuckDBInstance.create(':memory:', { threads: '2' })
).connect();
await connection.run(`SET TimeZone = 'UTC'`);
let tables = 0;
let uuids = 0;

/** Ends the engine and removes the tables. */
export async function close(): Promise<void> {
  await engine.close();
  connection.closeSync();
  rmSync(directory, { recursive: true, force: true });
}

export interface FileSpec {
  /** A SELECT, with what follows TO … ( in the COPY. */
  readonly rows: string;
  readonly options?: string;
  readonly partitionValues?: Readonly<Record<string, string | null>>;
  readonly stats?: object;
  readonly deleted?: RowSet;
}

export interface TableSpec {
  readonly schema: StructType;
  readonly partitionColumns?: readonly string[];
  readonly configuration?: Readonly<Record<string, string>>;
  readonly features?: readonly string[];
  readonly files: readonly FileSpec[];
}

/** A table as another writer would leave it. */
export async function makeTable(
  spec: TableSpec,
): Promise<{ snapshot: Snapshot; state: TableState; root: string }> {
  const root = `t${(tables += 1)}`;
  mkdirSync(join(directory, root, '_delta_log'), { recursive: true });
  const io = { store, engine, root };
  const features = spec.features ?? [];
  const actions: object[] = [
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: features,
        writerFeatures: features,
      },
    },
    {
      metaData: {
        id: root,
        format: { provider: 'parquet', options: {} },
        schemaString: schemaToJson(spec.schema),
        partitionColumns: spec.partitionColumns ?? [],
        configuration: spec.configuration ?? {},
      },
    },
  ];
  for (const [at, file] of spec.files.entries()) {
    const path = join(directory, root, `f${at}.parquet`);
    await connection.run(`COPY (${file.rows}) TO ${quoteText(path)} (FORMAT parquet${file.options ?? ''})`);
    const [deletionVector] =
      file.deleted === undefined ? [] : await writeDeletionVectors(io, [file.deleted], nextUuid);
    const add = {
      path: `f${at}.parquet`,
      partitionValues: file.partitionValues ?? {},
      size: statSync(path).size,
      modificationTime: 0,
      dataChange: true,
      ...(file.stats === undefined ? {} : { stats: JSON.stringify(file.stats) }),
      ...(deletionVector === undefined ? {} : { deletionVector }),
    };
    actions.push({ add });
  }
  const log = actions.map((action) => JSON.stringify(action)).join('\n');
  writeFileSync(join(directory, root, '_delta_log', `${'0'.repeat(20)}.json`), log);
  const table = await DeltaTable.open({ store, engine, root, now: Date.now });
  return { snapshot: await table.snapshot(), state: await loadState(io), root };
}

function nextUuid(): string {
  return `00000000-0000-4000-8000-${String((uuids += 1)).padStart(12, '0')}`;
}

export async function rows(sql: string): Promise<unknown[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJson();
}

export async function scanned(
  snapshot: Snapshot,
  options: { predicate?: Predicate; order?: string } = {},
): Promise<unknown[]> {
  const { sql } = await snapshot.scan(
    options.predicate === undefined ? {} : { predicate: options.predicate },
  );
  return rows(`SELECT * FROM (${sql}) ORDER BY ${options.order ?? 'ALL'}`);
}
