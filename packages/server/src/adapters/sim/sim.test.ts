import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockContract } from '../../ports/clock.contract.ts';
import { createSystemClock, createSystemRandom } from '../system/index.ts';
import { SeededRandom, SimClock } from './index.ts';

clockContract('simulated', () => {
  const clock = new SimClock();
  return { clock, pass: (ms) => Promise.resolve(clock.advance(ms)) };
});
clockContract('system', () => {
  const clock = createSystemClock();
  return { clock, pass: (ms) => clock.sleep(ms) };
});

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('both kinds of randomness give bytes and version 4 UUIDs', () => {
  for (const random of [createSystemRandom(), new SeededRandom(1)]) {
    assert.equal(random.bytes(10).length, 10);
    assert.match(random.uuid(), UUID);
    assert.notEqual(random.uuid(), random.uuid());
  }
});

test('a seed gives the same numbers again, another seed others, spread evenly', () => {
  const sequence = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 2_000 }, () => random.below(10));
  };
  assert.deepEqual(sequence(7), sequence(7));
  assert.notDeepEqual(sequence(7), sequence(8));
  for (let digit = 0; digit < 10; digit++) {
    const count = sequence(3).filter((value) => value === digit).length;
    assert.ok(count > 130 && count < 270, `${digit}: ${count}`);
  }
});

test('the wall clock can jump while monotonic time goes on', () => {
  const clock = new SimClock(1_000);
  clock.jumpWall(-500);
  clock.advance(10);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [510, 10]);
});
