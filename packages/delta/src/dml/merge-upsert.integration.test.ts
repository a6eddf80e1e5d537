/** Merges that replace what matches and add the rest, whose rows are written before the table is looked at. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { addConstraint } from '../alter/index.ts';
import { RowSet } from '../deletion-vectors/index.ts';
import { struct } from '../schema/types.ts';
import { mergeInto } from './index.ts';
import {
  actionsOf,
  close,
  engine,
  rowsOf,
  strays,
  table,
  type Table,
  VECTORS,
} from './testing/row-tables.ts';

after(close);

const SCHEMA = struct({ id: 'long', v: 'long', s: 'string' });
const BEFORE = Array.from({ length: 40 }, (_, id) => ({ id, v: id * 10, s: 'old' }));

const made = (rows: Record<string, unknown>[] = BEFORE): Promise<Table> =>
  table({ schema: SCHEMA, rows, properties: VECTORS });

const upsert = (
  { context }: Table,
  sql: string,
  on = 'target.id = source.id',
): ReturnType<ReturnType<typeof mergeInto>['execute']> =>
  mergeInto(context, { source: { kind: 'sql', sql }, on })
    .whenMatchedUpdate({ set: 'all' })
    .whenNotMatchedInsert({ values: 'all' })
    .execute();

describe('an upsert', () => {
  it('makes one row of each row of the source, and counts what became of it', async () => {
    const one = await made();
    const result = await upsert(one, `SELECT unnest([1, 2, 100])::BIGINT AS id, 7::BIGINT AS v, 'new' AS s`);
    assert.deepEqual(result, {
      kind: 'committed',
      version: 2,
      rowsInserted: 1,
      rowsUpdated: 2,
      rowsDeleted: 0,
      sourceRows: 3,
      filesRemoved: 0,
      filesAdded: 1,
      vectorsAdded: 1,
    });
    const rows = await rowsOf(one.context, 'id, v, s');
    assert.equal(rows.length, 41);
    assert.deepEqual(
      rows.filter(([, , s]) => s === 'new'),
      [
        [1, 7, 'new'],
        [2, 7, 'new'],
        [100, 7, 'new'],
      ],
    );
    assert.deepEqual(await strays(one), []);
  });

  it('reads a source that gives other rows each time once', async () => {
    const one = await made();
    const sql = `SELECT CAST(floor(random() * 1e15) AS BIGINT) * 2 + 101 AS id, i AS v, 'new' AS s FROM range(500) AS t(i)`;
    await upsert(one, sql);
    const [add] = actionsOf(one, 2).flatMap((action) => (action.add ? [action.add] : []));
    assert.equal((JSON.parse(add?.stats ?? '{}') as { numRecords?: number }).numRecords, 500);
    const [counts] = await rowsOf(one.context, 'count(*), count(DISTINCT id)');
    assert.deepEqual(counts, [540, 540]);
  });

  it('writes a row of the source again for each further row that it matches', async () => {
    const one = await made([...BEFORE, { id: 3, v: -1, s: 'twin' }, { id: 3, v: -2, s: 'twin' }]);
    const sql = `SELECT unnest([3, 4, 50])::BIGINT AS id, 7::BIGINT AS v, 'new' AS s`;
    const result = await upsert(one, sql);
    assert.ok(result.kind === 'committed' && result.rowsUpdated === 4 && result.rowsInserted === 1);
    assert.deepEqual(
      (await rowsOf(one.context, 'id, s')).filter(([, s]) => s !== 'old'),
      [3, 3, 3, 4, 50].map((id) => [id, 'new']),
    );
    assert.equal((await rowsOf(one.context)).length, 43);
  });

  it('leaves nothing behind when two rows of the source match one row, or a row is forbidden', async () => {
    const one = await made();
    const twice = `SELECT unnest([5, 5])::BIGINT AS id, 7::BIGINT AS v, 'new' AS s`;
    await assert.rejects(upsert(one, twice), { code: 'duplicate-match', message: /^1 row/ });
    await addConstraint(one.context, { name: 'small', expression: 'v < 1000' });
    const large = `SELECT 5::BIGINT AS id, 5000::BIGINT AS v, 'new' AS s`;
    await assert.rejects(upsert(one, large), { code: 'constraint' });
    assert.deepEqual(await strays(one), []);
    assert.deepEqual(await rowsOf(one.context), (await rowsOf((await made()).context)) satisfies unknown[][]);
  });

  it('compares the source’s own values, not what becomes of them in the table', async () => {
    const one = await made();
    // 4.6 is no row's id, though it is stored as 5; and the column "at" is the source's alone.
    const half = `SELECT 4.6::DOUBLE AS id, 7::BIGINT AS v, 'new' AS s, 6::BIGINT AS "at"`;
    const first = await upsert(one, half);
    assert.ok(first.kind === 'committed' && first.rowsInserted === 1 && first.rowsUpdated === 0);
    const second = await upsert(one, half, 'target.id = source."at"');
    assert.ok(second.kind === 'committed' && second.rowsInserted === 0 && second.rowsUpdated === 1);
    assert.deepEqual(
      (await rowsOf(one.context, 'id, s')).filter(([id]) => Number(id) >= 4 && Number(id) <= 7),
      [
        [4, 'old'],
        [5, 'new'],
        [5, 'new'],
        [5, 'old'],
        [7, 'old'],
      ],
    );
  });

  it('knows its rows again in files of partitions, under other names', async () => {
    const one = await table({
      schema: SCHEMA,
      partitionColumns: ['s'],
      rows: BEFORE,
      properties: { ...VECTORS, 'delta.columnMapping.mode': 'name' },
    });
    const sql =
      `SELECT unnest([1, 2, 3, 50])::BIGINT AS "ID", 7::BIGINT AS V, unnest(['old', 'new', '', NULL]) AS s, ` +
      `'the source''s alone' AS more`;
    const result = await upsert(one, sql);
    assert.ok(result.kind === 'committed' && result.rowsUpdated === 3 && result.rowsInserted === 1);
    const rows = await rowsOf(one.context, 'id, v, s');
    assert.deepEqual(
      rows.filter(([, v]) => v === 7),
      [
        [1, 7, 'old'],
        [2, 7, 'new'],
        [3, 7, null],
        [50, 7, null],
      ],
    );
    assert.equal(rows.length, 41);
    // The partition is a part of the condition: no row of another one matches.
    const other = await upsert(one, sql, 'target.id = source.id AND target.s = source.s');
    assert.ok(other.kind === 'committed' && other.rowsUpdated === 2 && other.rowsInserted === 2);
  });

  it('of no rows changes nothing', async () => {
    const one = await made();
    const none = `SELECT 1::BIGINT AS id, 7::BIGINT AS v, 'new' AS s WHERE false`;
    assert.deepEqual(await upsert(one, none), { kind: 'unchanged', version: 1 });
    assert.deepEqual(await strays(one), []);
  });

  it('replaces most of a file by a new one, and a whole one by none', async () => {
    for (const count of [30, 40]) {
      const one = await made();
      const sql = `SELECT i AS id, 7::BIGINT AS v, 'new' AS s FROM range(${count}) AS t(i)`;
      const result = await upsert(one, sql);
      assert.ok(result.kind === 'committed' && result.rowsUpdated === count && result.filesRemoved === 1);
      assert.equal(result.filesAdded, count === 40 ? 1 : 2);
      assert.deepEqual(await rowsOf(one.context, 'count(*), count(DISTINCT id), sum((v = 7)::INTEGER)'), [
        [40, 40, count],
      ]);
    }
  });
});

describe('positions that the engine gathers', () => {
  const setsOf = async (sql: string): Promise<Map<number, RowSet>> => {
    const blocks = await engine.session((session) => session.positions(sql));
    return new Map([...blocks].map(([file, own]) => [file, RowSet.fromPositionBlocks(own)]));
  };

  it('are sets, beyond a block and beyond 32 bits', async () => {
    const positions = [0, 65_535, 65_536, 65_536, 2 ** 32, 2 ** 40 + 1];
    const values = positions.map((position) => `(7, ${position})`).join(', ');
    const sets = await setsOf(`SELECT * FROM (VALUES ${values}, (8, 3)) AS t(f, r)`);
    assert.deepEqual([...(sets.get(7)?.positions() ?? [])], [...new Set(positions)]);
    assert.deepEqual([...(sets.get(8)?.positions() ?? [])], [3]);
    const many = await setsOf('SELECT 1, 69999 - i FROM range(70000) AS t(i) WHERE i % 3 > 0');
    assert.equal(many.get(1)?.size, 46_666);
  });
});

describe('the number of rows that the engine expects', () => {
  it('is that of a scan, and a number for everything else', async () => {
    const of = (sql: string): Promise<number> => engine.session((session) => session.estimatedRows(sql));
    assert.equal(await of('SELECT i * 2 FROM range(5000) AS t(i)'), 5000);
    assert.ok((await of('SELECT 1')) >= 0);
  });
});
