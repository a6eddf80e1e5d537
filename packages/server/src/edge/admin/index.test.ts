import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSigV4 } from '../http/index.ts';
import { startTestServer, testClock, testLogger } from '../http/testing/fixture.ts';
import type { TableMaintenance } from '../../modules/catalog/index.ts';
import type { StreamDescription } from '../../modules/streams/index.ts';
import { createAdminRoutes, type RoleState, type ServerStatus } from './index.ts';

const stream = (name: string): StreamDescription => ({
  name,
  createdMs: 1,
  retentionHours: 24,
  mode: 'PROVISIONED',
  tags: {},
  internal: false,
  status: 'ACTIVE',
  settings: {
    recordBytesMax: 1_048_576,
    shardLevelMetrics: [],
    policy: undefined,
    scalingsMs: [],
    modeChangesMs: [],
    encryption: undefined,
  },
  shards: [
    { uid: 1, shardId: 's', hashKeyStart: 0n, hashKeyEnd: 1n, openedMs: 1, trimOffset: 5, nextOffset: 12 },
  ],
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

function routes(roles: () => RoleState[]) {
  const names = ['a', 'b', 'c'];
  return createAdminRoutes({
    roles,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    streams: {
      list({ startAfter = '' }) {
        const [name, ...rest] = names.filter((candidate) => candidate > startAfter);
        return { streams: name === undefined ? [] : [stream(name)], more: rest.length > 0 };
      },
    },
    delivery: { progress: async () => [] },
    catalog: { overview: async () => [] },
    upkeep: { status: () => ({ tables: [] }) },
    consumers: { facts: () => [] },
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
    const metrics = await fetch(`${server.url}/metrics`);
    assert.deepEqual(
      [metrics.headers.get('content-type'), await metrics.text()],
      ['text/plain; version=0.0.4', 'up 1\n'],
    );
    const other = await fetch(`${server.url}/healthy`);
    assert.equal(other.status, 404);
  } finally {
    await server.close();
  }
});

test('status is for those who sign, and pages through every stream', async () => {
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
