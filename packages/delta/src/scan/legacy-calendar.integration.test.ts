/** Days and moments that Spark wrote in the Julian calendar. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { struct } from '../index.ts';
import { close, directory, makeTable, rows, type TableSpec } from './testing/scan-tables.ts';

after(close);

describe('a scan of files in the legacy calendar of Spark', () => {
  const schema = struct({ id: 'integer', d: 'date', t: 'timestamp' });
  const marks = (more: Record<string, string>): string =>
    `, KV_METADATA {${Object.entries({ version: '4.2.0', timeZone: 'UTC', ...more })
      .map(([key, value]) => `'org.apache.spark.${key}': '${value}'`)
      .join(', ')}}`;
  const legacy = { legacyDateTime: '', legacyINT96: '' };
  const stats = { numRecords: 1, minValues: { d: '0001-01-01', t: '1500-03-01T12:00:00.000Z' } };
  const row = (id: number, day: string): string =>
    `SELECT ${id} AS id, DATE '${day}' AS d, TIMESTAMPTZ '${day} 12:00:00+00' AS t`;

  it('gives days and moments their own names back', async () => {
    // What Spark writes, and what it means.
    const days = [
      ['0000-12-30', '0001-01-01'],
      ['1000-03-05', '1000-02-28'],
      ['1000-03-07', '1000-03-01'],
      ['1500-03-11', '1500-03-01'],
      ['1582-10-14', '1582-10-04'],
      ['1582-10-15', '1582-10-15'],
      ['2024-02-29', '2024-02-29'],
    ] as const;
    const { snapshot, root } = await makeTable({
      schema,
      files: [
        ...days.map(([day], id) => ({ rows: row(id, day), stats, options: marks(legacy) })),
        { rows: row(90, '1500-03-11'), stats, options: marks({}) },
        { rows: row(91, '1500-03-11'), stats },
        {
          rows: row(92, '1500-03-11'),
          stats,
          options: `, KV_METADATA {'org.apache.spark.version': '2.4.8'}`,
        },
        { rows: 'SELECT 93 AS id, NULL::DATE AS d, NULL::TIMESTAMPTZ AS t', stats, options: marks(legacy) },
      ],
    });
    const { sql } = await snapshot.scan();
    const texts = `strftime(d, '%Y-%m-%d') AS d, strftime(t, '%Y-%m-%d %H') AS t`;
    assert.deepEqual(await rows(`SELECT id, ${texts} FROM (${sql}) WHERE id < 93 ORDER BY id`), [
      ...days.map(([, day], id) => ({ id, d: day, t: `${day} 12` })),
      { id: 90, d: '1500-03-11', t: '1500-03-11 12' },
      { id: 91, d: '1500-03-11', t: '1500-03-11 12' },
      { id: 92, d: '1500-03-01', t: '1500-03-01 12' },
    ]);
    const filter = `WHERE d < DATE '1500-03-02' AND t >= TIMESTAMPTZ '1500-03-01 00:00:00+00'`;
    assert.deepEqual(await rows(`SELECT id FROM (${sql}) ${filter} ORDER BY id`), [{ id: 3 }, { id: 92 }]);
    for (const file of readdirSync(join(directory, root)))
      if (file.endsWith('.parquet')) rmSync(join(directory, root, file));
    assert.equal((await snapshot.scan()).sql, sql, 'what the files tell is remembered');
  });

  it('refuses what can’t be told, and only that', async () => {
    const refused = { code: 'unsupported-feature', message: /"f0\.parquet".*legacy calendar/ };
    const scanOf = async (file: object, of = schema): Promise<unknown> => {
      const { snapshot } = await makeTable({ schema: of, files: [file as TableSpec['files'][number]] });
      return snapshot.scan();
    };
    const rowsOf1900 = { rows: row(1, '1850-01-01') };
    const zone = { ...legacy, timeZone: 'Europe/Berlin' };
    const moments = { numRecords: 1, minValues: { t: '1850-01-01T12:00:00.000Z' } };
    await assert.rejects(scanOf({ ...rowsOf1900, stats: moments, options: marks(zone) }), refused);
    await assert.rejects(scanOf({ ...rowsOf1900, stats, options: marks({ legacyDateTime: '' }) }), refused);
    await scanOf({ ...rowsOf1900, stats: moments, options: marks({ legacyDateTime: '' }) });
    const today = { numRecords: 1, minValues: { d: '1890-01-01', t: '1990-01-01T12:00:00.000Z' } };
    await scanOf({ ...rowsOf1900, stats: today, options: marks(zone) });
    const nested = struct({ id: 'integer', s: struct({ d: 'date' }) });
    const rowsOfStructs = `SELECT 1 AS id, {d: DATE '1500-03-11'} AS s`;
    const nestedStats = { numRecords: 1, minValues: { s: { d: '1500-03-01' } } };
    await assert.rejects(
      scanOf({ rows: rowsOfStructs, stats: nestedStats, options: marks(legacy) }, nested),
      refused,
    );
    const { snapshot } = await makeTable({
      schema,
      files: [{ rows: row(1, '0000-12-29'), stats, options: marks(legacy) }],
    });
    await assert.rejects(rows(`SELECT d FROM (${(await snapshot.scan()).sql})`), /before the year 1/);
  });
});
