/** Files of tables whose columns have other names in files than in the schema. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { withSession } from '../engine.ts';
import { scanFiles } from '../scan/scan-files.ts';
import { type DataType, struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext, type TableContext } from '../table-context.ts';
import { countingNames } from '../testing/table-fixture.ts';
import { appendRows } from './append.ts';
import { createTable } from './create-table.ts';

const ITEM = struct({ x: 'integer', 'the y': 'string' });
const LIST: DataType = { type: 'array', elementType: ITEM, containsNull: true };
const MAP: DataType = { type: 'map', keyType: 'string', valueType: ITEM, valueContainsNull: true };
const SCHEMA = struct({ id: 'long', s: struct({ deep: ITEM, n: 'long' }), l: LIST, m: MAP, p: 'date' });
const ROWS = [
  {
    id: 1,
    s: { deep: { x: 1, 'the y': 'a' }, n: 2 },
    l: [{ x: 3, 'the y': 'b' }, null],
    m: { k: { x: 4, 'the y': null } },
    p: '2024-01-01',
  },
  { id: 2, s: { deep: null, n: null }, l: [], m: {}, p: null },
  { id: 3, s: null, l: null, m: null, p: '2024-01-01' },
];

let directory: string;
let store: LocalStore;
let engine: DuckDbEngine;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-mapped-'));
  store = new LocalStore(directory);
  engine = await DuckDbEngine.create({ threads: 1, memoryLimit: '512MB' });
});
after(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

async function written(
  root: string,
  mode: 'none' | 'name' | 'id',
  partitionColumns: string[],
): Promise<TableContext> {
  const options = { store, engine, root, schema: SCHEMA, partitionColumns, uuid: countingNames(root) };
  const context = createContext(options);
  await createTable(context, { ...options, properties: { 'delta.columnMapping.mode': mode } });
  await appendRows(context, { source: { kind: 'rows', rows: ROWS } });
  return context;
}

async function query(sql: string): Promise<unknown[][]> {
  return withSession(engine, (session) => session.rows(sql));
}

describe('files of a mapped table', () => {
  for (const mode of ['name', 'id'] as const) {
    for (const partitionColumns of [[], ['p']]) {
      it(`have physical names and ids at every depth (${mode}, by ${partitionColumns.join() || 'nothing'})`, async () => {
        const context = await written(`${mode}${partitionColumns.length}`, mode, partitionColumns);
        const state = await context.refresh();
        const files = [...state.files.files()];
        const sql = await scanFiles(context, state, files);
        const rows = await query(`SELECT CAST(to_json(t) AS VARCHAR) FROM (${sql}) AS t ORDER BY id`);
        assert.deepEqual(
          rows.map(([row]) => JSON.parse(String(row)) as unknown),
          ROWS,
        );
        for (const file of files) {
          assert.doesNotMatch(decodeURIComponent(file.path), /p=/);
          const fields = await query(
            `SELECT name, field_id FROM parquet_schema('${join(directory, context.io.root, file.path)}') WHERE name LIKE 'col-%'`,
          );
          const ids = fields.map(([, id]) => Number(id));
          // id, s, deep, x, y, n, l, x, y, m, x, y, and p unless it partitions the table.
          assert.equal(fields.length, 13 - partitionColumns.length);
          assert.equal(new Set(ids).size, ids.length);
          assert.ok(ids.every((id) => id >= 1 && id <= 13));
          const stats = JSON.parse(file.stats ?? '{}') as { nullCount: Record<string, unknown> };
          assert.ok(Object.keys(stats.nullCount).every((name) => name.startsWith('col-')));
        }
        assert.equal(state.metadata.configuration['delta.columnMapping.maxColumnId'], '13');
      });
    }
  }

  it('need the mapping for names that Parquet forbids', async () => {
    await assert.rejects(written('none', 'none', []), { code: 'invalid-schema', message: /column mapping/ });
  });
});

describe('a file size that the table asks for', () => {
  it('splits a write', async () => {
    const options = { store, engine, root: 'sized', schema: struct({ id: 'long', text: 'string' }) };
    const context = createContext(options);
    await createTable(context, { ...options, properties: { 'delta.targetFileSize': '64kb' } });
    const sql = `SELECT i AS id, md5(CAST(i AS VARCHAR)) AS text FROM range(400000) AS r(i)`;
    await appendRows(context, { source: { kind: 'sql', sql } });
    const state = await context.refresh();
    assert.ok(state.files.count > 1, `${state.files.count} files`);
    assert.equal(state.files.rowCount, 400000);
  });
});
