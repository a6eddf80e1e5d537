/** Partitions by values of several types, null and odd characters included. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { field, struct } from '../../src/index.ts';
import { assertAgreed, deltaRs, engines, newPath, sluice, sorted, spark, withoutAll } from './stage.ts';
import type { Row } from './table-engine.ts';

const schema = struct([
  field('id', 'long'),
  field('text', 'string'),
  field('day', 'date'),
  field('n', 'integer'),
  field('moment', 'timestamp'),
]);

const TEXTS = [
  'plain',
  'a b',
  'a/b',
  'a=b',
  'a%20b',
  'a:b#c?d',
  `"quoted" 'single'`,
  'ünï☃😀',
  '.',
  '__HIVE_DEFAULT_PARTITION__x',
];

const DAYS = ['1969-07-20', '2024-02-29', null, '9999-12-31'] as const;
const MOMENTS = ['-1', '1709210096789123', null, '11846434150111222'] as const;

/** A row for each text, besides one of nulls only. */
function partitionRows(from: number): Row[] {
  const rows = TEXTS.map((text, at) => ({
    id: String(from + at),
    text,
    day: DAYS[at % DAYS.length] ?? null,
    n: at % 3 === 0 ? null : at - 5,
    moment: MOMENTS[at % MOMENTS.length] ?? null,
  }));
  return [...rows, { id: String(from + TEXTS.length), text: null, day: null, n: null, moment: null }];
}

describe('partitions', { skip: withoutAll }, () => {
  for (const creator of engines) {
    it(`of ${creator.name}, appended to by each`, async () => {
      const path = newPath('partitions');
      await creator.create(path, { schema, partitionColumns: ['text', 'day', 'n', 'moment'] });
      const rows: Row[] = [];
      for (const [at, writer] of engines.entries()) {
        const added = partitionRows(at * 100);
        await writer.append(path, { schema, rows: added });
        rows.push(...added);
      }
      await assertAgreed(path, { rows });
    });
  }

  it('one partition put in the place of another by each', async () => {
    const path = newPath('replace');
    await sluice.create(path, { schema, partitionColumns: ['n'] });
    let rows: Row[] = Array.from({ length: 8 }, (_, at) => ({
      id: String(at),
      text: `row ${at}`,
      day: '2024-01-01',
      n: at % 4,
      moment: null,
    }));
    await sluice.append(path, { schema, rows });
    for (const [at, engine] of engines.entries()) {
      const own = [{ id: String(100 + at), text: engine.name, day: null, n: at, moment: '0' }];
      await engine.overwrite(path, { schema, rows: own, where: `n = ${at}` });
      rows = [...rows.filter(({ n }) => n !== at), ...own];
      await assertAgreed(path, { rows });
    }
    for (const engine of [spark, deltaRs, sluice]) {
      rows = [{ id: '1', text: `all by ${engine.name}`, day: null, n: null, moment: null }];
      await engine.overwrite(path, { schema, rows });
      await assertAgreed(path, { rows });
    }
  });

  // To the protocol it is null. Spark writes null as well, but takes '' for the empty text, as delta-rs does both ways.
  it('an empty text', async () => {
    const path = newPath('empty-text');
    await sluice.create(path, { schema, partitionColumns: ['text'] });
    const row = { day: null, n: 1, moment: null };
    for (const [at, engine] of engines.entries()) {
      await engine.append(path, { schema, rows: [{ ...row, id: String(at), text: '' }] });
    }
    const texts = { sluice: [null, null, null], spark: [null, null, ''], 'delta-rs': [null, null, ''] };
    for (const engine of engines) {
      const rows = sorted(await engine.read(path));
      assert.deepEqual(
        rows.map(({ text }) => text),
        texts[engine.name],
        engine.name,
      );
    }
  });
});
