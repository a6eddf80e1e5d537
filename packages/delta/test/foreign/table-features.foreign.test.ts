/** Table features about the log and its upkeep, one by one: what each engine makes of a table that has them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { field, struct } from '../../src/index.ts';
import { assertAgreed, deltaRs, engines, newPath, sluice, sorted, spark, withoutAll } from './stage.ts';
import type { Row, TableEngine } from './table-engine.ts';

const schema = struct([field('id', 'long'), field('part', 'string'), field('value', 'integer')]);

/** The library and Spark, where delta-rs refuses to write. */
const two: readonly TableEngine[] = [sluice, spark];

describe('features of tables', { skip: withoutAll }, () => {
  for (const vectors of ['false', 'true']) {
    it(`the change feed${vectors === 'true' ? ', with deletion vectors' : ''}`, async () => {
      const path = newPath('feed');
      const properties = { 'delta.enableChangeDataFeed': 'true', 'delta.enableDeletionVectors': vectors };
      await sluice.create(path, { schema, partitionColumns: ['part'], properties });
      for (const [at, engine] of engines.entries()) {
        await engine.append(path, { schema, rows: someRows(at * 10, 8) });
        await engine.update(path, { set: { value: 'value + 1' }, where: `id % 4 = ${at}` });
        const source = [...someRows(at * 10 + 5, 5), { id: '0', part: 'gone', value: -1 }];
        const deleteWhen = "source.part = 'gone'";
        await engine.merge(path, { schema, rows: source, on: 'target.id = source.id', deleteWhen });
        await engine.delete(path, `id % 7 = ${at + 1}`);
        await engine.optimize(path);
      }
      const newest = await assertAgreed(path);
      for (const [at, from] of [0, 2, 7].entries()) {
        const range = { from, to: at === 0 ? newest : newest - at };
        const expected = sorted(await sluice.changes(path, range));
        assert.ok(expected.length > 20, `${expected.length} changes`);
        for (const reader of [spark, deltaRs]) {
          const found = sorted(await reader.changes(path, range));
          assert.deepEqual(found, expected, `changes of ${reader.name} from ${from}`);
        }
      }
    });
  }

  it('timestamps within commits', async () => {
    const path = newPath('in-commit');
    await sluice.create(path, { schema });
    for (const writer of engines) await writer.append(path, { schema, rows: someRows(0, 1) });
    await (await sluice.open(path)).alter.setProperties({ 'delta.enableInCommitTimestamps': 'true' });
    for (const writer of [spark, sluice, spark]) await writer.append(path, { schema, rows: someRows(0, 1) });
    await assertAgreed(path);
    const ours = (await (await sluice.open(path)).history()).map(({ version, timestampMs }) => [
      version,
      timestampMs,
    ]);
    const theirs = await spark.process.call('commitTimes', { path });
    assert.deepEqual(ours, theirs);
    await assert.rejects(deltaRs.append(path, { schema, rows: someRows(0, 1) }), /InCommitTimestamp/);
  });

  it('clustering', async () => {
    const path = newPath('clustering');
    await spark.sql(
      path,
      'CREATE TABLE {t} (id BIGINT, part STRING, value INT) USING delta CLUSTER BY (value)',
    );
    const rows: Row[] = [];
    for (const [at, writer] of two.entries()) {
      for (const from of [at * 100, at * 100 + 50]) {
        await writer.append(path, { schema, rows: someRows(from, 20) });
        rows.push(...someRows(from, 20));
      }
      await writer.optimize(path);
      await assertAgreed(path, { rows });
    }
    await (await sluice.open(path)).alter.setClustering(['id', 'part']);
    assert.deepEqual(await spark.process.call('clustering', { path }), ['id', 'part']);
    await spark.append(path, { schema, rows: someRows(500, 5) });
    for (const writer of two) await writer.optimize(path);
    await assertAgreed(path, { rows: [...rows, ...someRows(500, 5)] });
    await assert.rejects(deltaRs.append(path, { schema, rows }), /ClusteredTable/);
  });

  it('row tracking is read, and kept from writers that lack it', async () => {
    const path = newPath('row-tracking');
    await spark.sql(
      path,
      "CREATE TABLE {t} (id BIGINT, part STRING, value INT) USING delta TBLPROPERTIES ('delta.enableRowTracking' = 'true')",
    );
    await spark.append(path, { schema, rows: someRows(0, 10) });
    await spark.update(path, { set: { value: 'value + 1' }, where: 'id < 3' });
    const version = await assertAgreed(path);
    await assert.rejects(sluice.append(path, { schema, rows: someRows(0, 1) }), /rowTracking/);
    await assert.rejects(sluice.delete(path, 'id = 0'), /rowTracking/);
    await assert.rejects(sluice.optimize(path), /rowTracking/);
    await assert.rejects(deltaRs.append(path, { schema, rows: someRows(0, 1) }), /RowTracking/);
    assert.equal((await spark.facts(path)).version, version);
  });

  it('domain metadata outlasts commits and checkpoints of others', async () => {
    const path = newPath('domains');
    await sluice.create(path, { schema });
    const configuration = '{"note":"naïve ☃"}';
    for (const domain of ['kept', 'removed']) {
      await (await sluice.open(path)).alter.setDomainMetadata({ domain, configuration });
    }
    await (await sluice.open(path)).alter.removeDomainMetadata('removed');
    for (const writer of two) await writer.append(path, { schema, rows: someRows(0, 1) });
    await spark.checkpoint(path);
    for (const writer of two) await writer.append(path, { schema, rows: someRows(5, 1) });
    assert.deepEqual(await spark.process.call('domains', { path }), { kept: configuration });
    await assertAgreed(path);
    await assert.rejects(deltaRs.append(path, { schema, rows: someRows(0, 1) }), /DomainMetadata/);
  });

  it('vacuumProtocolCheck', async () => {
    const path = newPath('vacuum-check');
    await sluice.create(path, { schema, properties: { 'delta.feature.vacuumProtocolCheck': 'supported' } });
    for (const writer of two) {
      await writer.overwrite(path, { schema, rows: someRows(0, 2) });
      await writer.vacuum(path);
      await assertAgreed(path, { readers: two, rows: someRows(0, 2) });
    }
    await assert.rejects(deltaRs.vacuum(path), /VacuumProtocolCheck/);
    await assert.rejects(deltaRs.read(path), /VacuumProtocolCheck/);
  });

  it('append-only tables', async () => {
    const path = newPath('append-only');
    await sluice.create(path, { schema, properties: { 'delta.appendOnly': 'true' } });
    for (const writer of engines) {
      await writer.append(path, { schema, rows: someRows(0, 2) });
      await assert.rejects(writer.delete(path, 'id = 0'), /append|removed/i, writer.name);
    }
    await assertAgreed(path);
  });

  it('restored, and cloned without copies', async () => {
    const path = newPath('restored');
    await sluice.create(path, { schema, properties: { 'delta.enableDeletionVectors': 'true' } });
    await sluice.append(path, { schema, rows: someRows(0, 10) });
    await spark.delete(path, 'id = 3');
    await sluice.delete(path, 'id = 4');
    await (await sluice.open(path)).restore({ version: 2 });
    const rows = someRows(0, 10).filter(({ id }) => id !== '3');
    await assertAgreed(path, { rows });
    await spark.sql(path, 'RESTORE TABLE {t} TO VERSION AS OF 3');
    await assertAgreed(path, { rows: rows.filter(({ id }) => id !== '4') });
    const copy = newPath('cloned');
    await spark.sql(path, `CREATE TABLE delta.\`${copy}\` SHALLOW CLONE {t}`);
    await sluice.delete(copy, 'id = 5');
    await assertAgreed(copy, {
      readers: two,
      rows: rows.filter(({ id }) => id !== '4' && id !== '5'),
    });
  });
});

function someRows(from: number, count: number): Row[] {
  return Array.from({ length: count }, (_, at) => ({
    id: String(from + at),
    part: `p${at % 2}`,
    value: (at * 7) % 10,
  }));
}
