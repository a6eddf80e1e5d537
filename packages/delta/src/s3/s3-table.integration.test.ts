/** Tables in a real S3 service, through DuckDB and the cache of local files. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type S3TestServer, startS3Server } from '../../test/s3-server.ts';
import { DuckDbEngine } from '../duckdb/index.ts';
import { commitName } from '../log/log-paths.ts';
import { struct } from '../schema/types.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { CachedStore } from '../store/cached-store.ts';
import { DeltaTable } from '../table.ts';
import type { OpenOptions } from '../table-context.ts';
import { S3Store, type S3StoreOptions } from './index.ts';

const CACHE_BYTES = 50_000_000;
const PROCESSES = 3;
const APPENDS = 6;

let unavailable: string | undefined;
let server: S3TestServer;
let directory: string;
let engine: DuckDbEngine;
let connection: DuckDBConnection;
const stores: S3Store[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-s3-table-'));
  const started = await startS3Server();
  if (!('endpoint' in started)) return void ({ unavailable } = started);
  server = started;
  engine = await DuckDbEngine.create({ threads: 2, memoryLimit: '500MB' });
  connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
});

after(async () => {
  rmSync(directory, { recursive: true, force: true });
  if (unavailable !== undefined) return;
  connection.closeSync();
  await engine.close();
  for (const store of stores) store.close();
  await server.stop();
});

function check(what: string, task: () => Promise<void>): void {
  it(what, async (context) => {
    if (unavailable !== undefined) return context.skip(unavailable);
    await task();
  });
}

interface Setting {
  options: OpenOptions;
  storeOptions: S3StoreOptions;
  store: S3Store;
  cached: CachedStore;
}

let caches = 0;

async function newSetting(): Promise<Setting> {
  const storeOptions = { bucket: await server.newBucket(), prefix: 'lake', client: server.client };
  const store = new S3Store(storeOptions);
  stores.push(store);
  const cached = await openCache(store);
  return { options: { store: cached, engine, root: 'db/t', now: Date.now }, storeOptions, store, cached };
}

function openCache(store: S3Store, cacheDirectory?: string): Promise<CachedStore> {
  const own = cacheDirectory ?? join(directory, `cache-${(caches += 1)}`);
  return CachedStore.open(store, { directory: own, sizeBytesMax: CACHE_BYTES });
}

const SCHEMA = struct({ day: 'date', id: 'long', name: 'string' });

function rows(first: number, count: number): { kind: 'rows'; rows: Record<string, unknown>[] } {
  return {
    kind: 'rows',
    rows: Array.from({ length: count }, (_, at) => ({
      day: `2026-01-0${1 + ((first + at) % 3)}`,
      id: first + at,
      name: `name ${first + at}`,
    })),
  };
}

async function idsOf(snapshot: Snapshot, where = 'true'): Promise<number[]> {
  const scan = await snapshot.scan();
  try {
    const result = await connection.runAndReadAll(`SELECT id FROM (${scan.sql}) WHERE ${where} ORDER BY id`);
    return result.getRowsJS().map(([id]) => Number(id));
  } finally {
    scan.release();
  }
}

const numbers = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => first + at);

describe('a table in S3', () => {
  check('is created, appended to, and read at any version', async () => {
    const { options, store } = await newSetting();
    const table = await DeltaTable.create({ ...options, schema: SCHEMA, partitionColumns: ['day'] });
    await assert.rejects(DeltaTable.create({ ...options, schema: SCHEMA }), { code: 'exists' });
    assert.equal((await table.append({ source: rows(0, 10) })).kind, 'committed');
    assert.equal((await table.append({ source: rows(10, 5) })).kind, 'committed');
    assert.deepEqual(await idsOf(await table.snapshot()), numbers(0, 15));
    assert.deepEqual(await idsOf(await table.snapshot({ version: 1 })), numbers(0, 10));
    assert.deepEqual(await idsOf(await table.snapshot(), `day = DATE '2026-01-01'`), [0, 3, 6, 9, 12]);
    const other = await DeltaTable.open({ ...options, store });
    assert.deepEqual(await idsOf(await other.snapshot()), numbers(0, 15));
    assert.deepEqual(
      (await other.history()).map(({ version }) => version),
      [2, 1, 0],
    );
    await assert.rejects(DeltaTable.open({ ...options, root: 'none' }), { code: 'not-a-table' });
  });

  check('is read from local files, fetched once and kept over a restart', async () => {
    const { options, store, cached } = await newSetting();
    const table = await DeltaTable.create({ ...options, schema: SCHEMA });
    for (const first of [0, 10, 20]) await table.append({ source: rows(first, 10) });
    const snapshot = await table.snapshot();
    assert.deepEqual(await idsOf(snapshot), numbers(0, 30));
    assert.deepEqual(await idsOf(snapshot), numbers(0, 30));
    assert.equal(cached.counts.fills, 3);
    assert.equal(cached.counts.pinnedBytes, 0);
    const again = await openCache(store, join(directory, `cache-${caches}`));
    const reopened = await DeltaTable.open({ ...options, store: again });
    assert.deepEqual(await idsOf(await reopened.snapshot()), numbers(0, 30));
    assert.equal(again.counts.fills, 0);
  });

  check('takes a batch with a txn once', async () => {
    const { options } = await newSetting();
    const table = await DeltaTable.create({ ...options, schema: SCHEMA });
    const batch = { source: rows(0, 4), txns: [{ appId: 'a', version: 1 }] };
    assert.equal((await table.append(batch)).kind, 'committed');
    assert.equal((await table.append(batch)).kind, 'already-committed');
    const racing = { source: rows(4, 4), txns: [{ appId: 'a', version: 2 }] };
    const others = await Promise.all([1, 2, 3].map(() => DeltaTable.open(options)));
    const outcomes = await Promise.all(others.map((other) => other.append(racing)));
    assert.equal(outcomes.filter(({ kind }) => kind === 'committed').length, 1);
    assert.deepEqual(await idsOf(await table.snapshot()), numbers(0, 8));
  });

  check('writes checkpoints, and is read from one', async () => {
    const { options, store } = await newSetting();
    const properties = { 'delta.checkpointInterval': '4' };
    const table = await DeltaTable.create({ ...options, schema: SCHEMA, properties });
    for (const first of numbers(0, 9)) await table.append({ source: rows(first, 1) });
    const names: string[] = [];
    for await (const { path } of store.list('db/t/_delta_log/')) names.push(path);
    assert.ok(
      names.some((path) => path.endsWith(`${'8'.padStart(20, '0')}.checkpoint.parquet`)),
      names.join(),
    );
    assert.ok(names.includes('db/t/_delta_log/_last_checkpoint'));
    for (const version of numbers(0, 8)) await store.delete(`db/t/_delta_log/${commitName(version)}`);
    const cold = await DeltaTable.open(options);
    assert.deepEqual(await idsOf(await cold.snapshot()), numbers(0, 9));
  });

  check('gives racing processes contiguous versions and loses no row', async () => {
    const { options, storeOptions } = await newSetting();
    const table = await DeltaTable.create({
      ...options,
      schema: struct({ writer: 'string', at: 'long' }),
      properties: { 'delta.checkpointInterval': '5' },
    });
    const worker = join(import.meta.dirname, '..', 'testing', 'append-worker.ts');
    const address = JSON.stringify({ kind: 's3', options: storeOptions });
    await Promise.all(
      numbers(0, PROCESSES).map((at) =>
        promisify(execFile)(execPath, [worker, address, 'db/t', `writer-${at}`, String(APPENDS)]),
      ),
    );
    const snapshot = await table.snapshot();
    assert.equal(snapshot.version, PROCESSES * APPENDS);
    assert.equal(snapshot.rowCount, PROCESSES * APPENDS * 2);
    const history = await table.history();
    assert.deepEqual(
      history.map(({ version }) => version),
      numbers(0, PROCESSES * APPENDS + 1).toReversed(),
    );
    const scan = await snapshot.scan();
    const sql = `SELECT writer, "at", count(*) AS n FROM (${scan.sql}) GROUP BY ALL`;
    const groups = (await connection.runAndReadAll(sql)).getRowObjectsJson();
    scan.release();
    assert.equal(groups.length, PROCESSES * APPENDS);
    assert.ok(groups.every(({ n }) => n === '2'));
  });
});
