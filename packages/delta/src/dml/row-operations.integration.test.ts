/** What single operations leave in the log and in the files, with real DuckDB and real files. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { addConstraint } from '../alter/index.ts';
import { field, struct } from '../schema/types.ts';
import { appendRows } from '../write/append.ts';
import { deleteRows, mergeInto, overwriteRows, updateRows } from './index.ts';
import {
  actionsOf,
  close,
  directory,
  FEED,
  ROWS,
  rowsOf,
  strays,
  table,
  VECTORS,
} from './testing/row-tables.ts';

after(close);

describe('deletes', () => {
  it('remove files of whole partitions unread, and count their rows', async () => {
    const made = await table({ partitionColumns: ['p'] });
    // Reading the files would fail.
    for (const name of readdirSync(join(directory, made.root), { recursive: true }).map(String)) {
      if (name.endsWith('.parquet')) rmSync(join(directory, made.root, name));
    }
    const result = await deleteRows(made.context, { where: `target.P = 'a' OR p IS NULL` });
    assert.deepEqual(result, {
      kind: 'committed',
      version: 2,
      rowsDeleted: 5,
      filesRemoved: 1,
      filesAdded: 0,
      vectorsAdded: 0,
    });
    const [info, ...actions] = actionsOf(made, 2);
    assert.equal(info?.commitInfo?.operation, 'DELETE');
    assert.equal(info?.commitInfo?.operationMetrics?.['numDeletedRows'], '5');
    assert.deepEqual(
      actions.map((action) => Object.keys(action)),
      [['remove']],
    );
    assert.equal((await deleteRows(made.context)).kind, 'committed');
    assert.equal((await made.context.refresh()).files.count, 0);
    assert.deepEqual(await deleteRows(made.context), { kind: 'unchanged', version: 3 });
  });

  it('mark few rows in a vector, joined with the one before, and rewrite a file of which many go', async () => {
    const made = await table({ properties: VECTORS });
    await deleteRows(made.context, { where: 'id = 3' });
    await deleteRows(made.context, { where: 'id = 7' });
    const actions = actionsOf(made, 3);
    const add = actions.find((action) => action.add)?.add;
    const remove = actions.find((action) => action.remove)?.remove;
    assert.equal(add?.deletionVector?.cardinality, 2);
    assert.equal(remove?.deletionVector?.cardinality, 1);
    assert.equal(add?.path, remove?.path);
    const stats = JSON.parse(add?.stats ?? '{}') as Record<string, unknown>;
    assert.equal(stats['numRecords'], 10);
    assert.equal(stats['tightBounds'], false);
    assert.deepEqual((await rowsOf(made.context, 'id')).flat(), [0, 1, 2, 4, 5, 6, 8, 9]);
    await deleteRows(made.context, { where: 'id > 4' });
    const rewritten = [...(await made.context.refresh()).files.files()];
    assert.equal(rewritten.length, 1);
    assert.equal(rewritten[0]?.deletionVector ?? undefined, undefined);
    assert.deepEqual((await rowsOf(made.context, 'id')).flat(), [0, 1, 2, 4]);
  });

  it('tell the change feed of rows, and leave whole files to their removal', async () => {
    const made = await table({ properties: { ...VECTORS, ...FEED } });
    await deleteRows(made.context, { where: 'id = 3' });
    assert.equal(actionsOf(made, 2).filter((action) => action.cdc).length, 1);
    await deleteRows(made.context, { where: 'id >= 0' });
    assert.equal(actionsOf(made, 3).filter((action) => action.cdc).length, 0);
  });

  it('are refused by append-only tables, as are updates and merges that change rows', async () => {
    const { context } = await table({ properties: { 'delta.appendOnly': 'true' } });
    const refused = { code: 'invalid-property', message: /delta\.appendOnly/ };
    await assert.rejects(deleteRows(context, { where: 'id = 1' }), refused);
    await assert.rejects(updateRows(context, { set: { v: '1' } }), refused);
    const source = { kind: 'rows' as const, rows: [{ id: 99 }] };
    const merge = mergeInto(context, { source, on: 'source.id = target.id' });
    await assert.rejects(merge.whenMatchedDelete().execute(), refused);
    await assert.rejects(overwriteRows(context, { source, mode: 'whole' }), refused);
    assert.equal((await merge.whenNotMatchedInsert({ values: 'all' }).execute()).kind, 'committed');
  });
});

describe('updates', () => {
  it('move rows between partitions and set members of structs', async () => {
    const schema = struct([
      field('id', 'long'),
      field('p', 'string'),
      field('s', struct({ a: 'long', b: 'string' })),
    ]);
    const rows = [
      { id: 1, p: 'x', s: { a: 1, b: 'one' } },
      { id: 2, p: 'x', s: null },
    ];
    const { context } = await table({ schema, partitionColumns: ['p'], rows });
    await updateRows(context, { set: { P: `p || id`, 's.B': `'new'` } });
    assert.deepEqual(await rowsOf(context, 'id, p, s.a, s.b'), [
      [1, 'x1', 1, 'new'],
      [2, 'x2', null, 'new'],
    ]);
  });

  it('see the row as it was in all values, and refuse what does not fit before anything is written', async () => {
    const made = await table();
    await updateRows(made.context, { set: { id: 'v', v: 'id' }, where: 'id = 4' });
    assert.deepEqual(await rowsOf(made.context, 'id, v'), [
      ...ROWS.filter(({ id }) => id !== 4).map(({ id, v }) => [id, v]),
      [40, 4],
    ]);
    for (const set of [{ nope: '1' }, { v: 'nope' }, { v: '1', V: '2' }, { v: 'sum(id)' }, {}] as Record<
      string,
      string
    >[]) {
      await assert.rejects(updateRows(made.context, { set }), { code: 'invalid-expression' });
    }
    await assert.rejects(updateRows(made.context, { set: { v: `'x' || p` } }), { code: 'invalid-data' });
    assert.equal((await made.context.refresh()).version, 2);
    assert.deepEqual(await strays(made), []);
  });

  it('obey the rules of the table: NOT NULL, constraints, generated columns, identities', async () => {
    const schema = struct([
      field('id', 'long', {
        nullable: false,
        metadata: {
          'delta.identity.start': 1,
          'delta.identity.step': 1,
          'delta.identity.allowExplicitInsert': false,
        },
      }),
      field('v', 'integer', { nullable: false }),
      field('twice', 'long', { metadata: { 'delta.generationExpression': 'v * 2' } }),
      field('d', 'string', { metadata: { CURRENT_DEFAULT: `'none'` } }),
    ]);
    const properties = { 'delta.feature.allowColumnDefaults': 'supported' };
    const { context } = await table({ schema, properties, rows: [{ v: 1 }, { v: 2 }] });
    await addConstraint(context, { name: 'small', expression: 'v < 100' });
    await updateRows(context, { set: { v: 'v + 10' }, where: 'v = 2' });
    const source = { kind: 'rows' as const, rows: [{ v: 7 }] };
    const merge = mergeInto(context, { source, on: 'target.v = source.v' });
    await merge.whenNotMatchedInsert({ values: { v: 'source.v' } }).execute();
    assert.deepEqual(await rowsOf(context), [
      [1, 1, 2, 'none'],
      [2, 12, 24, 'none'],
      [3, 7, 14, 'none'],
    ]);
    await assert.rejects(updateRows(context, { set: { v: '100' }, where: 'v = 1' }), { code: 'constraint' });
    await assert.rejects(updateRows(context, { set: { v: 'NULL' }, where: 'v = 1' }), { code: 'not-null' });
    await assert.rejects(updateRows(context, { set: { id: '9' } }), { code: 'invalid-expression' });
    await assert.rejects(updateRows(context, { set: { twice: '9' } }), { code: 'constraint' });
    await merge.whenNotMatchedInsert({ values: { v: '50' } }).execute();
    const replaced = await overwriteRows(context, {
      source: { kind: 'rows', rows: [{ v: 7 }] },
      mode: { replaceWhere: 'twice = 14' },
    });
    assert.equal(replaced.kind, 'committed');
    const ids = (await rowsOf(context, 'id')).flat();
    assert.equal(new Set(ids).size, ids.length, 'no identity is given twice');
  });
});

describe('merges', () => {
  const source = {
    kind: 'sql' as const,
    sql: 'SELECT * FROM (VALUES (1, 100), (2, 200), (50, 500)) AS s(id, v)',
  };
  const on = 'source.id = target.id';

  it('apply the first clause whose condition is true, and record it as Spark does', async () => {
    const made = await table();
    const result = await mergeInto(made.context, { source, on, userMetadata: 'mine' })
      .whenMatchedDelete({ condition: 'source.v > 150' })
      .whenMatchedUpdate({ set: { v: 'target.v + source.v' } })
      .whenNotMatchedInsert({ condition: 'v > 400', values: { id: 'id', v: 'v' } })
      .whenNotMatchedBySourceDelete({ condition: 'id > 7' })
      .whenNotMatchedBySourceUpdate({ condition: 'id = 7', set: { v: 'v - 1' } })
      .execute();
    assert.equal(result.kind, 'committed');
    assert.deepEqual(await rowsOf(made.context, 'id, v'), [
      [0, 0],
      [1, 110],
      [3, 30],
      [4, 40],
      [5, 50],
      [6, 60],
      [7, 69],
      [50, 500],
    ]);
    const info = actionsOf(made, 2)[0]?.commitInfo;
    assert.equal(info?.operation, 'MERGE');
    assert.equal(info?.userMetadata, 'mine');
    assert.equal(
      info?.operationParameters?.['matchedPredicates'],
      '[{"predicate":"source.v > 150","actionType":"delete"},{"actionType":"update"}]',
    );
    for (const [name, expected] of Object.entries({
      numSourceRows: '3',
      numTargetRowsInserted: '1',
      numTargetRowsUpdated: '2',
      numTargetRowsMatchedUpdated: '1',
      numTargetRowsNotMatchedBySourceUpdated: '1',
      numTargetRowsDeleted: '3',
      numTargetRowsMatchedDeleted: '1',
      numTargetRowsNotMatchedBySourceDeleted: '2',
      numTargetRowsCopied: '5',
    })) {
      assert.equal(info?.operationMetrics?.[name], expected, name);
    }
  });

  it('refuse a row that two rows of the source would change, but not one that they would delete', async () => {
    const { context } = await table();
    const twice = { kind: 'sql' as const, sql: 'SELECT 1 AS id, unnest([1, 2]) AS v' };
    const merge = mergeInto(context, { source: twice, on });
    const ambiguous = { code: 'duplicate-match' };
    await assert.rejects(merge.whenMatchedUpdate({ set: { v: 'source.v' } }).execute(), ambiguous);
    await assert.rejects(merge.whenMatchedDelete({ condition: 'source.v > 0' }).execute(), ambiguous);
    const narrowed = merge.whenMatchedUpdate({ condition: 'source.v = 2', set: { v: 'source.v' } });
    assert.equal((await narrowed.execute()).kind, 'committed');
    const result = await merge
      .whenMatchedDelete()
      .whenNotMatchedBySourceDelete({ condition: 'target.id > 7' })
      .execute();
    assert.ok(result.kind === 'committed' && result.rowsDeleted === 3);
    assert.deepEqual((await rowsOf(context, 'id')).flat(), [0, 2, 3, 4, 5, 6, 7]);
  });

  it('insert rows without a match only once they are sure of it, and never rewrite for that', async () => {
    const made = await table();
    const insert = mergeInto(made.context, { source, on }).whenNotMatchedInsert({
      values: { id: 'id', v: 'v' },
    });
    const result = await insert.execute();
    assert.ok(result.kind === 'committed' && result.rowsInserted === 1 && result.filesRemoved === 0);
    assert.equal((await insert.execute()).kind, 'unchanged');
  });

  it('look only into files that the keys of the source can be in', async () => {
    const made = await table();
    await appendRows(made.context, { source: { kind: 'rows', rows: [{ id: 1000, v: 1 }] } });
    const phases: [string, number][] = [];
    await mergeInto(made.context, {
      source,
      on: `target.id = source.id AND target.v < 100`,
      onProgress: ({ phase, total }) => phases.push([phase, total]),
    })
      .whenMatchedUpdate({ set: { v: '0' } })
      .execute();
    assert.deepEqual(phases[0], ['match', 1]);
    const none = { kind: 'sql' as const, sql: 'SELECT CAST(NULL AS BIGINT) AS id' };
    const empty = mergeInto(made.context, {
      source: none,
      on,
      onProgress: ({ total }) => phases.push(['none', total]),
    });
    assert.equal((await empty.whenMatchedDelete().execute()).kind, 'unchanged');
    assert.deepEqual(phases.at(-3), ['none', 0]);
  });

  it('find the rows at both ends of many keys', async () => {
    const made = await table({ rows: [{ id: 1000, v: 1 }] });
    for (const id of [1999, 999, 2000]) {
      await appendRows(made.context, { source: { kind: 'rows', rows: [{ id, v: 1 }] } });
    }
    const keys = { kind: 'sql' as const, sql: 'SELECT range AS id FROM range(1000, 2000)' };
    let files = 0;
    const result = await mergeInto(made.context, {
      source: keys,
      on,
      onProgress: ({ phase, total }) => (files += phase === 'match' ? total : 0),
    })
      .whenMatchedDelete()
      .execute();
    assert.ok(result.kind === 'committed' && result.rowsDeleted === 2);
    assert.equal(files, 2);
    assert.deepEqual((await rowsOf(made.context, 'id')).flat(), [999, 2000]);
  });

  it('write rows that are the source’s alone, or the table’s too, by the clause that applies', async () => {
    const schema = struct({ id: 'long', v: 'long', s: 'string' });
    const before = Array.from({ length: 40 }, (_, id) => ({ id, v: id * 10, s: 'old' }));
    // A column that is called as the table is hides nothing of the table.
    const sources = [
      `SELECT unnest([1, 2, 3, 50]) AS id, 7 AS v, 'new' AS s`,
      `SELECT unnest([1, 2, 3, 50]) AS id, 7 AS v, 'new' AS s, {'v': -1} AS target`,
    ];
    for (const sql of sources) {
      for (const [second, expected] of [
        ['source.v + 1', 8],
        ['target.v + 1', 21],
      ] as const) {
        const { context } = await table({ schema, rows: before, properties: VECTORS });
        const result = await mergeInto(context, { source: { kind: 'sql', sql }, on })
          .whenMatchedUpdate({
            condition: 'target.id = 1',
            set: { id: 'source.id', v: 'source.v', s: `'set'` },
          })
          .whenMatchedUpdate({
            condition: 'source.id = 2',
            set: { id: 'source.id', v: second, s: `upper(source.s)` },
          })
          .whenMatchedDelete()
          .whenNotMatchedInsert({ values: { id: 'source.id', v: 'source.v', s: 'source.s' } })
          .execute();
        assert.ok(result.kind === 'committed' && result.vectorsAdded === 1);
        assert.deepEqual(
          (await rowsOf(context, 'id, v, s')).filter(([id]) => Number(id) < 5 || id === 50),
          [
            [0, 0, 'old'],
            [1, 7, 'set'],
            [2, expected, 'NEW'],
            [4, 40, 'old'],
            [50, 7, 'new'],
          ],
        );
      }
    }
  });

  it('add columns of the source when they may, and refuse to lose them when they may not', async () => {
    const schema = struct([field('id', 'long'), field('s', struct({ a: 'long' }))]);
    const { context } = await table({ schema, rows: [{ id: 1, s: { a: 1 } }, { id: 2 }] });
    const wider = {
      kind: 'sql' as const,
      sql: `SELECT 1 AS id, {'a': 5, 'b': 'x'} AS s, 1.5::DOUBLE AS extra`,
    };
    const merge = mergeInto(context, { source: wider, on }).whenMatchedUpdate({ set: 'all' });
    await assert.rejects(merge.execute(), { code: 'invalid-expression', message: /s\.b/ });
    await merge.withSchemaEvolution().execute();
    assert.deepEqual(await rowsOf(context, 'id, s.a, s.b, extra'), [
      [1, 5, 'x', 1.5],
      [2, null, null, null],
    ]);
    const narrower = { kind: 'sql' as const, sql: 'SELECT 2 AS id' };
    const all = mergeInto(context, { source: narrower, on }).whenMatchedUpdate({ set: 'all' });
    await assert.rejects(all.execute(), { code: 'invalid-expression', message: /lacks the column "s"/ });
  });

  it('refuse names that are ambiguous, clauses that can never apply, and conditions over the wrong side', async () => {
    const { context } = await table();
    const merge = mergeInto(context, { source, on });
    const refused = { code: 'invalid-expression' };
    await assert.rejects(merge.execute(), refused);
    await assert.rejects(merge.whenMatchedDelete({ condition: 'id = 1' }).execute(), refused);
    await assert.rejects(
      merge
        .whenMatchedDelete()
        .whenMatchedUpdate({ set: { v: '1' } })
        .execute(),
      refused,
    );
    await assert.rejects(
      merge.whenNotMatchedInsert({ condition: 'target.id = 1', values: 'all' }).execute(),
      refused,
    );
    await assert.rejects(
      merge.whenNotMatchedBySourceDelete({ condition: 'source.id = 1' }).execute(),
      refused,
    );
    await assert.rejects(
      mergeInto(context, { source, on: 'target.id' }).whenMatchedDelete().execute(),
      refused,
    );
  });
});

describe('overwrites', () => {
  it('replace the partitions that the source touches, or the rows that a condition names', async () => {
    const { context } = await table({ partitionColumns: ['p'] });
    await overwriteRows(context, {
      source: { kind: 'rows', rows: [{ id: 100, p: 'b' }] },
      mode: 'partitions',
    });
    assert.deepEqual((await rowsOf(context, 'id')).flat(), [0, 1, 2, 3, 4, 100]);
    const source = { kind: 'rows' as const, rows: [{ id: 2, p: 'c' }] };
    await overwriteRows(context, { source, mode: { replaceWhere: 'id BETWEEN 2 AND 4' } });
    assert.deepEqual((await rowsOf(context, 'id')).flat(), [0, 1, 2, 100]);
    await assert.rejects(overwriteRows(context, { source, mode: { replaceWhere: 'id > 2' } }), {
      code: 'constraint',
    });
    // Neither true nor false is not true.
    const unsure = { kind: 'rows' as const, rows: [{ p: 'c' }] };
    await assert.rejects(overwriteRows(context, { source: unsure, mode: { replaceWhere: 'id > 2' } }), {
      code: 'constraint',
    });
  });

  it('give the table another schema with all of its rows', async () => {
    const { context } = await table({ partitionColumns: ['p'] });
    const schema = struct({ name: 'string', id: 'double' });
    await overwriteRows(context, {
      source: { kind: 'rows', rows: [{ name: 'n', id: 0.5 }] },
      mode: 'whole',
      schema,
      partitionColumns: [],
    });
    assert.deepEqual(await rowsOf(context), [['n', 0.5]]);
    assert.deepEqual((await context.refresh()).metadata.partitionColumns, []);
  });
});
