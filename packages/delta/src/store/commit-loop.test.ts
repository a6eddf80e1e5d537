/** Fixed seeds of the commit loop's simulation; `SLUICE_SIM_SEEDS=500` runs more, `SLUICE_SIM_SEED=7` one. */
import assert from 'node:assert/strict';
import { env } from 'node:process';
import { describe, it } from 'node:test';
import { DeltaTable } from '../table.ts';
import { type Fault, FaultyStore, readJsonRows } from '../testing/index.ts';
import { type PlantedBug, simulateCommitLoop } from '../testing/commit-loop-simulation.ts';
import { countingNames, inMemory, rowsFrom } from '../testing/table-fixture.ts';

const SEEDS = Number(env['SLUICE_SIM_SEEDS'] ?? 30);
const BUG_SEEDS_MAX = 60;

const seeds =
  env['SLUICE_SIM_SEED'] === undefined
    ? Array.from({ length: SEEDS }, (_, at) => at + 1)
    : [Number(env['SLUICE_SIM_SEED'])];

/** The message by which the oracle finds a bug; undefined when it doesn't. */
async function caught(bug: PlantedBug): Promise<string | undefined> {
  for (let seed = 1; seed <= BUG_SEEDS_MAX; seed += 1) {
    try {
      await simulateCommitLoop(seed, bug);
    } catch (error) {
      return String(error);
    }
  }
  return undefined;
}

describe('the commit loop over a store that fails in every way', () => {
  it('neither loses nor doubles a batch, and leaves no version out', async () => {
    const met = new Map<Fault, number>();
    for (const seed of seeds) {
      const { faults } = await simulateCommitLoop(seed);
      for (const [fault, count] of faults) met.set(fault, (met.get(fault) ?? 0) + count);
    }
    if (seeds.length < 20) return;
    for (const fault of ['refuse', 'throttle', 'full', 'lose-reply', 'late', 'slow', 'stale'] as const) {
      assert.ok((met.get(fault) ?? 0) > 0, `the seeds meet the fault ${fault}`);
    }
  });

  it('keeps the files of a commit whose reply was lost before the store was full', async () => {
    const options = inMemory();
    await DeltaTable.create(options);
    const answers: (Fault | undefined)[] = ['late', 'full'];
    const store = new FaultyStore(options.store, ({ verb }) =>
      verb === 'putIfAbsent' ? (answers.length > 0 ? answers.shift() : 'full') : undefined,
    );
    const table = await DeltaTable.open({ ...options, store, uuid: countingNames('other') });
    await assert.rejects(table.append({ source: rowsFrom(1, 2) }), { code: 'outcome-unknown' });
    await store.applyLate();
    const snapshot = await (await DeltaTable.open(options)).snapshot();
    assert.deepEqual(
      (await readJsonRows(options, snapshot)).map(({ id }) => id),
      [1, 2],
    );
  });

  it('lets a batch with a txn be sent again while its first commit is still on its way', async () => {
    for (const isOvertaken of [false, true]) {
      const options = inMemory();
      await DeltaTable.create(options);
      const store = new FaultyStore(options.store, ({ verb }) =>
        verb === 'putIfAbsent' ? 'late' : undefined,
      );
      const table = await DeltaTable.open({ ...options, store, uuid: countingNames('first') });
      const batch = { source: rowsFrom(1, 2), txns: [{ appId: 'a', version: 1 }] };
      await assert.rejects(table.append(batch), { code: 'outcome-unknown' });
      const other = await DeltaTable.open({ ...options, uuid: countingNames('other') });
      if (isOvertaken) await other.append({ source: rowsFrom(50, 1) });
      const successor = await DeltaTable.open({ ...options, uuid: countingNames('successor') });
      assert.equal((await successor.append(batch)).kind, 'committed');
      await store.applyLate();
      assert.equal((await successor.append(batch)).kind, 'already-committed');
      const snapshot = await (await DeltaTable.open(options)).snapshot();
      assert.equal(snapshot.rowCount, isOvertaken ? 3 : 2);
    }
  });

  it('does the same for the same seed', async () => {
    for (const seed of seeds.slice(0, 5)) {
      assert.deepEqual(await simulateCommitLoop(seed), await simulateCommitLoop(seed));
    }
  });

  it('shows a store that lets the last put win', async () => {
    assert.match((await caught('last-put-wins')) ?? 'not caught', /acknowledged to|rows of|versions/);
  });

  it('shows batches that are sent again without a txn', async () => {
    assert.match((await caught('no-txn')) ?? 'not caught', /: [46] rows of 2/);
  });
});
