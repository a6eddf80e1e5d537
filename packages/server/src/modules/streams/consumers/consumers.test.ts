import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../adapters/sim/index.ts';
import { SimDisk } from '../../../adapters/sim-disk/index.ts';
import { appendTexts, newWorld, openStreams } from '../testing/open-streams.ts';
import type { Wake } from './api.ts';
import { CONSUMERS_PER_STREAM_MAX, KEEP_ALIVE_MS, SUBSCRIPTION_MS_MAX, TAKEOVER_MS_MIN } from './limits.ts';

async function setUp() {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const world = await newWorld(disk.attach(), '/data');
  const streams = await openStreams(world);
  await streams.create({ name: 's', shardCount: 2, mode: 'PROVISIONED' });
  const shard = streams.shard('s', 'shardId-000000000000');
  return { world, streams, shard, consumers: streams.consumers, clock: world.clock };
}

const rejects = (work: Promise<unknown>, code: string) =>
  assert.rejects(work, (error: Error & { code?: string }) => error.code === code);
const throws = (work: () => unknown, code: string) =>
  assert.throws(work, (error: Error & { code?: string }) => error.code === code);

test('consumers, with their tags, are there after a start, and gone with their stream', async () => {
  const { world, streams, consumers } = await setUp();
  await streams.create({ name: 'other', shardCount: 1, mode: 'PROVISIONED' });
  await consumers.register('other', 'kept', { a: '1' });
  const app = await consumers.register('s', 'app');
  const removed = await consumers.register('s', 'removed');
  await consumers.setTags(app, { b: '2' });
  await consumers.deregister(removed);
  await streams.close();
  const again = await openStreams(world);
  assert.deepEqual(
    again.consumers.list('s').map(({ name, createdMs, tags }) => ({ name, createdMs, tags })),
    [{ name: 'app', createdMs: app.createdMs, tags: { b: '2' } }],
  );
  await again.delete('s');
  await again.close();
  const last = await openStreams(world);
  assert.deepEqual(last.consumers.list('s'), []);
  assert.deepEqual(last.consumers.find('other', 'kept')?.tags, { a: '1' });
  await last.close();
});

test('names are taken once, also by two at the same time, and are bounded', async () => {
  const { streams, consumers } = await setUp();
  const both = await Promise.allSettled([consumers.register('s', 'a'), consumers.register('s', 'a')]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  await rejects(consumers.register('s', 'a'), 'consumer-exists');
  await rejects(consumers.register('absent', 'a'), 'stream-not-found');
  const names = Array.from({ length: CONSUMERS_PER_STREAM_MAX }, (_, index) => `b${index}`);
  const all = await Promise.allSettled(names.map((name) => consumers.register('s', name)));
  assert.equal(all.filter(({ status }) => status === 'rejected').length, 1);
  await rejects(consumers.register('s', 'more'), 'limit-exceeded');
  const app = consumers.find('s', 'a')!;
  await consumers.deregister(app);
  await rejects(consumers.deregister(app), 'consumer-not-found');
  await consumers.register('s', 'more');
  const racing = consumers.register('s', 'racing').catch((error: Error & { code?: string }) => error.code);
  await streams.delete('s');
  await racing;
  assert.deepEqual(consumers.list('s'), []);
  await streams.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  assert.deepEqual(consumers.list('s'), []);
});

test('a commit wakes a subscription; time alone gives signs of life and then the end', async () => {
  const { streams, consumers, shard, clock } = await setUp();
  const subscription = consumers.subscribe(await consumers.register('s', 'app'), shard, 0);
  const order: (Wake | 'appended')[] = [];
  const waited = subscription.wait(0).then((wake) => order.push(wake));
  const put = () => streams.append('s', { partitionKeys: ['k'], explicitHashKeys: ['0'], data: ['YQ=='] });
  await put();
  order.push('appended');
  await waited;
  assert.ok(order.includes('records'));
  assert.equal(await subscription.wait(0), 'records', 'what is there needs no wake');
  subscription.sent({ nextOffset: 1, bytes: 2, arrivalMs: clock.nowMs() });
  const idle = subscription.wait(1);
  clock.advance(KEEP_ALIVE_MS);
  assert.equal(await idle, 'idle');
  subscription.sent({ nextOffset: 1, bytes: 0 });
  clock.advance(KEEP_ALIVE_MS - 1);
  const again = subscription.wait(1);
  clock.advance(KEEP_ALIVE_MS);
  assert.equal(await again, 'idle');
  clock.advance(SUBSCRIPTION_MS_MAX);
  assert.equal(subscription.ended, 'expired');
  assert.equal(await subscription.whenEnded, 'expired');
  assert.equal(await subscription.wait(1), 'ended');
  subscription.end('left');
  assert.equal(subscription.ended, 'expired');
});

test('a consumer has one subscription to a shard, which the next takes over', async () => {
  const { streams, consumers, shard, clock } = await setUp();
  const app = await consumers.register('s', 'app');
  const first = consumers.subscribe(app, shard, 0);
  throws(() => consumers.subscribe(app, shard, 0), 'subscription-active');
  clock.advance(TAKEOVER_MS_MIN);
  const waiting = first.wait(0);
  const second = consumers.subscribe(app, shard, 0);
  assert.equal(await waiting, 'ended');
  assert.equal(first.ended, 'taken-over');
  const other = await consumers.register('s', 'other');
  const third = consumers.subscribe(other, shard, 0);
  second.end('left');
  const fourth = consumers.subscribe(app, shard, 0);
  await consumers.deregister(app);
  assert.equal(fourth.ended, 'deregistered');
  throws(() => consumers.subscribe(app, shard, 0), 'consumer-not-found');
  await streams.delete('s');
  assert.equal(third.ended, 'deregistered');
});

test('facts say how far each consumer is, subscribed or not', async () => {
  const { streams, consumers, shard, clock } = await setUp();
  await appendTexts(streams, 's', 'a');
  const { shardId } = streams.describe('s').shards.find(({ nextOffset }) => nextOffset > 0)!;
  const ref = shardId === shard.shardId ? shard : streams.shard('s', shardId);
  const subscription = consumers.subscribe(await consumers.register('s', 'app'), ref, 0);
  const startMs = clock.nowMs();
  clock.advance(1_000);
  const facts = () => consumers.facts()[0]!;
  assert.deepEqual(facts(), {
    stream: 's',
    consumer: 'app',
    createdMs: startMs,
    shards: [
      { shardId, subscribed: true, subscribedMs: startMs, nextOffset: 0, lagRecords: 1, lagMs: 1_000 },
    ],
  });
  subscription.sent({ nextOffset: 1, bytes: 2, arrivalMs: startMs });
  assert.deepEqual([facts().shards[0]!.lagRecords, facts().shards[0]!.lagMs], [0, 0]);
  subscription.end('left');
  await appendTexts(streams, 's', 'b', 'c');
  clock.advance(500);
  const { subscribed, lagRecords, lagMs } = facts().shards[0]!;
  assert.deepEqual({ subscribed, lagRecords, lagMs }, { subscribed: false, lagRecords: 2, lagMs: 1_500 });
});

test('a stop ends subscriptions', async () => {
  const { streams, consumers, shard } = await setUp();
  const subscription = consumers.subscribe(await consumers.register('s', 'app'), shard, 0);
  const waiting = subscription.wait(0);
  await streams.close();
  assert.equal(await waiting, 'ended');
  assert.equal(subscription.ended, 'left');
});
