/** Tables on a real disk with a real engine, for the tests of row operations. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDbEngine } from '../../duckdb/index.ts';
import { withSession } from '../../engine.ts';
import type { Action } from '../../log/actions.ts';
import { commitName } from '../../log/log-paths.ts';
import { scanFiles } from '../../scan/scan-files.ts';
import { field, struct, type StructType } from '../../schema/types.ts';
import { LocalStore } from '../../store/local-store.ts';
import { createContext, type TableContext } from '../../table-context.ts';
import { appendRows } from '../../write/append.ts';
import { createTable } from '../../write/create-table.ts';

const engine = await DuckDbEngine.create({ threads: 2 });
export const directory: string = mkdtempSync(join(tmpdir(), 'dml-'));
const store = new LocalStore(directory);
let tables = 0;

/** Ends the engine and removes the tables. */
export async function close(): Promise<void> {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
}

export const SCHEMA = struct([field('id', 'long'), field('p', 'string'), field('v', 'integer')]);
export const VECTORS = { 'delta.enableDeletionVectors': 'true' };
export const FEED = { 'delta.enableChangeDataFeed': 'true' };

export interface Table {
  readonly context: TableContext;
  readonly root: string;
}

export async function table(
  options: {
    schema?: StructType;
    partitionColumns?: string[];
    properties?: Record<string, string>;
    rows?: Record<string, unknown>[];
  } = {},
): Promise<Table> {
  const root = `t${(tables += 1)}`;
  const context = createContext({ store, engine, root });
  const { schema = SCHEMA, partitionColumns = [], properties = {}, rows = ROWS } = options;
  await createTable(context, { store, engine, root, schema, partitionColumns, properties });
  if (rows.length > 0) await appendRows(context, { source: { kind: 'rows', rows } });
  return { context, root };
}

export const ROWS = Array.from({ length: 10 }, (_, id) => ({ id, p: id < 5 ? 'a' : 'b', v: id * 10 }));

export async function rowsOf(context: TableContext, columns = '*'): Promise<unknown[][]> {
  const state = await context.refresh();
  const scan = await scanFiles(context, state, [...state.files.files()]);
  const rows = await withSession(context.io.engine, (session) =>
    session.rows(`SELECT ${columns} FROM (${scan}) ORDER BY ALL`),
  );
  return rows.map((row) => row.map((each) => (typeof each === 'bigint' ? Number(each) : each)));
}

export function actionsOf({ root }: Table, version: number): Action[] {
  const text = readFileSync(join(directory, root, '_delta_log', commitName(version)), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Action);
}

/** Data files and vectors on disk that no commit of a table names. */
export async function strays({ context, root }: Table): Promise<string[]> {
  const { version } = await context.refresh();
  const named = new Set<string>();
  for (let at = 0; at <= version; at += 1) {
    for (const { add, cdc } of actionsOf({ context, root }, at)) {
      const file = add ?? cdc;
      if (file) named.add(decodeURIComponent(file.path));
    }
  }
  return readdirSync(join(directory, root), { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.parquet') && !path.startsWith('_delta_log') && !named.has(path));
}

export { engine };
