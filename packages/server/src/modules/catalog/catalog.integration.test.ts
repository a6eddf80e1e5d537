import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { LocalStore } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { openSqliteMetaStore } from '../../adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../../adapters/system/index.ts';
import type { MetaStore } from '../../ports/meta-store.ts';
import type { Logger } from '../../ports/observe.ts';
import {
  createCatalog,
  createDeltaTables,
  type Catalog,
  type DeltaTables,
  type TableInput,
} from './index.ts';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const [clock, random] = [createSystemClock(), createSystemRandom()];

let engine: DuckDbEngine;
let dataDirectory: string;
let meta: MetaStore;
let catalog: Catalog;
let delta: DeltaTables;

before(async () => {
  engine = await DuckDbEngine.create();
});
after(() => engine.close());
beforeEach(async () => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'sluice-catalog-'));
  meta = await openSqliteMetaStore(':memory:');
  delta = createDeltaTables({ engine, storeFor: (root) => new LocalStore(root), clock, random, logger });
  catalog = await open();
  await catalog.createDatabase({ name: 'Sales', description: 'all of it' });
});
afterEach(async () => {
  await meta.close();
  rmSync(dataDirectory, { recursive: true });
});

function open(tables = delta): Promise<Catalog> {
  return createCatalog({ meta, clock, logger, dataDirectory, tables });
}

const ORDERS: TableInput = {
  name: 'Orders',
  columns: [
    { name: 'id', type: 'bigint', comment: 'unique' },
    { name: 'lines', type: 'array<struct<sku:string,count:int>>' },
  ],
  partitionKeys: [{ name: 'day', type: 'date' }],
  parameters: { table_type: 'DELTA', 'delta.appendOnly': 'true', owner: 'me' },
};

describe('the catalogue', () => {
  test('keeps databases under lower-case names', async () => {
    const database = await catalog.database('SALES');
    assert.equal(database.name, 'sales');
    assert.match(database.locationUri, /^file:\/\/\/.*\/sales$/);
    await assert.rejects(catalog.createDatabase({ name: 'sales' }), { code: 'database-exists' });
    await assert.rejects(catalog.database('other'), { code: 'database-not-found' });
    await assert.rejects(catalog.createDatabase({ name: 'x', locationUri: 'file:///etc' }), {
      code: 'unsupported',
    });
  });

  test('pages through databases', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await catalog.createDatabase({ name });
    const seen: string[] = [];
    let token: string | undefined;
    do {
      const page = await catalog.databases({ limit: 2, ...(token !== undefined && { token }) });
      seen.push(...page.items.map((item) => item.name));
      token = page.next;
    } while (token !== undefined);
    assert.deepEqual(seen, ['a', 'b', 'c', 'd', 'sales']);
    await assert.rejects(catalog.databases({ limit: 2, token: 'nonsense' }), { code: 'invalid' });
  });

  test('creates a Delta table and reads its columns from the log', async () => {
    const created = await catalog.createTable('sales', ORDERS);
    const { columns, partitionKeys, parameters } = ORDERS;
    assert.deepEqual(
      { ...created, createdMs: 0, updatedMs: 0 },
      {
        database: 'sales',
        name: 'orders',
        columns,
        partitionKeys,
        parameters,
        location: created.location,
        createdMs: 0,
        updatedMs: 0,
        versionId: 0,
      },
    );
    assert.deepEqual(await catalog.table('Sales', 'ORDERS'), created);
    await assert.rejects(catalog.createTable('sales', ORDERS), { code: 'table-exists' });
    await assert.rejects(catalog.createTable('none', ORDERS), { code: 'database-not-found' });
    await assert.rejects(catalog.table('sales', 'none'), { code: 'table-not-found' });
    await assert.rejects(
      catalog.createTable('sales', {
        ...ORDERS,
        name: 'bad',
        parameters: { ...parameters, 'delta.nonsense': '1' },
      }),
      { code: 'invalid' },
    );
  });

  test('gives everyone the same handle', async () => {
    await catalog.createTable('sales', ORDERS);
    const [one, two] = await Promise.all([catalog.open('sales', 'orders'), catalog.open('sales', 'orders')]);
    assert.equal(one.delta, two.delta);
    await one.delta.append({ source: { kind: 'rows', rows: [{ id: 1, day: '2024-01-01' }] } });
    assert.equal((await two.snapshot()).rowCount, 1);
    const [overview] = await catalog.overview();
    assert.deepEqual(
      { ...overview, sizeBytes: 0, committedMs: 0 },
      { database: 'sales', name: 'orders', version: 1, files: 1, sizeBytes: 0, rows: 1, committedMs: 0 },
    );
  });

  test('adds columns to the log and keeps the version before', async () => {
    await catalog.createTable('sales', ORDERS);
    const columns = [...ORDERS.columns, { name: 'note', type: 'string' }];
    const updated = await catalog.updateTable('sales', { ...ORDERS, columns, description: 'new' });
    assert.equal(updated.versionId, 1);
    assert.deepEqual(updated.columns, columns);
    assert.equal(updated.description, 'new');
    await assert.rejects(catalog.updateTable('sales', ORDERS), { code: 'unsupported', message: /"note"/ });
    await assert.rejects(
      catalog.updateTable('sales', {
        ...ORDERS,
        columns: [],
        partitionKeys: [{ name: 'id', type: 'bigint' }],
      }),
      { code: 'unsupported' },
    );
    await assert.rejects(
      catalog.updateTable('sales', { ...ORDERS, columns: [], location: `${updated.location}2` }),
      { code: 'unsupported' },
    );
    await assert.rejects(catalog.updateTable('sales', { ...ORDERS, name: 'none' }), {
      code: 'table-not-found',
    });
  });

  test('shows a column that someone else added to the log', async () => {
    await catalog.createTable('sales', ORDERS);
    const { delta: table } = await catalog.open('sales', 'orders');
    await table.alter.addColumns([{ name: 'extra', type: 'double', nullable: true, metadata: {} }]);
    assert.equal((await catalog.table('sales', 'orders')).columns.at(-1)?.name, 'extra');
  });

  test('forgets a deleted table, keeps its files, and takes them back', async () => {
    await catalog.createTable('sales', ORDERS);
    const { delta: table } = await catalog.open('sales', 'orders');
    await table.append({ source: { kind: 'rows', rows: [{ id: 1, day: '2024-01-01' }] } });
    await assert.rejects(catalog.deleteDatabase('sales'), { code: 'database-not-empty' });
    await catalog.deleteTable('sales', 'orders');
    await assert.rejects(catalog.table('sales', 'orders'), { code: 'table-not-found' });
    await assert.rejects(
      catalog.createTable('sales', { ...ORDERS, columns: [{ name: 'other', type: 'int' }] }),
      { code: 'invalid', message: /id bigint/ },
    );
    await catalog.createTable('sales', { ...ORDERS, columns: [], partitionKeys: [] });
    assert.equal((await (await catalog.open('sales', 'orders')).snapshot()).rowCount, 1);
    await catalog.deleteTable('sales', 'orders');
    await catalog.deleteDatabase('sales');
    await assert.rejects(catalog.deleteDatabase('sales'), { code: 'database-not-found' });
  });

  test('survives a crash between log and row: the same request succeeds', async () => {
    const crashing = await open({
      ...delta,
      create: async (root, table) => {
        await delta.create(root, table);
        throw new Error('crash');
      },
    });
    await assert.rejects(crashing.createTable('sales', ORDERS), /crash/);
    const again = await open();
    await assert.rejects(again.table('sales', 'orders'), { code: 'table-not-found' });
    await again.createTable('sales', ORDERS);
    assert.deepEqual((await again.table('sales', 'orders')).columns, ORDERS.columns);
  });

  test('lets one of many creators win', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => catalog.createTable('sales', ORDERS)),
    );
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    for (const result of results)
      if (result.status === 'rejected') assert.equal(result.reason.code, 'table-exists');
  });

  test('makes changes of one table one after another', async () => {
    await catalog.createTable('sales', ORDERS);
    const updates = Array.from({ length: 5 }, (_, at) =>
      catalog.updateTable('sales', { ...ORDERS, columns: [], description: `change ${at}` }),
    );
    const versions = (await Promise.all(updates)).map((table) => table.versionId);
    assert.deepEqual(versions.toSorted(), [1, 2, 3, 4, 5]);
  });

  test('lists tables by pattern and page, also one whose files are gone', async () => {
    for (const name of ['a1', 'a2', 'b1', 'a3']) await catalog.createTable('sales', { ...ORDERS, name });
    rmSync(join(dataDirectory, 'sales', 'a2'), { recursive: true });
    const fresh = await open();
    const first = await fresh.tables('sales', { limit: 2, expression: 'a*' });
    assert.deepEqual(
      first.items.map((item) => item.name),
      ['a1', 'a2'],
    );
    const second = await fresh.tables('sales', { limit: 2, expression: 'a*', token: first.next! });
    assert.deepEqual([second.items.map((item) => item.name), second.next], [['a3'], undefined]);
    await assert.rejects(fresh.table('sales', 'a2'), { code: 'table-not-found', hint: /files were removed/ });
  });
});
