import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulateDelivery, type PlantedBug } from './delivery-simulation.ts';

const SEEDS_MAX = 40;

/** The seed by which the oracle finds a bug; undefined when it doesn't. */
async function caughtBy(bug: PlantedBug): Promise<{ seed: number; message: string } | undefined> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    try {
      await simulateDelivery(seed, bug);
    } catch (error) {
      return { seed, message: (error as Error).message };
    }
  }
  return undefined;
}

test('a commit without txn is caught: rows are doubled', async () => {
  assert.match(
    (await caughtBy('rows-without-txn'))?.message ?? 'not caught',
    /is in table and table|^parts of/,
  );
});

test('a commit of rejected records without txn is caught: they are doubled', async () => {
  assert.match((await caughtBy('rejects-without-txn'))?.message ?? 'not caught', /is in .*rejected/);
});

test('children that are read before their parents are caught: a key is out of order', async () => {
  assert.match(
    (await caughtBy('children-before-parents'))?.message ?? 'not caught',
    /out of the order of key/,
  );
});

test('parts of an aggregated record whose rejection is forgotten are caught: they are doubled', async () => {
  assert.match((await caughtBy('parts-forgotten'))?.message ?? 'not caught', /is in .*rejected/);
});

test('the simulation meets what it is for', async () => {
  const traces = await Promise.all([1, 2, 3, 4, 5].map((seed) => simulateDelivery(seed)));
  const lines = traces.flat();
  for (const expected of [
    /^crash: kill/,
    /^crash: power/,
    /^restart/,
    /^resharded/,
    /^unknown fields: evolve/,
    /^faults .*0\.3/,
    /^ {2}events_rejected: create/,
    /^part of an aggregated record is rejected/,
  ])
    assert.ok(
      lines.some((line) => expected.test(line)),
      String(expected),
    );
  assert.ok(
    traces.every((trace) => /^[1-9]\d* rows/.test(trace.findLast((line) => line.includes(' rows, '))!)),
  );
});
