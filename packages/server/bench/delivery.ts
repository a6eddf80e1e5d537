/**
 * Stream → table with the real log, row writer, DuckDB and files: rows/s sustained while records are appended as fast
 * as delivery keeps up with, and how old a record is when its version is visible.
 */

import { openWorld, until, type World } from '../src/modules/delivery/testing/world.ts';
import { createReport, median, type Report } from './support/report.ts';

const ROUNDS = 3;
const SHARDS = 4;
const RECORDS_PER_APPEND = 500;
const APPENDS_AT_ONCE = 4;
const SUSTAINED_MS = 15_000;
/** Records not yet delivered beyond which appends wait: as a producer that is held back by limits. */
const LAG_RECORDS_MAX = 1_500_000;
const GOAL_ROWS = 200_000;
const GOAL_FRESHNESS_MS = 5_000;
/** Of the freshness runs: a steady rate well below the limit. */
const STEADY_ROWS_PER_SECOND = 50_000;
const COLUMNS = [
  { name: 'id', type: 'bigint' },
  { name: 'at', type: 'timestamp' },
  { name: 'user', type: 'string' },
  { name: 'price', type: 'double' },
  { name: 'ok', type: 'boolean' },
  { name: 'page', type: 'string' },
  { name: 'n', type: 'int' },
];

export async function run(report: Report): Promise<void> {
  const [rates, loaded]: [number[], number[]] = [[], []];
  for (let round = 1; round <= ROUNDS; round++) {
    const { rowsPerSecond, p99Ms } = await sustained();
    rates.push(rowsPerSecond);
    loaded.push(p99Ms);
    report.say(`  round ${round}: ${Math.round(rowsPerSecond)} rows/s, p99 ${Math.round(p99Ms)} ms`);
  }
  report.add({
    bench: 'delivery',
    work: `stream → table, ${SHARDS} shards, ${record(0).length} B rows`,
    unit: 'rows/s',
    value: median(rates),
    rounds: rates,
    goal: { text: `≥ ${GOAL_ROWS} rows/s`, met: median(rates) >= GOAL_ROWS },
    note: 'the producer is in the same process; rows count from the first append to the commit of the last',
  });
  report.add({
    bench: 'delivery',
    work: 'freshness p99 at full load, interval 5 s',
    unit: 'ms',
    value: median(loaded),
    rounds: loaded,
    goal: { text: `≤ ${GOAL_FRESHNESS_MS} ms`, met: median(loaded) <= GOAL_FRESHNESS_MS },
  });
  for (const interval of [5, 0]) {
    const { p50Ms, p99Ms } = await steady(interval);
    report.add({
      bench: 'delivery',
      work: `freshness p99 at ${STEADY_ROWS_PER_SECOND} rows/s, interval ${interval} s`,
      unit: 'ms',
      value: p99Ms,
      rounds: [p99Ms],
      goal: { text: `≤ ${GOAL_FRESHNESS_MS} ms`, met: p99Ms <= GOAL_FRESHNESS_MS },
      note: `p50 ${Math.round(p50Ms)} ms; a record's age when the version that holds it is visible`,
    });
  }
}

async function sustained(): Promise<{ rowsPerSecond: number; p99Ms: number }> {
  const world = await prepare(5);
  try {
    const ages = watchAges(world);
    const startMs = performance.now();
    let sent = 0;
    const producer = async (): Promise<void> => {
      while (performance.now() - startMs < SUSTAINED_MS) {
        while (sent - (await visible(world)) > LAG_RECORDS_MAX) await pause(20);
        sent += RECORDS_PER_APPEND;
        await world.streams.append('source', REQUEST);
        ages.sent(sent);
      }
    };
    await Promise.all(Array.from({ length: APPENDS_AT_ONCE }, producer));
    await until(async () => (await visible(world)) >= sent);
    const seconds = (performance.now() - startMs) / 1000;
    return { rowsPerSecond: sent / seconds, ...(await ages.end()) };
  } finally {
    await world.close();
  }
}

async function steady(interval: number): Promise<{ p50Ms: number; p99Ms: number }> {
  const world = await prepare(interval);
  try {
    const ages = watchAges(world);
    const startMs = performance.now();
    let sent = 0;
    while (performance.now() - startMs < SUSTAINED_MS) {
      const target = ((performance.now() - startMs) / 1000) * STEADY_ROWS_PER_SECOND;
      while (sent < target) {
        sent += RECORDS_PER_APPEND;
        await world.streams.append('source', REQUEST);
        ages.sent(sent);
      }
      await pause(5);
    }
    await until(async () => (await visible(world)) >= sent);
    return await ages.end();
  } finally {
    await world.close();
  }
}

async function prepare(bufferingIntervalSeconds: number): Promise<World> {
  const world = await openWorld();
  await world.createTable('events', COLUMNS);
  await world.streams.create({ name: 'source', shardCount: SHARDS, mode: 'PROVISIONED' });
  await world.delivery.create({
    name: 'bench',
    source: { kind: 'stream', stream: 'source' },
    destination: {
      database: 'db',
      table: 'events',
      bufferingIntervalSeconds,
      bufferingSizeMiB: 128,
      passthrough: {},
    },
  });
  return world;
}

/** Ages of appends when the rows up to them are visible; every append counts as one sample. */
function watchAges(world: World): {
  sent(count: number): void;
  end(): Promise<{ p50Ms: number; p99Ms: number }>;
} {
  const waiting: { count: number; atMs: number }[] = [];
  const ages: number[] = [];
  let first = 0;
  const state = { ended: false };
  const collect = async (): Promise<void> => {
    while (!state.ended || first < waiting.length) {
      const rows = await visible(world);
      const nowMs = performance.now();
      for (; first < waiting.length && waiting[first]!.count <= rows; first++)
        ages.push(nowMs - waiting[first]!.atMs);
      await pause(10);
    }
  };
  const collecting = collect();
  return {
    sent: (count) => void waiting.push({ count, atMs: performance.now() }),
    async end() {
      state.ended = true;
      await collecting;
      const sorted = ages.sort((a, b) => a - b);
      const at = (share: number) =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
      return { p50Ms: at(0.5), p99Ms: at(0.99) };
    },
  };
}

async function visible(world: World): Promise<number> {
  const [progress] = await world.delivery.progress();
  return progress!.rowsDelivered;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function record(id: number): string {
  return JSON.stringify({
    id: 1_000_000_000 + id,
    at: new Date(1_767_225_600_000 + id * 1000).toISOString(),
    user: `user-${id % 9973}`,
    price: id * 1.25,
    ok: id % 2 === 0,
    page: `/catalogue/products/${id}/details`,
    n: id,
  });
}

const REQUEST = {
  partitionKeys: Array.from({ length: RECORDS_PER_APPEND }, (_, at) => `key-${at * 7919}`),
  data: Array.from({ length: RECORDS_PER_APPEND }, (_, at) => Buffer.from(record(at))),
};

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
