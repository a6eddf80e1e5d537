/** OPTIMIZE over real files: rows stay, files get fewer, others are not in the way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AddFile, fileKey } from '../../log/actions.ts';
import { writeDeletionVectors, RowSet } from '../../deletion-vectors/index.ts';
import { schemaToJson } from '../../schema/json.ts';
import { field, struct } from '../../schema/types.ts';
import { recordCount } from '../../stats/record-count.ts';
import type { TableContext } from '../../table-context.ts';
import {
  actionsOf,
  append,
  type CreateLocalOptions,
  filesOf,
  fingerprint,
  localTables,
  objectsOf,
  query,
} from '../local-table.fixture.ts';
import { removeOf } from '../remove-of.ts';
import { CUBE_COLUMNS_TAG, CUBE_ID_TAG } from './bins.ts';
import { optimize } from './optimize.ts';

const tables = await localTables('optimize');
const SCHEMA = struct([
  field('id', 'long', { nullable: false }),
  field('part', 'string'),
  field('x', 'integer'),
  field('y', 'integer'),
  field('s', struct({ a: 'string', n: 'decimal(20,4)' })),
]);

function rows(first: number, count: number, part?: (id: number) => string | null): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, at) => {
    const id = first + at;
    return {
      id,
      part: part?.(id) ?? null,
      x: (id * 7919) % 1000,
      y: (id * 104_729) % 1000,
      s: id % 5 === 0 ? null : { a: `text ${id}`, n: `${id}.25` },
    };
  });
}

async function withFiles(
  files: number,
  options: CreateLocalOptions & { perFile?: number } = {},
): Promise<TableContext> {
  const context = await tables.create(SCHEMA, options);
  const perFile = options.perFile ?? 20;
  for (let at = 0; at < files; at += 1) {
    await append(
      context,
      rows(at * perFile, perFile, (id) => (id % 3 === 0 ? null : `p ${id % 3}`)),
    );
  }
  return context;
}

const VECTORS = { 'delta.enableDeletionVectors': 'true' };

/** Marks the first rows of a file as deleted, as a DELETE would. */
async function mask(context: TableContext, file: AddFile, deleted: number): Promise<void> {
  const set = RowSet.fromPositions(Array.from({ length: deleted }, (_, at) => at));
  const [deletionVector] = await writeDeletionVectors(context.io, [set], context.uuid);
  assert.ok(deletionVector);
  const outcome = await context.commit({
    state: await context.refresh(),
    reads: { kind: 'files', keys: new Set([fileKey(file)]) },
    operation: 'DELETE',
    actions: [
      { remove: removeOf(file, { dataChange: true, nowMs: context.now() }) },
      { add: { ...file, deletionVector, dataChange: true } },
    ],
  });
  assert.equal(outcome.kind, 'committed');
}

describe('optimize', () => {
  it('joins small files into one, keeps every row, and says that nothing changed', async () => {
    const context = await withFiles(6);
    const before = await fingerprint(context);
    const progress: number[] = [];
    const result = await optimize(context, { onProgress: ({ done, total }) => progress.push(done, total) });
    assert.deepEqual([result.filesAdded, result.filesRemoved, result.rows, result.binsLost], [1, 6, 120, 0]);
    assert.deepEqual(progress, [1, 1]);
    assert.deepEqual(await fingerprint(context), before);
    const [file, ...others] = await filesOf(context);
    assert.deepEqual(others, []);
    assert.equal(recordCount(file?.stats), 120);
    assert.match(file?.stats ?? '', /"minValues":\{"id":0,/);
    const [version = -1] = result.versions;
    const actions = await actionsOf(context, version);
    const info = actions.find(({ commitInfo }) => commitInfo)?.commitInfo;
    assert.equal(info?.operation, 'OPTIMIZE');
    assert.deepEqual(info?.operationParameters, { predicate: '[]', zOrderBy: '[]', auto: 'false' });
    assert.equal(info?.operationMetrics?.numRemovedFiles, '6');
    assert.equal(info?.isBlindAppend, false);
    assert.ok(actions.every(({ add, remove }) => (add ?? remove)?.dataChange !== true));
    assert.deepEqual((await optimize(context)).versions, [], 'a second one has nothing to do');
  });

  it('keeps partitions apart and rewrites only those asked for', async () => {
    const context = await withFiles(3, { partitionColumns: ['part'] });
    const before = await fingerprint(context);
    assert.equal((await filesOf(context)).length, 9);
    const some = await optimize(context, { where: `part = 'p 1' OR part IS NULL` });
    assert.deepEqual([some.filesRemoved, some.filesAdded], [6, 2]);
    await assert.rejects(optimize(context, { where: 'x > 5' }), { code: 'invalid-expression' });
    const rest = await optimize(context);
    assert.deepEqual([rest.filesRemoved, rest.filesAdded], [3, 1]);
    assert.deepEqual(await fingerprint(context), before);
    const values = (await filesOf(context)).map(({ partitionValues }) => partitionValues.part);
    assert.deepEqual(values.toSorted(), ['p 1', 'p 2', null].toSorted());
    assert.ok((await filesOf(context)).every(({ path }) => path.startsWith('part=')));
  });

  it('keeps mapped columns, and writes the newest types', async () => {
    const properties = { 'delta.columnMapping.mode': 'name', 'delta.enableTypeWidening': 'true' };
    const context = await withFiles(2, { partitionColumns: ['part'], properties });
    const state = await context.refresh();
    const fields = state.schema.fields.map((each) =>
      each.name === 'x'
        ? {
            ...each,
            name: 'renamed',
            type: 'long' as const,
            metadata: {
              ...each.metadata,
              'delta.typeChanges': [{ fromType: 'integer', toType: 'long', tableVersion: state.version + 1 }],
            },
          }
        : each,
    );
    const metaData = { ...state.metadata, schemaString: schemaToJson({ type: 'struct', fields }) };
    await context.commit({
      state,
      reads: { kind: 'nothing' },
      operation: 'CHANGE COLUMN',
      actions: [{ metaData }],
    });
    await append(context, [{ id: 1_000, part: 'p 1', renamed: 2 ** 40 }]);
    const before = await fingerprint(context);
    const result = await optimize(context);
    assert.deepEqual([result.filesRemoved, result.filesAdded], [7, 3]);
    assert.deepEqual(await fingerprint(context), before);
    const [file] = (await filesOf(context)).filter(({ stats }) => stats?.includes(String(2 ** 40)));
    assert.ok(file && !file.path.includes('part='), 'paths of mapped tables show no names');
    assert.doesNotMatch(file.stats ?? '', /renamed/, 'statistics go by physical names');
    assert.deepEqual(Object.values(file.partitionValues), ['p 1']);
    assert.equal((await optimize(context, { where: `part = 'p 1'`, zOrderBy: ['renamed'] })).filesRemoved, 1);
    assert.deepEqual(await fingerprint(context), before);
  });

  it('packs up to the target size and leaves large files alone', async () => {
    const context = await withFiles(6);
    const [{ size } = { size: 0 }] = await filesOf(context);
    const result = await optimize(context, { targetFileSizeBytes: Math.ceil(size * 2.5) });
    assert.deepEqual([result.filesRemoved, result.filesAdded], [6, 3]);
    assert.deepEqual((await optimize(context, { minFileSizeBytes: 10 })).versions, []);
  });

  it('drops deleted rows for good: above 5 % alone, on purge always', async () => {
    const context = await withFiles(1, { perFile: 100, properties: VECTORS });
    const [first] = await filesOf(context);
    assert.ok(first);
    await mask(context, first, 4);
    const before = await fingerprint(context);
    assert.equal(before.rows, 96);
    assert.deepEqual((await optimize(context)).versions, [], '4 % is not worth it');
    const purged = await optimize(context, { purge: true });
    assert.deepEqual([purged.deletionVectorsRemoved, purged.rows], [1, 96]);
    assert.deepEqual(await fingerprint(context), before);
    const info = (await actionsOf(context, purged.versions[0] ?? -1)).find(({ commitInfo }) => commitInfo);
    assert.equal(info?.commitInfo?.operation, 'REORG');
    const [second] = await filesOf(context);
    assert.ok(second && !second.deletionVector);
    await mask(context, second, 50);
    assert.deepEqual((await optimize(context)).rows, 46);
    const [third] = await filesOf(context);
    assert.ok(third);
    await mask(context, third, 46);
    const all = await optimize(context);
    assert.deepEqual([all.filesRemoved, all.filesAdded], [1, 0]);
    assert.deepEqual(await filesOf(context), []);
  });

  it('orders rows along a curve, so that files are narrow in every column', async () => {
    const context = await tables.create(SCHEMA);
    for (let at = 0; at < 4; at += 1) {
      const source = `SELECT range AS id, NULL AS part, CAST(hash(range) % 1000 AS INTEGER) AS x, CAST(hash(-range) % 1000 AS INTEGER) AS y, NULL AS s FROM range(${at * 200_000}, ${(at + 1) * 200_000})`;
      const { appendRows } = await import('../../write/append.ts');
      await appendRows(context, { source: { kind: 'sql', sql: source } });
    }
    const before = await fingerprint(context);
    const bytes = (await filesOf(context)).reduce((sum, { size }) => sum + size, 0);
    const result = await optimize(context, {
      zOrderBy: ['x', 'y'],
      targetFileSizeBytes: Math.ceil(bytes / 4),
    });
    assert.deepEqual(await fingerprint(context), before);
    assert.ok(result.filesAdded >= 4, `${result.filesAdded} files`);
    const boxes = (await filesOf(context)).map(({ stats }) => {
      const { minValues, maxValues } = JSON.parse(stats ?? '{}') as Record<string, { x: number; y: number }>;
      return ((maxValues?.x ?? 0) - (minValues?.x ?? 0)) * ((maxValues?.y ?? 0) - (minValues?.y ?? 0));
    });
    const covered = boxes.reduce((sum, box) => sum + box, 0);
    // One million at best; how evenly files are cut depends on DuckDB's threads.
    assert.ok(covered < 3e6, `the files' boxes cover ${covered} of 4 million`);
    await assert.rejects(optimize(context, { zOrderBy: ['nope'] }), { code: 'invalid-schema' });
    await assert.rejects(optimize(context, { zOrderBy: ['s'] }), { code: 'invalid-schema' });
    await assert.rejects(optimize(context, { zOrderBy: ['x', 'X'] }), { code: 'invalid-schema' });
    await optimize(context, { zOrderBy: ['s.a', 'x'] });
    assert.deepEqual(await fingerprint(context), before);
  });

  it('clusters by the columns of the table, only what came since', async () => {
    const context = await withFiles(3, { clusterBy: ['x', ['s', 'a']] });
    const before = await fingerprint(context);
    const result = await optimize(context);
    assert.deepEqual([result.filesRemoved, result.filesAdded], [3, 1]);
    assert.deepEqual(await fingerprint(context), before);
    const [file] = await filesOf(context);
    assert.equal(file?.clusteringProvider, 'liquid');
    assert.equal(file?.tags?.[CUBE_COLUMNS_TAG], '["x","s.a"]');
    assert.ok(file?.tags?.[CUBE_ID_TAG]);
    assert.deepEqual((await optimize(context)).versions, [], 'one cube is done');
    assert.equal((await optimize(context, { full: true })).filesRemoved, 1);
    await append(context, rows(1000, 5));
    assert.equal((await optimize(context)).filesRemoved, 2);
    await assert.rejects(optimize(context, { zOrderBy: ['x'] }), { code: 'invalid-data' });
    await assert.rejects(optimize(context, { where: 'true' }), { code: 'invalid-data' });
  });

  it('lets others append meanwhile, and gives up only what others change', async () => {
    const context = await withFiles(4, { partitionColumns: ['part'] });
    const other = tables.open(context.io.root);
    let isFirst = true;
    const result = await optimize(context, {
      onProgress: () => {
        if (!isFirst) return;
        isFirst = false;
        racing = race(other);
      },
    });
    await racing;
    assert.equal(result.binsLost, 0);
    const [[count] = []] = await query(context, (table) => `SELECT count(*) FROM ${table}`);
    assert.equal(Number(count), 80 + 60);
  });

  it('conflicts with a delete of its files alone', async () => {
    const context = await withFiles(4, { partitionColumns: ['part'] });
    const other = tables.open(context.io.root);
    const victim = (await filesOf(context)).find(({ partitionValues }) => partitionValues.part === 'p 1');
    assert.ok(victim);
    const lost = recordCount(victim.stats) ?? 0;
    // The delete is committed after the plan was made, before the batch is.
    const commit = context.commit.bind(context);
    let deleted = false;
    const raced: TableContext = {
      ...context,
      commit: async (transaction) => {
        if (!deleted) {
          deleted = true;
          const outcome = await other.commit({
            state: await other.refresh(),
            reads: { kind: 'files', keys: new Set([fileKey(victim)]) },
            operation: 'DELETE',
            actions: [{ remove: removeOf(victim, { dataChange: true, nowMs: other.now() }) }],
          });
          assert.equal(outcome.kind, 'committed');
        }
        return commit(transaction);
      },
    };
    const result = await optimize(raced);
    assert.deepEqual([result.binsLost, result.filesRemoved, result.filesAdded], [1, 8, 2]);
    assert.equal((await fingerprint(context)).rows, 80 - lost);
    const named = new Set((await filesOf(context)).map(({ path }) => decodeURIComponent(path)));
    const unnamed = (await objectsOf(context)).filter((path) => !named.has(path));
    assert.equal(unnamed.length, 8 + 1, 'what was written for the lost bin is gone again');
    assert.equal((await optimize(context)).binsLost, 0);
  });

  it('plans anew when the schema changes on the way', async () => {
    const context = await withFiles(4);
    const other = tables.open(context.io.root);
    const commit = context.commit.bind(context);
    let changed = false;
    const raced: TableContext = {
      ...context,
      commit: async (transaction) => {
        if (!changed) {
          changed = true;
          const state = await other.refresh();
          const metaData = { ...state.metadata, configuration: { a: 'b' } };
          await other.commit({ state, reads: { kind: 'nothing' }, operation: 'X', actions: [{ metaData }] });
        }
        return commit(transaction);
      },
    };
    const before = await fingerprint(context);
    const result = await optimize(raced);
    assert.deepEqual([result.binsLost, result.filesRemoved, result.filesAdded], [0, 4, 1]);
    assert.deepEqual(await fingerprint(context), before);
  });

  it('leaves the table as it was when it is aborted', async () => {
    const context = await withFiles(3, { partitionColumns: ['part'] });
    const before = await context.refresh();
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    await assert.rejects(optimize(context, { onProgress, signal: controller.signal }), { code: 'aborted' });
    assert.equal((await context.refresh()).version, before.version);
    assert.equal((await objectsOf(context)).length, before.files.count, 'nothing is left behind');
    await assert.rejects(optimize(context, { signal: AbortSignal.abort() }), { code: 'aborted' });
  });

  it('refuses to lose rows when the log and the files differ', async () => {
    const context = await withFiles(2);
    const [file] = await filesOf(context);
    assert.ok(file);
    await context.commit({
      state: await context.refresh(),
      reads: { kind: 'nothing' },
      operation: 'WRITE',
      actions: [{ add: { ...file, stats: '{"numRecords":21}', dataChange: false } }],
    });
    await assert.rejects(optimize(context), { code: 'corrupt-log', message: /41 rows, but they have 40/ });
    assert.equal((await objectsOf(context)).length, 2);
  });
});

let racing: Promise<void> | undefined;
async function race(other: TableContext): Promise<void> {
  for (let at = 0; at < 3; at += 1)
    await append(
      other,
      rows(10_000 + at * 20, 20, () => 'p 1'),
    );
}
