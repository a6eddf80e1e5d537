import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSigV4 } from '../http/index.ts';
import { startTestServer, testClock, testLogger } from '../http/testing/fixture.ts';
import type { TableMaintenance } from '../../modules/catalog/index.ts';
import { PlatformError } from '../../base/errors.ts';
import type { ConsumerShardFacts, StreamFacts } from '../../modules/streams/index.ts';
import { createAdminRoutes, type RoleState, type ServerStatus } from './index.ts';
import { SCRAPED_STREAMS_MAX } from './stream-metrics.ts';

const AMOUNTS = {
  inBytes: 0,
  inRecords: 0,
  outBytes: 0,
  outRecords: 0,
  throttledRecords: 0,
  throttledReads: 0,
};
const stream = (name: string): StreamFacts => ({
  name,
  createdMs: 1,
  retentionHours: 24,
  mode: 'PROVISIONED',
  shards: 1,
  openShards: 1,
  records: 7,
  rates: { ...AMOUNTS, windowMs: 10_000 },
  totals: { ...AMOUNTS, inRecords: 12, refusedRecords: 3 },
  hotShards: 0,
  hottest: [],
  oldestAgeMs: 1_500,
  readersBehindMs: 0,
});

const lagging = (lagMs: number): ConsumerShardFacts => ({
  shardId: 's',
  subscribed: true,
  subscribedMs: 1,
  nextOffset: 1,
  lagRecords: 1,
  lagMs,
});

const unexpected = () => Promise.reject(new Error('not expected'));
const NO_MAINTENANCE: TableMaintenance = {
  history: unexpected,
  detail: unexpected,
  optimize: unexpected,
  vacuum: unexpected,
  restore: unexpected,
  diff: unexpected,
  fsck: unexpected,
};

function routes(roles: () => RoleState[], { names = ['a', 'b', 'c'], asked = [] as unknown[] } = {}) {
  return createAdminRoutes({
    roles,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    streams: {
      facts: {
        streams: async () => names.map(stream),
        shards: async (name, page) => {
          if (name !== 'a')
            throw new PlatformError({ code: 'stream-not-found', message: `no "${name}"`, retry: 'never' });
          asked.push(page);
          return { shards: [], more: true };
        },
      },
    },
    delivery: { progress: async () => [] },
    catalog: { overview: async () => [] },
    upkeep: { status: () => ({ tables: [] }) },
    consumers: {
      facts: () => [
        { stream: 'a', consumer: 'app', createdMs: 1, shards: [lagging(40), lagging(700)] },
        { stream: 'left out', consumer: 'app', createdMs: 1, shards: [] },
      ],
    },
    maintenance: NO_MAINTENANCE,
    logger: testLogger(),
    version: '0.1.0',
    uptimeMs: () => 42,
  });
}

test('health says what runs, and 503 when something does not', async () => {
  let state: RoleState['state'] = 'running';
  const server = await startTestServer({
    routes: routes(() => [
      { name: 'edge', state: 'running' },
      { name: 'query', state },
    ]),
  });
  try {
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    state = 'failed';
    const failed = await fetch(`${server.url}/health?deep=1`);
    assert.equal(failed.status, 503);
    assert.deepEqual(await failed.json(), {
      status: 'unavailable',
      version: '0.1.0',
      roles: [
        { name: 'edge', state: 'running' },
        { name: 'query', state: 'failed' },
      ],
    });
    const other = await fetch(`${server.url}/healthy`);
    assert.equal(other.status, 404);
  } finally {
    await server.close();
  }
});

test('status is for those who sign, and tells of every stream', async () => {
  const signed = await startTestServer({
    routes: routes(() => []),
    authenticate: createSigV4({ identity: { secretOf: () => undefined }, clock: testClock() }),
  });
  const open = await startTestServer({ routes: routes(() => []) });
  try {
    assert.equal((await fetch(`${signed.url}/status`)).status, 403);
    const status = (await (await fetch(`${open.url}/status`)).json()) as ServerStatus;
    assert.deepEqual(
      status.streams.map(({ name, records }) => [name, records]),
      [
        ['a', 7],
        ['b', 7],
        ['c', 7],
      ],
    );
    assert.equal(status.uptimeMs, 42);
  } finally {
    await signed.close();
    await open.close();
  }
});

test('a scrape tells of streams by name, of the furthest behind of a consumer, and of how many are left out', async () => {
  const many = Array.from({ length: SCRAPED_STREAMS_MAX + 2 }, (_, index) => `s${index}`);
  const few = await startTestServer({ routes: routes(() => [], { names: ['a', 'b"\\'] }) });
  const more = await startTestServer({ routes: routes(() => [], { names: many }) });
  try {
    const metrics = await fetch(`${few.url}/metrics`);
    assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4');
    const lines = (await metrics.text()).split('\n');
    assert.equal(lines[0], 'up 1');
    for (const line of [
      '# TYPE sluice_stream_in_records_total counter',
      'sluice_stream_in_records_total{stream="a"} 12',
      'sluice_stream_in_records_total{stream="b\\"\\\\"} 12',
      'sluice_stream_refused_records_total{stream="a"} 3',
      'sluice_stream_oldest_record_age_seconds{stream="a"} 1.5',
      'sluice_consumer_lag_seconds{stream="a",consumer="app"} 0.7',
      'sluice_streams_left_out 0',
    ])
      assert.ok(lines.includes(line), line);
    assert.ok(!lines.some((line) => line.includes('left out",')));
    const bounded = await (await fetch(`${more.url}/metrics`)).text();
    assert.equal(bounded.match(/^sluice_stream_open_shards\{/gm)!.length, SCRAPED_STREAMS_MAX);
    assert.match(bounded, /^sluice_streams_left_out 2$/m);
  } finally {
    await few.close();
    await more.close();
  }
});

test('shards of a stream are told page by page, to those who sign', async () => {
  const asked: unknown[] = [];
  const made = routes(() => [], { asked });
  const signed = await startTestServer({
    routes: made,
    authenticate: createSigV4({ identity: { secretOf: () => undefined }, clock: testClock() }),
  });
  const open = await startTestServer({ routes: made });
  const post = (url: string, body: unknown) =>
    fetch(`${url}/streams/shards`, { method: 'POST', body: JSON.stringify(body) });
  try {
    assert.equal((await post(signed.url, { stream: 'a' })).status, 403);
    assert.deepEqual(await (await post(open.url, { stream: 'a' })).json(), { shards: [], more: true });
    await post(open.url, { stream: 'a', startAfter: 's', limit: 5 });
    assert.deepEqual(asked, [
      { startAfter: undefined, limit: 1_000 },
      { startAfter: 's', limit: 5 },
    ]);
    for (const [body, status] of [
      [{ stream: 'absent' }, 404],
      [{}, 400],
      [{ stream: 'a', limit: 0 }, 400],
      [{ stream: 'a', limit: 1_001 }, 400],
      [{ stream: 'a', shard: 's' }, 400],
    ] as const)
      assert.equal((await post(open.url, body)).status, status, JSON.stringify(body));
  } finally {
    await signed.close();
    await open.close();
  }
});
