import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../adapters/sim/index.ts';
import { SimDisk } from '../../adapters/sim-disk/index.ts';
import { appendTexts, newWorld, openStreams, readAll, textsOf } from './testing/open-streams.ts';

const HOUR_MS = 3_600_000;
const ALL = { recordsMax: 1_000, bytesMax: 1_000_000 };
/** Each append goes into a segment of its own, and nothing stays in memory. */
const SMALL = { segmentBytesMax: 200, tailBytesMax: 0, readCacheBytesMax: 0, indexCacheBytesMax: 0 };

async function setUp(limits = {}) {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const world = await newWorld(disk.attach(), '/data');
  const streams = await openStreams(world, limits);
  await streams.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  return { disk, world, streams, shard: streams.shard('s', 'shardId-000000000000') };
}
type SetUp = Awaited<ReturnType<typeof setUp>>;
const segments = ({ disk }: SetUp) => disk.paths().filter((path) => path.endsWith('.seg'));
/** A sweep acts on the time when it begins: the one after the long wait sees all of it. */
async function pass({ world }: SetUp, ms: number): Promise<void> {
  for (const step of [ms, 60_001]) {
    world.clock.advance(step);
    await settle();
  }
}
/** Lets sweeps and what they start come to an end: over simulated parts all of it is microtasks. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('records come back in order, from memory and from segments, with limits obeyed', async () => {
  for (const limits of [{}, SMALL]) {
    const { streams, shard } = await setUp(limits);
    for (let index = 0; index < 20; index++) await appendTexts(streams, 's', `a${index}`, `b${index}`);
    const expected = Array.from({ length: 20 }, (_, index) => [`a${index}`, `b${index}`]).flat();
    assert.deepEqual(await readAll(streams, shard), expected);
    assert.deepEqual(await readAll(streams, shard, 7), expected.slice(7));
    const few = await streams.read(shard, 3, { recordsMax: 2, bytesMax: 1_000 });
    assert.deepEqual([textsOf(few), few.nextOffset, few.tailOffset], [['b1', 'a2'], 5, 40]);
    const atTail = await streams.read(shard, 40, ALL);
    assert.deepEqual([atTail.runs, atTail.nextOffset, atTail.millisBehindLatest], [[], 40, 0]);
  }
});

test('a waiting reader wakes on a commit, on an abort and on the end of its stream', async () => {
  const { streams, shard } = await setUp();
  await appendTexts(streams, 's', 'first');
  await streams.waitFor(shard, 0);
  const order: string[] = [];
  const woken = streams.waitFor(shard, 2).then(() => order.push('woken'));
  await appendTexts(streams, 's', 'second');
  order.push('second');
  await appendTexts(streams, 's', 'third');
  await woken;
  assert.deepEqual(order, ['second', 'woken']);
  const controller = new AbortController();
  const aborted = assert.rejects(streams.waitFor(shard, 99, controller.signal), /enough/);
  const ended = streams.waitFor(shard, 99);
  controller.abort(new Error('enough'));
  await aborted;
  await streams.delete('s');
  await ended;
  await streams.waitFor(shard, 99);
});

test('a deleted stream is unreadable at once, and one of its name starts anew', async () => {
  const { streams, shard } = await setUp();
  await appendTexts(streams, 's', 'old');
  await streams.delete('s');
  await assert.rejects(streams.read(shard, 0, ALL), { code: 'shard-not-found' });
  assert.throws(() => streams.describe('s'), { code: 'stream-not-found' });
  await assert.rejects(appendTexts(streams, 's', 'x'), { code: 'stream-not-found' });
  await streams.create({ name: 's', shardCount: 1, mode: 'ON_DEMAND' });
  const again = streams.shard('s', 'shardId-000000000000');
  assert.notEqual(again.uid, shard.uid);
  assert.deepEqual(await readAll(streams, again), []);
});

test('streams, tags, retention and holds outlive a restart', async () => {
  const { world, streams } = await setUp();
  await streams.create({
    name: 'hidden',
    shardCount: 2,
    mode: 'PROVISIONED',
    internal: true,
    tags: { a: 'b' },
  });
  await streams.setRetention('hidden', 48);
  await streams.setTags('s', { x: 'y' });
  await assert.rejects(streams.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' }), {
    code: 'stream-exists',
  });
  await assert.rejects(streams.setRetention('s', 23), { code: 'invalid' });
  await streams.close();
  const again = await openStreams(world);
  assert.deepEqual(
    again.list({ limit: 10 }).streams.map((stream) => stream.name),
    ['s'],
  );
  const hidden = again.describe('hidden');
  assert.deepEqual([hidden.retentionHours, hidden.tags, hidden.shards.length], [48, { a: 'b' }, 2]);
  assert.deepEqual(again.describe('s').tags, { x: 'y' });
});

test('retention hides what is old and removes whole segments; a hold keeps them (I6)', async () => {
  const run = await setUp(SMALL);
  const { streams, shard, world } = run;
  await streams.hold('s', 'delivery', new Map([[shard.shardId, 1]]));
  for (const text of ['a', 'b', 'c']) {
    await appendTexts(streams, 's', text, `${text}2`);
    world.clock.advance(HOUR_MS);
    await settle();
  }
  await pass(run, 21.5 * HOUR_MS);
  assert.equal(streams.shard('s', shard.shardId).trimOffset, 1);
  assert.deepEqual(await readAll(streams, shard), ['a2', 'b', 'b2', 'c', 'c2']);
  const before = segments(run).length;
  await streams.hold('s', 'delivery', new Map());
  world.clock.advance(60_001);
  await settle();
  assert.deepEqual(await readAll(streams, shard), ['b', 'b2', 'c', 'c2']);
  assert.ok(segments(run).length < before);
  await pass(run, 3 * HOUR_MS);
  assert.deepEqual(await readAll(streams, shard), []);
  assert.deepEqual((await appendTexts(streams, 's', 'd')).offsets, Float64Array.of(6));
  await streams.close();
  const again = await openStreams(world, SMALL);
  assert.deepEqual(await readAll(again, shard), ['d']);
});

test('a longer retention of one stream keeps the segment and not the records of another', async () => {
  const { streams, shard, world } = await setUp();
  await streams.create({ name: 'long', shardCount: 1, mode: 'PROVISIONED' });
  await streams.setRetention('long', 72);
  await appendTexts(streams, 's', 'short');
  await appendTexts(streams, 'long', 'long');
  world.clock.advance(25 * HOUR_MS);
  await settle();
  assert.deepEqual(await readAll(streams, shard), []);
  assert.deepEqual(await readAll(streams, streams.shard('long', shard.shardId)), ['long']);
});

test('a position in time is the first record that arrived then or later', async () => {
  for (const limits of [{}, SMALL]) {
    const { streams, shard, world } = await setUp(limits);
    const times: number[] = [];
    for (const text of ['a', 'b', 'c']) {
      times.push(world.clock.nowMs());
      await appendTexts(streams, 's', text, text);
      world.clock.advance(1_000);
    }
    assert.equal(await streams.offsetAt(shard, 0), 0);
    assert.deepEqual(await Promise.all(times.map((time) => streams.offsetAt(shard, time))), [0, 2, 4]);
    assert.equal(await streams.offsetAt(shard, times[1]! + 1), 4);
    assert.equal(await streams.offsetAt(shard, world.clock.nowMs()), 6);
  }
});

test('a full disk refuses, loses nothing and goes on when there is space (I1)', async () => {
  const { disk, streams, shard, world } = await setUp({ roomBytes: 0 });
  await appendTexts(streams, 's', 'kept');
  disk.capacityBytes = disk.usedBytes() + 50;
  for (let attempt = 0; attempt < 3; attempt++)
    await assert.rejects(appendTexts(streams, 's', 'x'.repeat(100)), {
      code: 'storage-full',
      retry: 'backoff',
    });
  assert.deepEqual(await readAll(streams, shard), ['kept']);
  disk.capacityBytes = Infinity;
  assert.deepEqual((await appendTexts(streams, 's', 'after')).offsets, Float64Array.of(1));
  disk.losePower();
  const again = await openStreams({ ...world, disk: disk.attach() });
  assert.deepEqual(await readAll(again, shard), ['kept', 'after']);
});

test('after a failed sync nothing is acknowledged until a restart, which keeps what was', async () => {
  const { disk, streams, shard, world } = await setUp();
  await appendTexts(streams, 's', 'kept');
  disk.failSyncs = 1;
  await assert.rejects(appendTexts(streams, 's', 'unknown'), { code: 'storage-failed' });
  await assert.rejects(appendTexts(streams, 's', 'later'), { code: 'storage-failed' });
  assert.deepEqual(await readAll(streams, shard), ['kept']);
  disk.killProcess();
  const again = await openStreams({ ...world, disk: disk.attach() });
  const seen = await readAll(again, shard);
  assert.equal(seen[0], 'kept');
  disk.losePower();
  const last = await openStreams({ ...world, disk: disk.attach() });
  assert.deepEqual(await readAll(last, shard), seen, 'what was read after the restart stays (I3)');
});

test('a failed sync is told once to whoever must start a new process', async () => {
  const { disk, world } = await setUp();
  disk.killProcess();
  let failures = 0;
  const streams = await openStreams({ ...world, disk: disk.attach(), onFailed: () => (failures += 1) });
  disk.failSyncs = 1;
  for (const text of ['unknown', 'later']) {
    await assert.rejects(appendTexts(streams, 's', text), { code: 'storage-failed' });
  }
  assert.equal(failures, 1);
});

test('a torn tail is cut; damage before it stops the start (I4)', async () => {
  const { disk, streams, shard, world } = await setUp({ roomBytes: 0 });
  for (const text of ['a', 'b', 'c']) await appendTexts(streams, 's', text);
  const path = '/data/journal/0000000001.seg';
  const size = disk.contentOf(path)!.length;
  disk.corrupt(path, size - 8, (byte) => byte ^ 1);
  disk.killProcess();
  const cut = await openStreams({ ...world, disk: disk.attach() });
  assert.deepEqual(await readAll(cut, shard), ['a', 'b'], 'without a later batch it is a torn tail');
  await appendTexts(cut, 's', 'd');
  await cut.close();
  disk.corrupt(path, disk.contentOf(path)!.length - 72, (byte) => byte ^ 1);
  await assert.rejects(openStreams({ ...world, disk: disk.attach() }), {
    code: 'damaged',
    message: /0000000001\.seg at byte/,
  });
});

test('room behind the batches is cut at the end, by a restart and where the disk is full', async () => {
  const { disk, streams, shard, world } = await setUp({ roomBytes: 4_096 });
  const path = '/data/journal/0000000001.seg';
  const size = (): number => disk.contentOf(path)!.length;
  await appendTexts(streams, 's', 'a');
  const withRoom = size();
  await appendTexts(streams, 's', 'b');
  assert.equal(size(), withRoom, 'the second group lies in the room of the first');
  disk.losePower();
  const again = await openStreams({ ...world, disk: disk.attach() }, { roomBytes: 4_096 });
  assert.deepEqual(await readAll(again, shard), ['a', 'b']);
  const cut = size();
  assert.ok(cut < withRoom - 3_000, 'the room is not part of the log');
  disk.capacityBytes = disk.usedBytes() + 400;
  await appendTexts(again, 's', 'c');
  assert.ok(size() - cut <= 400, 'without space for room the group is written alone');
  disk.capacityBytes = Infinity;
  await appendTexts(again, 's', 'd');
  assert.ok(size() > cut + 4_096);
  await again.close();
  assert.ok(size() < cut + 1_000, 'a clean end leaves no room');
  const last = await openStreams({ ...world, disk: disk.attach() });
  assert.deepEqual(await readAll(last, shard), ['a', 'b', 'c', 'd']);
});

test('damage in a sealed segment is reported to its readers, a broken index is made again', async () => {
  const { disk, streams, shard, world } = await setUp(SMALL);
  for (const text of ['a', 'b', 'c']) await appendTexts(streams, 's', text);
  await streams.close();
  disk.corrupt('/data/journal/0000000001.idx', 70, (byte) => byte ^ 1);
  const again = await openStreams({ ...world, disk: disk.attach() }, SMALL);
  assert.deepEqual(await readAll(again, shard), ['a', 'b', 'c']);
  const path = '/data/journal/0000000002.seg';
  disk.corrupt(path, disk.contentOf(path)!.length - 8, (byte) => byte ^ 1);
  assert.equal((await again.read(shard, 0, { recordsMax: 1, bytesMax: 10 })).nextOffset, 1);
  await assert.rejects(again.read(shard, 1, ALL), { code: 'damaged', message: /0000000002\.seg/ });
});

test('a segment file that is missing is damage, not an old record', async () => {
  const { streams, shard, world } = await setUp(SMALL);
  for (const text of ['a', 'b', 'c']) await appendTexts(streams, 's', text);
  await streams.close();
  await world.disk.remove('/data/journal/0000000002.seg');
  const again = await openStreams(world, SMALL);
  await assert.rejects(again.read(shard, 1, ALL), { code: 'damaged' });
});

test('more than the bound on unsynced bytes is refused, and what was taken is kept', async () => {
  const { streams, shard } = await setUp({ unsyncedBytesMax: 2_000 });
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, () => appendTexts(streams, 's', 'x'.repeat(500))),
  );
  const refused = results.filter((result) => result.status === 'rejected');
  assert.ok(
    refused.length > 0 && refused.every(({ reason }) => (reason as { code: string }).code === 'overloaded'),
  );
  assert.equal((await readAll(streams, shard)).length, 10 - refused.length);
  await appendTexts(streams, 's', 'again');
});

test('an append of nothing, of bad base64 or of too much is refused whole', async () => {
  const { streams, shard } = await setUp({ batchBytesMax: 10_000 });
  await assert.rejects(streams.append('s', { partitionKeys: [], data: [] }), { code: 'invalid' });
  await assert.rejects(streams.append('s', { partitionKeys: ['a', 'b'], data: ['YWJj', '?'] }), {
    code: 'invalid',
    message: /record 1/,
  });
  await assert.rejects(streams.append('s', { partitionKeys: ['a'], data: [Buffer.alloc(10_000)] }), {
    code: 'invalid',
  });
  assert.deepEqual(await readAll(streams, shard), []);
});

test('syncs do not grow with shards: appends that wait share the next one', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  let syncs = 0;
  const attached = disk.attach();
  const counting = {
    ...attached,
    open: async (...args: Parameters<typeof attached.open>) => {
      const file = await attached.open(...args);
      return { ...file, sync: () => (syncs++, file.sync()) };
    },
  };
  const streams = await openStreams(await newWorld(counting, '/data'));
  await streams.create({ name: 'wide', shardCount: 1_000, mode: 'PROVISIONED' });
  syncs = 0;
  await Promise.all(
    Array.from({ length: 1_000 }, (_, index) =>
      streams.append('wide', { partitionKeys: [`k${index}`], data: [''] }),
    ),
  );
  assert.ok(syncs <= 3, `${syncs} syncs`);
});
