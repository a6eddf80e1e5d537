import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskContract } from '../../ports/disk.contract.ts';
import { SeededRandom } from '../sim/index.ts';
import { SimDisk } from './index.ts';

const make = (seed: number) => {
  const sim = new SimDisk({ random: new SeededRandom(seed) });
  return Object.assign(sim, sim.attach());
};

diskContract('simulated', () => Promise.resolve({ disk: make(1), directory: '/data' }));

test('what was synced survives every power loss, what was not may be lost, kept or torn', async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = make(seed);
    const file = await disk.open('/d/a', { create: true });
    await file.write([Buffer.alloc(2_000, 1)], 0);
    await file.sync();
    await disk.syncDirectory('/d');
    await file.write([Buffer.alloc(2_000, 2)], 2_000);
    disk.losePower();
    const content = disk.contentOf('/d/a');
    assert.ok(content !== undefined && content.subarray(0, 2_000).equals(Buffer.alloc(2_000, 1)));
    const rest = content.subarray(2_000);
    const twos = rest.filter((byte) => byte === 2).length;
    outcomes.add(twos === 0 ? 'lost' : twos === 2_000 ? 'kept' : 'torn');
  }
  assert.deepEqual([...outcomes].sort(), ['kept', 'lost', 'torn']);
});

test('a directory entry survives for certain only after its directory was synced', async () => {
  const found = new Set<number>();
  for (let seed = 0; seed < 50; seed++) {
    const disk = make(seed);
    const file = await disk.open('/d/a', { create: true });
    await file.sync();
    disk.losePower();
    found.add(disk.paths().length);
  }
  assert.deepEqual([...found].sort(), [0, 1]);
});

test('after a failed sync the bytes can be read, a later sync succeeds, and a power loss takes them', async () => {
  let lost = 0;
  for (let seed = 0; seed < 50; seed++) {
    const disk = make(seed);
    const file = await disk.open('/d/a', { create: true });
    await disk.syncDirectory('/d');
    await file.write([Buffer.alloc(4_096, 7)], 0);
    disk.failSyncs = 1;
    await assert.rejects(file.sync(), { code: 'io' });
    await file.sync();
    const target = Buffer.alloc(4_096);
    await file.read(target, 0);
    assert.ok(target.every((byte) => byte === 7));
    disk.losePower();
    if (!disk.contentOf('/d/a')!.equals(target)) lost++;
  }
  assert.ok(lost > 25);
});

test('a full disk takes a part and says so', async () => {
  const disk = new SimDisk({ random: new SeededRandom(1), capacityBytes: 100 }).attach();
  const file = await disk.open('/d/a', { create: true });
  await file.write([Buffer.alloc(80)], 0);
  await assert.rejects(file.write([Buffer.alloc(40)], 80), { code: 'no-space' });
  assert.ok((await file.size()) <= 100);
  await file.truncate(80);
  await file.write([Buffer.alloc(20)], 80);
});
