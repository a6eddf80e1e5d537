import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../adapters/sim/index.ts';
import { SimDisk } from '../../../adapters/sim-disk/index.ts';
import { createStreams } from '../service.ts';
import { appendTexts, newWorld, type World } from '../testing/open-streams.ts';
import { quietLogger, quietMetrics } from '../testing/quiet.ts';

const HOUR_MS = 3_600_000;

async function setUp(): Promise<World> {
  return newWorld(new SimDisk({ random: new SeededRandom(1) }).attach(), '/data');
}

const open = (world: World, capacity: 'off' | 'aws' = 'off') =>
  createStreams({
    ...world,
    random: new SeededRandom(1),
    logger: quietLogger,
    metrics: quietMetrics,
    capacity,
  });

const SHARD = 'shardId-000000000000';
const shared = { recordsMax: 100, bytesMax: 1_000_000, shared: true };

test('rates are what went through in the window, a second, and pass with it; totals stay', async () => {
  const world = await setUp();
  const streams = await open(world);
  await streams.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  world.clock.advance(20_000);
  // Key and data: 7 bytes each.
  await appendTexts(streams, 's', ...Array.from({ length: 30 }, () => 'text'));
  await streams.read(streams.shard('s', SHARD), 0, shared);
  // Not for users: not counted.
  await streams.read(streams.shard('s', SHARD), 0, { ...shared, shared: false });
  const after = async (ms: number) => {
    world.clock.advance(ms);
    const [{ rates, totals } = assert.fail()] = await streams.facts.streams();
    return [
      rates.inRecords,
      rates.inBytes,
      rates.outRecords,
      rates.outBytes,
      rates.windowMs,
      totals.inRecords,
    ];
  };
  assert.deepEqual(await after(0), [3, 21, 3, 21, 10_000, 30]);
  assert.deepEqual(await after(5_000), [2, 14, 2, 14, 15_000, 30]);
  assert.deepEqual(await after(5_000), [3, 21, 3, 21, 10_000, 30]);
  assert.deepEqual(await after(10_000), [0, 0, 0, 0, 10_000, 30]);
  await streams.close();
});

test('soon after a start the window is as long as the process runs', async () => {
  const world = await setUp();
  world.clock.advance(15_000);
  const streams = await open(world);
  await streams.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  world.clock.advance(2_000);
  await appendTexts(streams, 's', 'a', 'b');
  const [facts] = await streams.facts.streams();
  assert.deepEqual([facts!.rates.windowMs, facts!.rates.inRecords], [2_000, 1]);
  await streams.close();
});

test('what a subscription was sent counts, for each consumer, and its lag is told by shard', async () => {
  const world = await setUp();
  const streams = await open(world);
  await streams.create({ name: 's', shardCount: 2, mode: 'PROVISIONED' });
  const { shards } = await appendTexts(streams, 's', 'a', 'b', 'c', 'd');
  const shard = shards[0]!;
  world.clock.advance(1_000);
  for (const name of ['x', 'y']) {
    const subscription = streams.consumers.subscribe(await streams.consumers.register('s', name), shard, 0);
    subscription.sent({ nextOffset: 3, bytes: 12, arrivalMs: world.clock.nowMs() - 1_000 });
  }
  world.clock.advance(9_000);
  const page = await streams.facts.shards('s', { limit: 10 });
  const [facts] = page.shards.filter(({ shardId }) => shardId === shard.shardId);
  assert.deepEqual(
    facts!.consumers,
    ['x', 'y'].map((name) => ({ name, subscribed: true, lagRecords: 1, lagMs: 10_000 })),
  );
  assert.deepEqual([facts!.rates.outBytes, facts!.rates.outRecords], [2.4, 0.6]);
  assert.deepEqual(page.shards.find((other) => other !== facts)!.consumers, []);
  await streams.close();
});

test('the oldest record is known from its first moment, after a start, and as retention moves it', async () => {
  const world = await setUp();
  const first = await open(world);
  await first.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  await first.create({ name: 'empty', shardCount: 1, mode: 'PROVISIONED' });
  const startMs = world.clock.nowMs();
  const told = async (streams: typeof first) => {
    const facts = await streams.facts.streams();
    const { shards } = await streams.facts.shards('s', { limit: 1 });
    assert.equal(facts.find(({ name }) => name === 'empty')!.oldestArrivalMs, undefined);
    const { oldestArrivalMs, oldestAgeMs, records } = facts.find(({ name }) => name === 's')!;
    assert.deepEqual(
      [shards[0]!.oldestArrivalMs, shards[0]!.oldestAgeMs, shards[0]!.records],
      [oldestArrivalMs, oldestAgeMs, records],
    );
    return [oldestArrivalMs === undefined ? undefined : oldestArrivalMs - startMs, oldestAgeMs, records];
  };
  await appendTexts(first, 's', 'a');
  world.clock.advance(HOUR_MS);
  await appendTexts(first, 's', 'b');
  assert.deepEqual(await told(first), [0, HOUR_MS, 2]);
  await first.close();
  world.clock.dropTimers();
  const again = await open(world);
  assert.deepEqual(await told(again), [0, HOUR_MS, 2]);
  world.clock.dropTimers();
  world.clock.advance(23.5 * HOUR_MS);
  assert.deepEqual(await told(again), [HOUR_MS, 23.5 * HOUR_MS, 1]);
  world.clock.advance(HOUR_MS);
  assert.deepEqual(await told(again), [undefined, undefined, 0]);
  await appendTexts(again, 's', 'c');
  assert.deepEqual(await told(again), [25.5 * HOUR_MS, 0, 1]);
  await again.close();
});

test('shards are told page by page, with the numbers of their oldest and newest records', async () => {
  const world = await setUp();
  const streams = await open(world);
  await streams.create({ name: 's', shardCount: 3, mode: 'PROVISIONED' });
  const { shards, offsets } = await appendTexts(streams, 's', 'a', 'b');
  await streams.split('s', SHARD, 2n ** 100n);
  const first = await streams.facts.shards('s', { limit: 3 });
  const second = await streams.facts.shards('s', { startAfter: first.shards.at(-1)!.shardId, limit: 3 });
  assert.deepEqual([first.shards.length, first.more, second.shards.length, second.more], [3, true, 2, false]);
  assert.deepEqual(await streams.facts.shards('s', { startAfter: 'shardId-9', limit: 3 }), {
    shards: [],
    more: false,
  });
  assert.equal(first.shards[0]!.closedMs, world.clock.nowMs());
  const own = first.shards.find(({ shardId }) => shardId === shards[0]!.shardId)!;
  assert.deepEqual([own.records, Number(own.newest!.slice(-18)), offsets[1]], [2, 1, 1]);
  assert.ok(own.oldest! < own.newest!);
  await assert.rejects(streams.facts.shards('absent', { limit: 1 }), { code: 'stream-not-found' });
  await streams.close();
});

test('what is throttled and what is refused are told, and make a shard hot', async () => {
  const world = await setUp();
  const streams = await open(world, 'aws');
  await streams.create({ name: 's', shardCount: 8, mode: 'PROVISIONED' });
  world.clock.advance(1_000);
  const { throttled, shards } = await appendTexts(streams, 's', ...Array.from({ length: 1_005 }, () => 'x'));
  assert.equal(
    throttled!.reduce((sum, one) => sum + one, 0),
    5,
  );
  const shard = streams.shard('s', shards[0]!.shardId);
  for (let reads = 0; reads < 7; reads++) await streams.read(shard, 0, shared).catch(() => undefined);
  await assert.rejects(streams.append('s', { partitionKeys: ['other'], data: ['***='] }), {
    code: 'invalid',
  });
  const [facts] = await streams.facts.streams();
  const { throttledRecords, throttledReads, refusedRecords, inRecords } = facts!.totals;
  assert.deepEqual([inRecords, throttledRecords, throttledReads, refusedRecords], [1_000, 5, 2, 0]);
  assert.deepEqual([facts!.hotShards, facts!.hottest.map(({ shardId }) => shardId)], [1, [shard.shardId]]);
  await streams.close();
  world.clock.advance(2_000);
  await assert.rejects(appendTexts(streams, 's', 'late', 'later'), { code: 'overloaded' });
  assert.equal((await streams.facts.streams())[0]!.totals.refusedRecords, 2);
});
