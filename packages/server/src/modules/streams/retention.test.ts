import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../adapters/sim/index.ts';
import { SimDisk } from '../../adapters/sim-disk/index.ts';
import { appendTexts, newWorld, openStreams, readAll } from './testing/open-streams.ts';

const HOUR_MS = 3_600_000;
const idOf = (number: number): string => `shardId-${String(number).padStart(12, '0')}`;

test('a shard that goes on with one which is still there is there too', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const world = await newWorld(disk.attach(), '/data');
  const streams = await openStreams(world);
  await streams.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  await appendTexts(streams, 's', 'held');
  await streams.hold('s', 'delivery', new Map([[idOf(0), 0]]));
  await streams.split('s', idOf(0), 2n ** 127n);
  // Both are closed at once and never have a record.
  await streams.merge('s', { lower: idOf(1), upper: idOf(2) });
  const there = (): string[] => streams.describe('s').shards.map(({ shardId }) => shardId);
  const pass = (): Promise<void> =>
    world.clock.advanceSettling(26 * HOUR_MS, () => new Promise((resolve) => setImmediate(resolve)));
  await pass();
  assert.deepEqual(there(), [0, 1, 2, 3].map(idOf));
  assert.deepEqual(
    streams.children(streams.shard('s', idOf(0))).map(({ shardId }) => shardId),
    [idOf(1), idOf(2)],
  );
  await streams.hold('s', 'delivery', new Map());
  await pass();
  assert.deepEqual(there(), [idOf(3)]);
  await streams.close();
});

test('what has expired stays gone when records are kept for longer, after a start too', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const world = await newWorld(disk.attach(), '/data');
  const first = await openStreams(world);
  await first.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  await appendTexts(first, 's', 'old');
  world.clock.advance(23 * HOUR_MS);
  await appendTexts(first, 's', 'new');
  await first.setRetention('s', 25);
  world.clock.dropTimers();
  world.clock.advance(1.5 * HOUR_MS);
  assert.deepEqual(await readAll(first, first.shard('s', idOf(0))), ['old', 'new'], 'it had not expired');
  await first.setRetention('s', 24);
  await first.setRetention('s', 48);
  assert.deepEqual(await readAll(first, first.shard('s', idOf(0))), ['new']);
  await first.close();
  world.clock.dropTimers();
  const again = await openStreams(world);
  assert.deepEqual(await readAll(again, again.shard('s', idOf(0))), ['new']);
  await again.close();
});
