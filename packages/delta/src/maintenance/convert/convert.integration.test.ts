/** Folders of Parquet files become tables in place. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withSession } from '../../engine.ts';
import { quoteText } from '../../scan/quote.ts';
import { struct } from '../../schema/types.ts';
import { append, filesOf, localTables, objectsOf, query } from '../local-table.fixture.ts';
import { convertToDelta, type ConvertOptions } from './convert.ts';

const tables = await localTables('convert');
let folders = 0;

async function folder(files: Record<string, string>): Promise<ConvertOptions> {
  const root = `f${(folders += 1)}`;
  for (const [path, select] of Object.entries(files)) {
    const file = join(tables.directory, root, path);
    mkdirSync(join(file, '..'), { recursive: true });
    await withSession(tables.engine, (session) =>
      session.run(`COPY (${select}) TO ${quoteText(file)} (FORMAT parquet)`),
    );
  }
  return { store: tables.store, engine: tables.engine, root };
}

describe('a folder of Parquet files', () => {
  it('becomes a table, with types from directories and statistics from footers', async () => {
    const options = await folder({
      'day=2024-01-01/hour=1/a.parquet': `SELECT 1::BIGINT AS id, 'x' AS name, 1.5::DECIMAL(20,4) AS d, {n: 7} AS s`,
      'day=2024-01-02/hour=12/b.parquet': `SELECT range AS id, 'name ' || range AS name, NULL::DECIMAL(20,4) AS d, {n: range::INTEGER} AS s FROM range(5, 10)`,
      'day=__HIVE_DEFAULT_PARTITION__/hour=2/c d.parquet': `SELECT 99::BIGINT AS id, TIMESTAMPTZ '2024-05-06 07:08:09.123+00' AS at, 1.5::DOUBLE AS x`,
      '_temporary/ignored.parquet': `SELECT 'no' AS id`,
    });
    const before = await objectsOf(tables.open(options.root));
    const result = await convertToDelta(options);
    assert.deepEqual([result.files, result.rows, result.version], [3, 7, 0]);
    const context = tables.open(options.root);
    assert.deepEqual(await objectsOf(context), before, 'no file is touched');
    const state = await context.refresh();
    assert.deepEqual(
      state.schema.fields.map(({ name, type }) => [name, type]),
      [
        ['id', 'long'],
        ['name', 'string'],
        ['d', 'decimal(20,4)'],
        ['s', struct({ n: 'integer' })],
        ['at', 'timestamp'],
        ['x', 'double'],
        ['day', 'date'],
        ['hour', 'integer'],
      ],
    );
    const files = await filesOf(context);
    const byPath = new Map(files.map((file) => [file.path, file]));
    assert.equal(
      byPath.get('day=2024-01-02/hour=12/b.parquet')?.stats,
      '{"numRecords":5,"minValues":{"id":5,"name":"name 5","s":{"n":5}},"maxValues":{"id":9,"name":"name 9","s":{"n":9}},"nullCount":{"id":0,"name":0,"d":5,"s":{"n":0}}}',
    );
    assert.match(
      byPath.get('day=__HIVE_DEFAULT_PARTITION__/hour=2/c%20d.parquet')?.stats ?? '',
      /"at":"2024-05-06T07:08:09\.123000Z"/,
    );
    assert.deepEqual(
      await query(
        context,
        (t) => `SELECT id, day::VARCHAR, hour, s.n FROM ${t} WHERE id IN (1, 6, 99) ORDER BY id`,
      ),
      [
        [1n, '2024-01-01', 1, 7],
        [6n, '2024-01-02', 12, 6],
        [99n, null, 2, null],
      ],
    );
    await append(context, [{ id: 1000, day: '2024-01-03', hour: 0 }]);
    await assert.rejects(convertToDelta(options), { code: 'exists' });
  });

  it('takes the given types of partitions', async () => {
    const options = await folder({ 'p=05/a.parquet': 'SELECT 1 AS id', 'p=6/a.parquet': 'SELECT 2 AS id' });
    await assert.rejects(convertToDelta({ ...options, partitionSchema: struct({ q: 'string' }) }), {
      code: 'invalid-schema',
    });
    await assert.rejects(convertToDelta({ ...options, partitionSchema: struct({ p: 'date' }) }), {
      code: 'invalid-data',
    });
    await convertToDelta({ ...options, partitionSchema: struct({ p: 'string' }) });
    assert.deepEqual(await query(tables.open(options.root), (t) => `SELECT p FROM ${t} ORDER BY 1`), [
      ['05'],
      ['6'],
    ]);
  });

  it('is refused when its files don’t go together', async () => {
    const conflicting = await folder({
      'a.parquet': 'SELECT 1::BIGINT AS id',
      'b.parquet': `SELECT 'x' AS id`,
    });
    await assert.rejects(convertToDelta(conflicting), {
      code: 'invalid-schema',
      message: /"id".*"(a|b)\.parquet"/,
    });
    const unsigned = await folder({ 'a.parquet': 'SELECT 1::UTINYINT AS id' });
    await assert.rejects(convertToDelta(unsigned), { code: 'unsupported-type' });
    const uneven = await folder({ 'p=1/a.parquet': 'SELECT 1 AS id', 'b.parquet': 'SELECT 1 AS id' });
    await assert.rejects(convertToDelta(uneven), { code: 'invalid-schema' });
    const twice = await folder({ 'p=1/a.parquet': 'SELECT 1 AS p' });
    await assert.rejects(convertToDelta(twice), { code: 'invalid-schema' });
    const text = await folder({ 'a.parquet': 'SELECT 1 AS id' });
    writeFileSync(join(tables.directory, text.root, 'README.txt'), 'not a Parquet file at all');
    await assert.rejects(convertToDelta(text), { code: 'engine' });
    await assert.rejects(convertToDelta({ ...text, root: 'nothing' }), { code: 'not-found' });
    await assert.rejects(convertToDelta({ ...conflicting, signal: AbortSignal.abort() }), {
      code: 'aborted',
    });
    for (const { root } of [conflicting, unsigned, uneven, twice, text]) {
      await assert.rejects(tables.open(root).refresh(), { code: 'not-a-table' });
    }
  });
});
