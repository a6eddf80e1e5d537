import assert from 'node:assert/strict';
import { test } from 'node:test';
import { terminalOn } from '../terminal/terminal.ts';
import type { StatusReport } from './report.ts';
import { renderStatus } from './render.ts';

const AMOUNTS = {
  inBytes: 0,
  inRecords: 0,
  outBytes: 0,
  outRecords: 0,
  throttledRecords: 0,
  throttledReads: 0,
};
const terminal = terminalOn({ write: () => undefined }, {});
const empty: StatusReport = {
  version: '0.1.0',
  uptimeMs: 61_000,
  roles: [{ name: 'edge', state: 'running' }],
  streams: [],
  deliveries: [],
  tables: [],
  upkeep: { tables: [] },
  consumers: [],
};
const busy: StatusReport = {
  ...empty,
  roles: [
    { name: 'edge', state: 'running' },
    { name: 'query', state: 'failed', reason: 'no memory' },
  ],
  streams: [
    {
      name: 'flights',
      mode: 'PROVISIONED',
      shards: 4,
      openShards: 3,
      retentionHours: 24,
      createdMs: 0,
      records: 12_000,
      rates: { ...AMOUNTS, inBytes: 1_200_000, inRecords: 450, outBytes: 30_000, windowMs: 12_000 },
      totals: { ...AMOUNTS, throttledRecords: 120, refusedRecords: 1 },
      hotShards: 2,
      hottest: [{ shardId: 'shardId-000000000003', inBytes: 900_000, inRecords: 400 }],
      oldestArrivalMs: 0,
      oldestAgeMs: 65_000,
      readersBehindMs: 0,
    },
  ],
  deliveries: [
    {
      name: 'd',
      table: 'a.b',
      state: 'FAILING',
      failure: 'no column "x"',
      lagRecords: 7,
      lagMs: 1500,
      rowsDelivered: 5000,
      recordsRejected: 1,
      fieldsIgnored: 0,
    },
  ],
  tables: [
    { database: 'a', name: 'b', version: 3, files: 2, sizeBytes: 3000, rows: undefined, committedMs: 0 },
  ],
  upkeep: {
    tables: [
      {
        table: 'a.b',
        checkpoints: 1,
        compactions: 2,
        filesRemoved: 40,
        filesAdded: 4,
        bytesRewritten: 3000,
        lastMs: 0,
      },
    ],
  },
  consumers: [{ stream: 'flights', name: 'app', shardsSubscribed: 3, shards: 4, lagRecords: 20, lagMs: 700 }],
};

test('an empty server says what to do', () => {
  assert.deepEqual(renderStatus({ report: empty, atMs: 0 }, terminal, { endpoint: 'http://x' }), [
    'Sluice 0.1.0 · http://x · up 1 min 1 s',
    '● edge',
    '',
    'Streams',
    '  none yet: CreateStream makes one, or try "sluice demo"',
    '',
    'Deliveries',
    '  none',
    '',
    'Tables',
    '  none',
  ]);
});

test('a busy server shows lag, rates and what fails', () => {
  const before = {
    report: { ...busy, streams: busy.streams.map((stream) => ({ ...stream, records: 11_000 })) },
    atMs: 8000,
  };
  assert.deepEqual(renderStatus({ report: busy, atMs: 10_000 }, terminal, { endpoint: 'http://x', before }), [
    'Sluice 0.1.0 · http://x · not healthy',
    '● edge  ● query failed (no memory)',
    '',
    'Streams',
    ' stream  │   shards │ records │ per s │        in │       out │    oldest │ kept',
    '─────────┼──────────┼─────────┼───────┼───────────┼───────────┼───────────┼──────',
    ' flights │ 4, 2 hot │  12,000 │   500 │ 1.20 MB/s │ 30.0 kB/s │ 1 min 5 s │  1 d',
    '  flights: shardId-000000000003 is hot: 900 kB/s, 400 records/s',
    '  flights: and 1 other hot shard',
    '  flights: 120 records throttled, 1 record refused since the start',
    '',
    'Consumers',
    ' consumer │ stream  │ subscribed │ waiting │    lag',
    '──────────┼─────────┼────────────┼─────────┼────────',
    ' app      │ flights │     3 of 4 │      20 │ 700 ms',
    '',
    'Deliveries',
    ' delivery │ table │ state     │   lag │ waiting │ delivered │ per s │ rejected',
    '──────────┼───────┼───────────┼───────┼─────────┼───────────┼───────┼──────────',
    ' d        │ a.b   │ ● failing │ 1.5 s │       7 │     5,000 │     0 │        1',
    '  d: no column "x"',
    '',
    'Tables',
    ' table │ rows │    size │ files │  a file │ version │  changed │ upkeep',
    '───────┼──────┼─────────┼───────┼─────────┼─────────┼──────────┼───────────────────────────',
    ' a.b   │    ? │ 3.00 kB │     2 │ 1.50 kB │       3 │ 10 s ago │ 40 files into 4, 10 s ago',
  ]);
});

test('a server that tells nothing of what goes through its streams is shown as far as it is known', () => {
  const { name, mode, shards, retentionHours, createdMs, records } = busy.streams[0]!;
  const report = { ...empty, streams: [{ name, mode, shards, retentionHours, createdMs, records }] };
  const lines = renderStatus({ report, atMs: 0 }, terminal, { endpoint: 'http://x' });
  assert.deepEqual(lines.slice(3, 8), [
    'Streams',
    ' stream  │ shards │ records │ per s │ in │ out │ oldest │ kept',
    '─────────┼────────┼─────────┼───────┼────┼─────┼────────┼──────',
    ' flights │      4 │  12,000 │       │    │     │        │  1 d',
    '',
  ]);
});
