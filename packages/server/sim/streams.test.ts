import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLANTED } from './streams-faults.ts';
import { simulateStreams } from './streams-simulation.ts';

/** Each planted bug must be noticed by one of so few seeds; without it all of them pass. */
const SEEDS = 15;

for (const bug of PLANTED)
  test(`the simulation notices the planted bug: ${bug}`, async () => {
    const failures: unknown[] = [];
    for (let seed = 1; seed <= SEEDS && failures.length === 0; seed++)
      await simulateStreams(seed, { bug }).catch((error: unknown) => failures.push(error));
    assert.equal(failures.length, 1, `${SEEDS} seeds did not notice it`);
  });

test('the simulation notices that subscriptions skip a record', async () => {
  const failures: Error[] = [];
  for (let seed = 1; seed <= SEEDS && failures.length === 0; seed++)
    await simulateStreams(seed, { subscribed: true, skips: true }).catch((error: Error) =>
      failures.push(error),
    );
  assert.match(String(failures[0]), /left-out/);
});

test('without a bug it passes, and a seed gives the same trace again', async () => {
  for (let seed = 1; seed <= 3; seed++)
    for (const variant of [{}, { encrypted: true }, { encrypted: true, subscribed: true }])
      assert.deepEqual(await simulateStreams(seed, variant), await simulateStreams(seed, variant));
});
