/**
 * All engines write one table on a local disk at the same time. The library and delta-rs put commits by hard links;
 * Spark does so with `LinkLogStore.java`. With Delta's own log store a commit of Spark can replace another engine's.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { field, isDeltaError, struct } from '../../src/index.ts';
import type { ForeignEngine } from './foreign-engine.ts';
import { assertAgreed, deltaRs, newPath, sluice, spark, withoutSharing } from './stage.ts';
import type { Row } from './table-engine.ts';

/** Commits of each; the library goes on for as long as Spark, which is the slowest. */
const APPENDS = { spark: 8, 'delta-rs': 60 } as const;
const UPDATES = { spark: 4, 'delta-rs': 10 } as const;
/** Commits of the library, at least and at most. */
const OWN_MIN = 10;
const OWN_MAX = 300;

const foreign: readonly ForeignEngine[] = [spark, deltaRs];

describe('writers at the same time', { skip: withoutSharing }, () => {
  before(() => spark.process.call('useLogStore', { class: 'sluice.foreign.LinkLogStore' }));
  after(() => spark.process.call('useLogStore', { class: null }));

  it('appends are neither lost nor doubled', async () => {
    const path = newPath('appends');
    const schema = struct([field('writer', 'string'), field('n', 'long')]);
    await sluice.create(path, { schema, properties: { 'delta.checkpointInterval': '10' } });
    const others = foreign.map(({ name, process }) =>
      process.call('appendMany', { path, schema, writer: name, count: APPENDS[name as 'spark'] }),
    );
    const own = await during(others, (n) =>
      sluice.append(path, { schema, rows: [{ writer: 'sluice', n: String(n) }] }),
    );
    const rows: Row[] = Object.entries({ ...APPENDS, sluice: own }).flatMap(([writer, count]) =>
      Array.from({ length: count }, (_, n) => ({ writer, n: String(n) })),
    );
    assert.equal(await assertAgreed(path, { rows }), rows.length, 'a version for each append');
  });

  for (const vectors of ['true', 'false']) {
    it(`updates are neither lost nor doubled${vectors === 'true' ? ', with deletion vectors' : ''}`, async () => {
      const path = newPath('updates');
      const schema = struct([field('writer', 'string'), field('value', 'integer')]);
      await sluice.create(path, { schema, properties: { 'delta.enableDeletionVectors': vectors } });
      const rows = ['sluice', 'spark', 'delta-rs'].map((writer) => ({ writer, value: 0 }));
      await sluice.append(path, { schema, rows });
      const others = foreign.map(({ name, process }) =>
        process.call('updateMany', { path, where: `writer = '${name}'`, count: UPDATES[name as 'spark'] }),
      );
      const counts = { ...UPDATES, sluice: await during(others, () => updateOnce(path)) };
      const updates = Object.values(counts).reduce((sum, count) => sum + count, 0);
      const expected = Object.entries(counts).map(([writer, value]) => ({ writer, value }));
      assert.equal(await assertAgreed(path, { rows: expected }), updates + 1, 'a version for each update');
    });
  }
});

/** Does something again and again while others work, and gives how often. */
async function during(
  others: readonly Promise<unknown>[],
  action: (n: number) => Promise<void>,
): Promise<number> {
  const progress = { areDone: false };
  const all = Promise.all(others).finally(() => (progress.areDone = true));
  let done = 0;
  while (done < OWN_MIN || (!progress.areDone && done < OWN_MAX)) {
    await action(done);
    done += 1;
  }
  await all;
  return done;
}

/** Again after conflicts. */
async function updateOnce(path: string): Promise<void> {
  for (;;) {
    try {
      await sluice.update(path, { set: { value: 'value + 1' }, where: "writer = 'sluice'" });
      return;
    } catch (error) {
      if (!isDeltaError(error, 'conflict') && !isDeltaError(error, 'contention')) throw error;
    }
  }
}
