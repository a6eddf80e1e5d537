/** The upkeep over real tables, with a clock that the test moves. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { LocalStore } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { SeededRandom, SimClock } from '../../../adapters/sim/index.ts';
import { createMetrics } from '../../../adapters/prometheus/index.ts';
import { openSqliteMetaStore } from '../../../adapters/sqlite/index.ts';
import type { MetaStore } from '../../../ports/meta-store.ts';
import type { Logger } from '../../../ports/observe.ts';
import { createCatalog, createDeltaTables, startUpkeep, type Catalog, type Upkeep } from '../index.ts';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const DAY_MS = 24 * 3_600_000;

let engine: DuckDbEngine;
let directory: string;
let meta: MetaStore;
let catalog: Catalog;
let clock: SimClock;
let upkeep: Upkeep;

before(async () => {
  engine = await DuckDbEngine.create({ threads: 1 });
});
after(() => engine.close());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-upkeep-'));
  meta = await openSqliteMetaStore(':memory:');
  clock = new SimClock(Date.now());
  const tables = createDeltaTables({
    engine,
    storeFor: (root) => new LocalStore(root),
    clock,
    random: new SeededRandom(1),
    logger,
    checkpoints: 'manual',
  });
  catalog = await createCatalog({ meta, clock, logger, dataDirectory: directory, tables });
  await catalog.createDatabase({ name: 'lake' });
  upkeep = startUpkeep({ tables: () => catalog.places(), clock, logger, metrics: createMetrics() });
});
afterEach(async () => {
  await upkeep.close();
  await meta.close();
  rmSync(directory, { recursive: true });
});

async function createTable(name: string, parameters: Record<string, string> = {}): Promise<string> {
  await catalog.createTable('lake', {
    name,
    columns: [{ name: 'id', type: 'bigint' }],
    partitionKeys: [],
    parameters: { table_type: 'DELTA', ...parameters },
  });
  return (await catalog.open('lake', name)).root;
}

async function append(name: string, batches: number): Promise<void> {
  const { delta } = await catalog.open('lake', name);
  for (let at = 0; at < batches; at++) await delta.append({ source: { kind: 'rows', rows: [{ id: at }] } });
}

async function idsOf(name: string): Promise<unknown[]> {
  const { delta } = await catalog.open('lake', name);
  const ids: unknown[] = [];
  for await (const { id } of delta.rows()) ids.push(id);
  return ids.sort();
}

test('joins small files and writes checkpoints, and nothing when nothing is due', async () => {
  const root = await createTable('events');
  await append('events', 12);
  const checkpoints = () =>
    readdirSync(join(root, '_delta_log')).filter((name) => name.includes('checkpoint.'));
  assert.deepEqual(checkpoints(), [], 'whoever commits leaves them to the upkeep');
  await upkeep.round();
  assert.equal(checkpoints().length, 1);
  const { delta } = await catalog.open('lake', 'events');
  const snapshot = await delta.snapshot();
  assert.equal(snapshot.fileCount, 1);
  assert.equal((await idsOf('events')).length, 12);
  const [status] = upkeep.status().tables;
  assert.deepEqual(
    [status?.table, status?.compactions, status?.filesRemoved, status?.filesAdded, status?.checkpoints],
    ['lake.events', 1, 12, 1, 1],
  );
  await upkeep.round();
  assert.equal((await delta.snapshot()).version, snapshot.version, 'no commit without need');
});

test('leaves tables alone that say so', async () => {
  await createTable('raw', { 'delta.autoOptimize.autoCompact': 'false' });
  await append('raw', 12);
  await upkeep.round();
  const { delta } = await catalog.open('lake', 'raw');
  assert.equal((await delta.snapshot()).fileCount, 12);
});

test('removes what has expired, at most once a day', async () => {
  const root = await createTable('events');
  await append('events', 12);
  await upkeep.round();
  const dataFiles = () => readdirSync(root).filter((name) => name.endsWith('.parquet')).length;
  assert.equal(dataFiles(), 13, 'the joined files stay for those who read older versions');
  clock.advance(9 * DAY_MS);
  await upkeep.round();
  assert.equal(dataFiles(), 1);
  assert.equal((await idsOf('events')).length, 12);
});

test('shows a table on which work fails, leaves it alone for a while, and goes on with others', async () => {
  const broken = await createTable('broken');
  await createTable('sound');
  for (const name of ['broken', 'sound']) await append(name, 12);
  writeFileSync(join(broken, '_delta_log', `${'13'.padStart(20, '0')}.json`), 'not an action');
  await upkeep.round();
  const failureOf = (table: string) => upkeep.status().tables.find((each) => each.table === table)?.failure;
  assert.match(failureOf('lake.broken') ?? '', /0013\.json/);
  assert.equal(failureOf('lake.sound'), undefined);
  assert.equal((await (await catalog.open('lake', 'sound')).snapshot()).fileCount, 1);
  rmSync(join(broken, '_delta_log', `${'13'.padStart(20, '0')}.json`));
  await upkeep.round();
  assert.match(failureOf('lake.broken') ?? '', /json/, 'it is left alone for a while');
  clock.advance(11 * 60_000);
  await upkeep.round();
  assert.equal(failureOf('lake.broken'), undefined);
});
