/** Checkpoints, compacted commits, checksums and the clean-up of the log: written by one engine, used by all. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { field, struct } from '../../src/index.ts';
import { everyTypeRows, EVERY_TYPE } from './sample-rows.ts';
import {
  assertAgreed,
  deltaRs,
  engines,
  newPath,
  sluice,
  sorted,
  spark,
  sparkComplaints,
  withoutAll,
} from './stage.ts';
import type { Row, TableEngine } from './table-engine.ts';

const DAY_MS = 86_400_000;
const schema = struct([field('id', 'long'), field('part', 'string'), field('day', 'date')]);

const PLANS: readonly {
  name: string;
  properties: Record<string, string>;
  writers: readonly TableEngine[];
}[] = [
  { name: 'classic', properties: {}, writers: engines },
  {
    name: 'classic with statistics as structs only',
    properties: {
      'delta.checkpoint.writeStatsAsStruct': 'true',
      'delta.checkpoint.writeStatsAsJson': 'false',
    },
    writers: [sluice, spark],
  },
  { name: 'v2', properties: { 'delta.checkpointPolicy': 'v2' }, writers: [sluice, spark] },
];

describe('checkpoints', { skip: withoutAll }, () => {
  for (const { name, properties, writers } of PLANS) {
    for (const writer of writers) {
      it(`${name}, by ${writer.name}`, async () => {
        const path = newPath('checkpoint');
        await sluice.create(path, { schema, partitionColumns: ['part', 'day'], properties });
        const appenders = name === 'v2' ? [sluice, spark] : engines;
        const rows = await appendEach(path, { appenders, from: 0 });
        await sluice.delete(path, 'id = 1');
        await writer.checkpoint(path);
        const version = await assertAgreed(path, { rows: rows.filter(({ id }) => id !== '1') });
        // Nothing but the checkpoint says now what the table has.
        removeCommits(path, version);
        await assertAgreed(path, { rows: rows.filter(({ id }) => id !== '1'), wholeHistory: false });
        const more = await appendEach(path, { appenders, from: 100 });
        await assertAgreed(path, {
          rows: [...rows.filter(({ id }) => id !== '1'), ...more],
          wholeHistory: false,
        });
      });
    }
  }

  it('one after another, by each over that of the one before', async () => {
    const path = newPath('checkpoints');
    await sluice.create(path, { schema: EVERY_TYPE, properties: { 'delta.checkpointInterval': '1000' } });
    const rows: Row[] = [];
    for (const [at, engine] of [...engines, ...engines].entries()) {
      const added = everyTypeRows(at * 10);
      await engine.append(path, { schema: EVERY_TYPE, rows: added });
      rows.push(...added);
      await engine.checkpoint(path);
    }
    const version = await assertAgreed(path, { rows });
    removeCommits(path, version);
    await assertAgreed(path, { rows, wholeHistory: false });
  });

  it('the library and Spark replace what the other keeps of the last one', async () => {
    const path = newPath('last-checkpoint');
    await sluice.create(path, { schema });
    for (const [at, writer] of [spark, sluice, spark, sluice].entries()) {
      await appendEach(path, { appenders: [writer], from: at * 100 });
      await writer.checkpoint(path);
      await spark.process.call('forget');
      await assertAgreed(path);
    }
    // Hadoop would keep checksums of its own beside a file, and refuse what does not fit them.
    assert.deepEqual(sparkComplaints(path), []);
  });

  it('checksums of the library hold in Spark', async () => {
    const path = newPath('checksum');
    await sluice.create(path, { schema, partitionColumns: ['part'] });
    for (const at of [0, 100, 200]) {
      await appendEach(path, { appenders: [sluice, spark], from: at });
      await sluice.delete(path, `id = ${at}`);
      await sluice.checkpoint(path);
      const found = await spark.process.call('validate', { path });
      assert.deepEqual(found, { version: (await sluice.facts(path)).version, checksum: true, valid: true });
    }
    assert.deepEqual(sparkComplaints(path), []);
  });

  for (const writer of [sluice, deltaRs]) {
    it(`commits compacted by ${writer.name}`, async () => {
      const path = newPath('compacted');
      await sluice.create(path, { schema, partitionColumns: ['part'] });
      const rows = await appendEach(path, { appenders: engines, from: 0 });
      await sluice.delete(path, 'id = 1');
      const { version } = await sluice.facts(path);
      if (writer === sluice) await (await sluice.open(path)).compactLog({ from: 1, to: version });
      else await deltaRs.process.call('compactLog', { path, from: 1, to: version });
      const left = rows.filter(({ id }) => id !== '1');
      await assertAgreed(path, { rows: left });
      const more = await appendEach(path, { appenders: engines, from: 100 });
      await assertAgreed(path, { rows: [...left, ...more] });
      // Whoever reads the compacted file has no use for what it covers.
      const log = join(path, '_delta_log');
      writeFileSync(join(log, commitName(2)), '{"commitInfo":{}}\n');
      rmSync(join(log, `.${commitName(2)}.crc`), { force: true });
      for (const reader of [sluice, spark]) {
        await spark.process.call('forget');
        assert.deepEqual(sorted(await reader.read(path)), sorted([...left, ...more]), reader.name);
      }
    });
  }

  for (const cleaner of engines) {
    it(`an old log cleaned up by ${cleaner.name}`, async () => {
      const path = newPath('clean-up');
      await sluice.create(path, { schema, properties: { 'delta.logRetentionDuration': 'interval 1 days' } });
      const rows = await appendEach(path, { appenders: engines, from: 0 });
      await spark.checkpoint(path);
      await sluice.delete(path, 'id = 1');
      await sluice.checkpoint(path);
      age(path, 3 * DAY_MS);
      const more = await appendEach(path, { appenders: engines, from: 100 });
      await sluice.checkpoint(path);
      await spark.process.call('forget');
      await cleaner.cleanUp(path);
      assert.ok(!readdirSync(join(path, '_delta_log')).includes(commitName(0)), 'the first commit is gone');
      const left = [...rows, ...more].filter(({ id }) => id !== '1');
      await assertAgreed(path, { rows: left, wholeHistory: false });
      for (const reader of engines) await assert.rejects(reader.read(path, 1), `version 1 by ${reader.name}`);
      const last = await appendEach(path, { appenders: engines, from: 200 });
      await assertAgreed(path, { rows: [...left, ...last], wholeHistory: false });
    });
  }
});

async function appendEach(
  path: string,
  { appenders, from }: { appenders: readonly TableEngine[]; from: number },
): Promise<Row[]> {
  const all: Row[] = [];
  for (const [at, engine] of appenders.entries()) {
    const rows = [0, 1, 2].map((n) => ({
      id: String(from + at * 10 + n),
      part: n === 0 ? null : `p ${n}/${engine.name}`,
      day: n === 2 ? null : `19${70 - n}-01-0${at + 1}`,
    }));
    await engine.append(path, { schema, rows });
    all.push(...rows);
  }
  return all;
}

function commitName(version: number): string {
  return `${String(version).padStart(20, '0')}.json`;
}

/** Takes the commits before a version away, with what else is kept of them; Spark wants that of the version itself. */
function removeCommits(path: string, version: number): void {
  const log = join(path, '_delta_log');
  for (let at = 0; at < version; at += 1) {
    rmSync(join(log, commitName(at)));
    rmSync(join(log, `.${commitName(at)}.crc`), { force: true });
  }
}

/** Makes everything in the log that much older. */
function age(path: string, ms: number): void {
  const log = join(path, '_delta_log');
  const names = readdirSync(log, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const [at, { name }] of names.toSorted((a, b) => (a.name < b.name ? -1 : 1)).entries()) {
    const seconds = (Date.now() - ms) / 1000 + at;
    utimesSync(join(log, name), seconds, seconds);
  }
}
