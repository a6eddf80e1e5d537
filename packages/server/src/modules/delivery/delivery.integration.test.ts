import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { aggregate } from '@sluice/sdk/aggregated-record';
import { REJECTED_COLUMNS } from './rejected-table.ts';
import { openWorld, until, type World, type WorldOptions } from './testing/world.ts';

const COLUMNS = [
  { name: 'id', type: 'bigint' },
  { name: 'name', type: 'string' },
];
const AT_ONCE = { bufferingIntervalSeconds: 0, bufferingSizeMiB: 128, passthrough: {} };

async function world(t: TestContext, options: WorldOptions = {}): Promise<World> {
  const opened = await openWorld(options);
  t.after(() => opened.close());
  await opened.createTable('events', COLUMNS);
  return opened;
}

function put(world: World, stream: string, data: readonly (string | Uint8Array)[]): Promise<unknown> {
  return world.streams.append(stream, {
    partitionKeys: data.map((_, at) => `key-${at}`),
    data: data.map((each) => Buffer.from(each as string)),
  });
}

const ids = (rows: readonly Record<string, unknown>[]): number[] =>
  rows.map((row) => Number(row['id'])).sort((a, b) => a - b);
const range = (count: number, first = 0): number[] => Array.from({ length: count }, (_, at) => first + at);
const events = (count: number, first = 0): string[] =>
  range(count, first).map((id) => `{"id":${id},"name":"n${id}"}`);
const delivered = (world: World) => async () =>
  (await world.delivery.progress()).every((each) => each.lagRecords === 0);

for (const writer of ['worker', 'inline'] as const) {
  test(`a stream of four shards goes once into its table, rejected records beside it (${writer})`, async (t) => {
    const it = await world(t, { writer });
    await it.streams.create({ name: 'clicks', shardCount: 4, mode: 'PROVISIONED' });
    await it.delivery.create({
      name: 'd',
      source: { kind: 'stream', stream: 'clicks' },
      destination: { database: 'db', table: 'events', ...AT_ONCE },
    });
    await put(it, 'clicks', events(100));
    await until(delivered(it));
    await put(it, 'clicks', [
      '{"id":100}{"ID":"101"}',
      gzipSync('{"id":102}'),
      '{"id":1',
      '{"id":"x"}',
      Uint8Array.of(0xff),
    ]);
    await put(it, 'clicks', events(100, 103));
    await until(delivered(it));
    assert.deepEqual(ids(await it.rows('events')), range(203));
    const rejected = await it.rows('events_rejected');
    assert.deepEqual(rejected.map((row) => row['error_code']).sort(), [
      'malformed-json',
      'not-utf8',
      'type-mismatch',
    ]);
    assert.deepEqual(rejected.map((row) => row['data'] ?? row['data_base64']).sort(), [
      '/w==',
      '{"id":"x"}',
      '{"id":1',
    ]);
    const [progress] = await it.delivery.progress();
    assert.equal(progress!.rowsDelivered, 203);
    assert.equal(progress!.recordsRejected, 3);
    assert.equal(progress!.state, 'ACTIVE');
  });
}

test('goes on where the table stands after a restart, and delivers nothing twice', async (t) => {
  const it = await world(t);
  await it.streams.create({ name: 'clicks', shardCount: 2, mode: 'PROVISIONED' });
  await it.delivery.create({
    name: 'd',
    source: { kind: 'stream', stream: 'clicks' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  for (let round = 0; round < 4; round++) {
    await put(it, 'clicks', events(50, round * 50));
    if (round % 2 === 0) await it.restart();
  }
  await until(delivered(it));
  assert.deepEqual(ids(await it.rows('events')), range(200));
});

test('aggregated records are delivered once across restarts, rejected parts with both of their numbers', async (t) => {
  const it = await world(t);
  await it.streams.create({ name: 'clicks', shardCount: 1, mode: 'PROVISIONED' });
  await it.delivery.create({
    name: 'd',
    source: { kind: 'stream', stream: 'clicks' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  for (let round = 0; round < 4; round++) {
    const users = [...events(50, round * 50), `{"id":"x${round}"}`];
    await put(it, 'clicks', [
      aggregate(users.map((data, at) => ({ partitionKey: `u${at}`, data: Buffer.from(data) }))),
    ]);
    if (round % 2 === 0) await it.restart();
  }
  await until(delivered(it));
  assert.deepEqual(ids(await it.rows('events')), range(200));
  const rejected = await it.rows('events_rejected');
  assert.deepEqual(
    rejected.map((row) => [row['data'], Number(row['sub_sequence_number']), row['partition_key']]),
    range(4).map((round) => [`{"id":"x${round}"}`, 50, 'u50']),
  );
  assert.equal(new Set(rejected.map((row) => row['sequence_number'])).size, 4);
});

test('a table of rejected records that was made before aggregated records gets their column', async (t) => {
  const it = await world(t);
  const before = REJECTED_COLUMNS.filter(({ name }) => name !== 'sub_sequence_number');
  await it.createTable('events_rejected', before);
  await it.delivery.create({
    name: 'd',
    source: { kind: 'direct' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  const part = { partitionKey: 'u', data: Buffer.from('no') };
  await it.delivery.put('d', [Buffer.from('no'), aggregate([part, part])]);
  await until(delivered(it));
  const numbers = (await it.rows('events_rejected')).map((row) => row['sub_sequence_number']);
  assert.deepEqual(
    numbers.map((number) => (number === null ? null : Number(number))),
    [null, 0, 1],
  );
});

test('what waits for its interval goes out when the interval is made shorter', async (t) => {
  const it = await world(t);
  const destination = { database: 'db', table: 'events', ...AT_ONCE, bufferingIntervalSeconds: 900 };
  await it.delivery.create({ name: 'd', source: { kind: 'direct' }, destination });
  await it.delivery.put(
    'd',
    events(3).map((each) => Buffer.from(each)),
  );
  await until(async () => (await it.delivery.progress())[0]!.lagMs > 50);
  assert.equal(await it.count('events'), 0);
  await it.delivery.update('d', { expectedVersionId: '1', destination: { bufferingIntervalSeconds: 0 } });
  await until(delivered(it));
  assert.deepEqual(ids(await it.rows('events')), range(3));
});

test('a direct put is delivered, also after a restart, and a delivery is deleted only when empty', async (t) => {
  const it = await world(t);
  await it.delivery.create({
    name: 'd',
    source: { kind: 'direct' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  const first = await it.delivery.put(
    'd',
    events(3).map((each) => Buffer.from(each)),
  );
  assert.equal(new Set(first).size, 3);
  await it.restart();
  await it.delivery.put(
    'd',
    events(3, 3).map((each) => Buffer.from(each).toString('base64')),
  );
  assert.deepEqual(it.streams.list({ limit: 10 }).streams, []);
  await it.delivery.delete('d');
  assert.deepEqual(ids(await it.rows('events')), range(6));
  await assert.rejects(it.delivery.describe('d'), { code: 'delivery-not-found' });
  await assert.rejects(it.delivery.put('d', ['']), { code: 'delivery-not-found' });
});

test('a table that is gone makes it FAILING with the reason, and it goes on when the table is back', async (t) => {
  const it = await world(t, { limits: { drainMsMax: 50, retryMsMax: 50 } });
  await it.delivery.create({
    name: 'd',
    source: { kind: 'direct' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  await it.delivery.put(
    'd',
    events(2).map((each) => Buffer.from(each)),
  );
  await until(delivered(it));
  await it.catalog.deleteTable('db', 'events');
  await it.delivery.put(
    'd',
    events(2, 2).map((each) => Buffer.from(each)),
  );
  await until(async () => (await it.delivery.describe('d')).state === 'FAILING');
  assert.match((await it.delivery.describe('d')).failure!, /events/);
  const [progress] = await it.delivery.progress();
  assert.equal(progress!.lagRecords, 2);
  await assert.rejects(it.delivery.delete('d'), { code: 'in-use' });
  await it.createTable('events', COLUMNS);
  await until(delivered(it));
  assert.equal((await it.delivery.describe('d')).state, 'ACTIVE');
  assert.deepEqual(ids(await it.rows('events')), range(4));
});

test('a stream that is gone makes it FAILING; one made anew is delivered from its beginning', async (t) => {
  const it = await world(t, { limits: { retryMsMax: 50 } });
  await it.streams.create({ name: 'clicks', shardCount: 1, mode: 'PROVISIONED' });
  await it.delivery.create({
    name: 'd',
    source: { kind: 'stream', stream: 'clicks' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  await put(it, 'clicks', events(2));
  await until(delivered(it));
  await it.streams.delete('clicks');
  await until(async () => (await it.delivery.describe('d')).state === 'FAILING');
  await it.streams.create({ name: 'clicks', shardCount: 1, mode: 'PROVISIONED' });
  await put(it, 'clicks', events(2, 2));
  await until(async () => (await it.count('events')) === 4);
  assert.deepEqual(ids(await it.rows('events')), range(4));
});

test('evolve adds columns in the commit that needs them', async (t) => {
  const it = await world(t);
  await it.createTable('open', COLUMNS, { 'sluice.unknown-fields': 'evolve' });
  await it.delivery.create({
    name: 'd',
    source: { kind: 'direct' },
    destination: { database: 'db', table: 'open', ...AT_ONCE },
  });
  await it.delivery.put(
    'd',
    ['{"id":1,"price":1.5}', '{"id":2,"price":"no"}', '{"id":3,"at":{"x":[1]}}'].map((each) =>
      Buffer.from(each),
    ),
  );
  await until(delivered(it));
  await it.delivery.put('d', [Buffer.from('{"id":4,"price":2}')]);
  await until(delivered(it));
  const rows = (await it.rows('open')).sort((a, b) => Number(a['id']) - Number(b['id']));
  assert.deepEqual(
    rows.map((row) => [row['id'], row['price'], row['at']]),
    [
      [1, 1.5, null],
      [3, null, { x: [1] }],
      [4, 2, null],
    ],
  );
  assert.equal((await it.rows('open_rejected'))[0]!['error_code'], 'type-mismatch');
});

test('another table: what was delivered stays behind, what comes goes there', async (t) => {
  const it = await world(t);
  await it.createTable('later', COLUMNS);
  await it.delivery.create({
    name: 'd',
    source: { kind: 'direct' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  await it.delivery.put(
    'd',
    events(3).map((each) => Buffer.from(each)),
  );
  await until(delivered(it));
  const change = { expectedVersionId: '1', destination: { table: 'later' } };
  assert.equal((await it.delivery.update('d', change)).versionId, '2');
  await assert.rejects(it.delivery.update('d', change), { code: 'version-mismatch' });
  await it.delivery.put(
    'd',
    events(3, 3).map((each) => Buffer.from(each)),
  );
  await it.restart();
  await until(delivered(it));
  assert.deepEqual([ids(await it.rows('events')), ids(await it.rows('later'))], [range(3), range(3, 3)]);
});

test('latest begins with what comes after', async (t) => {
  const it = await world(t);
  await it.streams.create({ name: 'clicks', shardCount: 2, mode: 'PROVISIONED' });
  await put(it, 'clicks', events(10));
  await it.delivery.create({
    name: 'd',
    source: { kind: 'stream', stream: 'clicks', startAt: 'latest' },
    destination: { database: 'db', table: 'events', ...AT_ONCE },
  });
  await put(it, 'clicks', events(10, 10));
  await until(delivered(it));
  assert.deepEqual(ids(await it.rows('events')), range(10, 10));
});

test('refuses what it cannot do, by code', async (t) => {
  const it = await world(t);
  const destination = { database: 'db', table: 'events', ...AT_ONCE };
  const direct = { kind: 'direct' } as const;
  await it.delivery.create({ name: 'd', source: direct, destination });
  const cases: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['delivery-exists', () => it.delivery.create({ name: 'd', source: direct, destination })],
    ['invalid', () => it.delivery.create({ name: 'no space', source: direct, destination })],
    [
      'invalid',
      () =>
        it.delivery.create({
          name: 'e',
          source: direct,
          destination: { ...destination, bufferingIntervalSeconds: 901 },
        }),
    ],
    [
      'invalid',
      () =>
        it.delivery.create({
          name: 'e',
          source: direct,
          destination: { ...destination, bufferingSizeMiB: 0 },
        }),
    ],
    [
      'table-not-found',
      () => it.delivery.create({ name: 'e', source: direct, destination: { ...destination, table: 'none' } }),
    ],
    [
      'source-not-found',
      () => it.delivery.create({ name: 'f', source: { kind: 'stream', stream: 'none' }, destination }),
    ],
    ['delivery-not-found', () => it.delivery.describe('none')],
    ['delivery-not-found', () => it.delivery.delete('none')],
    ['invalid', () => it.delivery.put('d', [])],
  ];
  for (const [code, attempt] of cases) await assert.rejects(attempt(), { code });
  assert.deepEqual(await it.delivery.list({ limit: 10 }), { names: ['d'], more: false });
});
