/** Real tables in a temporary directory, written and read through DuckDB, for the tests of this folder. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { withSession } from '../engine.ts';
import type { Action, AddFile } from '../log/actions.ts';
import { scanFiles } from '../scan/scan-files.ts';
import { upgradedProtocol } from '../protocol/features.ts';
import type { StructType } from '../schema/types.ts';
import { loadCommit } from '../snapshot/load.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext, type TableContext } from '../table-context.ts';
import { appendRows } from '../write/append.ts';
import { createTable } from '../write/create-table.ts';

export interface CreateLocalOptions {
  partitionColumns?: string[];
  properties?: Record<string, string>;
  clusterBy?: (string | string[])[];
  now?: () => number;
  /** Table features that the table has besides those that its schema and properties need. */
  features?: string[];
}

export interface LocalTables {
  readonly directory: string;
  readonly store: LocalStore;
  readonly engine: DuckDbEngine;
  create(schema: StructType, options?: CreateLocalOptions): Promise<TableContext>;
  open(root: string, options?: { now?: () => number }): TableContext;
}

/** Call it once in a file of tests; everything is removed after them. */
export async function localTables(name: string): Promise<LocalTables> {
  const directory = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  const store = new LocalStore(directory);
  const engine = await DuckDbEngine.create({ threads: 2, memoryLimit: '1GB' });
  after(async () => {
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  });
  let count = 0;
  const open: LocalTables['open'] = (root, { now = Date.now } = {}) =>
    createContext({ store, engine, root, now });
  return {
    directory,
    store,
    engine,
    open,
    async create(schema, options = {}) {
      const root = `t${(count += 1)}`;
      const context = open(root, options);
      await createTable(context, { store, engine, root, schema, ...options });
      if (options.features !== undefined) await addFeatures(context, options.features);
      return context;
    },
  };
}

async function addFeatures(context: TableContext, features: string[]): Promise<void> {
  const state = await context.refresh();
  const protocol = upgradedProtocol(state.protocol, state.schema, { features });
  await context.commit({
    state,
    reads: { kind: 'nothing' },
    operation: 'UPGRADE PROTOCOL',
    actions: [{ protocol }],
  });
}

export async function append(context: TableContext, rows: Record<string, unknown>[]): Promise<number> {
  const result = await appendRows(context, { source: { kind: 'rows', rows } });
  assert.equal(result.kind, 'committed');
  return result.version;
}

/** Number of rows and an order-free checksum over every column of the newest version, or of one by number. */
export async function fingerprint(
  context: TableContext,
  version?: number,
): Promise<{ rows: number; sum: string }> {
  const state = version === undefined ? await context.refresh() : await context.stateAt(version);
  const sql = await scanFiles(context, state, [...state.files.files()]);
  return withSession(context.io.engine, async (session) => {
    const [row] = await session.rows(
      `SELECT count(*), CAST(coalesce(sum(CAST(hash(t) AS HUGEINT)), 0) AS VARCHAR) FROM (${sql}) AS t`,
    );
    return { rows: Number(row?.[0]), sum: String(row?.[1]) };
  });
}

/** Rows of the newest version as objects, in an order of DuckDB's. */
export async function query(context: TableContext, sqlOf: (table: string) => string): Promise<unknown[][]> {
  const state = await context.refresh();
  const sql = await scanFiles(context, state, [...state.files.files()]);
  return withSession(context.io.engine, (session) => session.rows(sqlOf(`(${sql})`)));
}

export async function filesOf(context: TableContext): Promise<AddFile[]> {
  return [...(await context.refresh()).files.files()];
}

export async function actionsOf(context: TableContext, version: number): Promise<readonly Action[]> {
  const commit = await loadCommit(context.io, version);
  assert.ok(commit, `version ${version} is there`);
  return commit.actions;
}

/** Paths of the table's objects outside of the log, relative to its root. */
export async function objectsOf(context: TableContext): Promise<string[]> {
  const prefix = `${context.io.root}/`;
  const paths: string[] = [];
  for await (const { path } of context.io.store.list(prefix)) {
    if (!path.includes('/_delta_log/')) paths.push(path.slice(prefix.length));
  }
  return paths;
}
