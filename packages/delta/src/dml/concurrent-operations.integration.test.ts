/** Operations that others get in the way of, that are ended, or whose expressions want too much. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { createContext, type TableContext } from '../table-context.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { appendRows } from '../write/append.ts';
import { createTable } from '../write/create-table.ts';
import { deleteRows, mergeInto, updateRows } from './index.ts';
import {
  close,
  engine,
  FEED,
  ROWS,
  rowsOf,
  SCHEMA,
  strays,
  type Table,
  table,
  VECTORS,
} from './testing/row-tables.ts';

after(close);

describe('operations among others', () => {
  /** The context, with something that happens just before the first commit. */
  function interrupted(
    { context }: Table,
    meanwhile: (context: TableContext) => Promise<unknown>,
  ): TableContext {
    let done = false;
    return {
      ...context,
      async commit(transaction) {
        if (!done) {
          done = true;
          await meanwhile(context);
        }
        return context.commit(transaction);
      },
    };
  }

  it('are made anew from what others left, and leave no files of the attempt that failed', async () => {
    const made = await table({ properties: VECTORS });
    const racing = interrupted(made, (context) =>
      appendRows(context, { source: { kind: 'rows', rows: [{ id: 4, v: 1 }] } }),
    );
    const result = await updateRows(racing, { set: { v: '-1' }, where: 'id = 4' });
    assert.ok(result.kind === 'committed' && result.rowsUpdated === 2 && result.version === 3);
    const again = interrupted(made, (context) => deleteRows(context, { where: 'id = 4' }));
    assert.deepEqual(await updateRows(again, { set: { v: '-2' }, where: 'id = 4' }), {
      kind: 'unchanged',
      version: 4,
    });
    assert.deepEqual(await strays(made), []);
  });

  it('do not see appends that cannot match', async () => {
    const made = await table();
    const racing = interrupted(made, (context) =>
      appendRows(context, { source: { kind: 'rows', rows: [{ id: 4000, v: 1 }] } }),
    );
    const result = await deleteRows(racing, { where: 'id = 4' });
    assert.ok(result.kind === 'committed' && result.version === 3);
    assert.equal((await rowsOf(made.context)).length, 10);
  });

  it('happen once for their txns, and are recorded even when no row is affected', async () => {
    const { context } = await table();
    const txns = [{ appId: 'job', version: 1 }];
    const first = await updateRows(context, { set: { v: 'v + 1' }, where: 'id = 1', txns });
    assert.equal(first.kind, 'committed');
    assert.deepEqual(await updateRows(context, { set: { v: 'v + 1' }, where: 'id = 1', txns }), {
      kind: 'already-committed',
      version: 2,
    });
    const none = await deleteRows(context, { where: 'false', txns: [{ appId: 'job', version: 2 }] });
    assert.ok(none.kind === 'committed' && none.rowsDeleted === 0);
    assert.deepEqual((await rowsOf(context, 'v')).flat().slice(0, 3), [0, 11, 20]);
  });

  it('are known as done when another one recorded their txns first', async () => {
    const made = await table();
    const txns = [{ appId: 'job', version: 1 }];
    const update = { set: { v: 'v + 1' }, where: 'id = 1', txns };
    const racing = interrupted(made, (context) => updateRows(context, update));
    assert.deepEqual(await updateRows(racing, update), { kind: 'already-committed', version: 2 });
    const later = interrupted(made, (context) =>
      updateRows(context, { ...update, txns: [{ appId: 'job', version: 2 }] }),
    );
    const beyond = updateRows(later, { ...update, txns: [{ appId: 'job', version: 3 }] });
    await assert.rejects(beyond, { code: 'conflict' }, 'of a version that is not recorded nothing is known');
    assert.deepEqual(await strays(made), []);
  });

  it('end when the caller’s signal says so, and leave nothing', async () => {
    const made = await table();
    const abort = new AbortController();
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === 'commit') abort.abort();
    };
    const update = updateRows(made.context, { set: { v: '1' }, signal: abort.signal, onProgress });
    await assert.rejects(update, { code: 'aborted' });
    assert.equal((await made.context.refresh()).version, 1);
    assert.deepEqual(await strays(made), []);
  });

  it('work on stores without local files', async () => {
    const context = createContext({ store: new MemoryStore({ now: Date.now }), engine, root: 'm' });
    await createTable(context, { ...context.io, schema: SCHEMA, properties: { ...VECTORS, ...FEED } });
    await appendRows(context, { source: { kind: 'rows', rows: ROWS } });
    await deleteRows(context, { where: 'id = 1' });
    const source = {
      kind: 'rows' as const,
      rows: [
        { id: 2, v: 0 },
        { id: 77, v: 7 },
      ],
    };
    await mergeInto(context, { source, on: 'source.id = target.id' })
      .whenMatchedUpdate({ set: { v: 'source.v' } })
      .whenNotMatchedInsert({ values: 'all' })
      .execute();
    assert.deepEqual(await rowsOf(context, 'id, v'), [
      [0, 0],
      [2, 0],
      ...ROWS.slice(3).map(({ id, v }) => [id, v]),
      [77, 7],
    ]);
  });
});

describe('expressions of callers', () => {
  it('can only compute', async () => {
    const { context } = await table();
    for (const where of [
      'id',
      'nope = 1',
      'sum(id) > 1',
      'random() > 0.5',
      'uuid() IS NULL',
      'id IN (SELECT 1)',
      'EXISTS (FROM duckdb_settings())',
      '1 = 1) OR (1 = 1',
      'id = 1; DROP TABLE x',
      'id = 1 ORDER BY 1',
      'id = 1 AS x',
      'true FROM duckdb_settings()',
      'DISTINCT true',
      'id = 1, true',
      `getvariable('x') = 1`,
      `current_setting('threads') = 1`,
      'id = $1',
      'row_number() OVER () = 1',
      '*',
      'COLUMNS(*) = 1',
      `read_text('/etc/hostname') IS NULL`,
      'unnest([true])',
      'id = 1 /* open',
      '',
      '"_sluice_row" = 1',
      'rowid = 1',
    ]) {
      await assert.rejects(deleteRows(context, { where }), { code: 'invalid-expression' }, where);
    }
    assert.deepEqual(await deleteRows(context, { where: 'NULL' }), { kind: 'unchanged', version: 1 });
    const result = await deleteRows(context, { where: 'list_contains([x * 2 for x in [1, 2]], id) -- even' });
    assert.ok(result.kind === 'committed' && result.rowsDeleted === 2);
  });
});
