/** VACUUM over real directories: what goes, what stays, and who is protected. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RowSet, writeDeletionVectors } from '../../deletion-vectors/index.ts';
import { type AddFile, fileKey } from '../../log/actions.ts';
import { struct } from '../../schema/types.ts';
import { createSnapshot } from '../../snapshot/snapshot.ts';
import type { TableContext } from '../../table-context.ts';
import { actionsOf, append, filesOf, fingerprint, localTables, objectsOf } from '../local-table.fixture.ts';
import { optimize } from '../optimize/optimize.ts';
import { pin } from '../pins.ts';
import { removeOf } from '../remove-of.ts';
import { vacuum } from './vacuum.ts';

const tables = await localTables('vacuum');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A clock that is set by hand, ahead of the one of the disk. */
function clock(): { now: () => number; aheadMs: number } {
  const state = { aheadMs: 0, now: (): number => Date.now() + state.aheadMs };
  return state;
}

async function table(time = clock()): Promise<TableContext> {
  const context = await tables.create(struct({ id: 'long', p: 'string' }), {
    partitionColumns: ['p'],
    features: ['deletionVectors'],
    now: time.now,
  });
  for (let at = 0; at < 3; at += 1)
    await append(context, [
      { id: at, p: '_x' },
      { id: at, p: 'b' },
    ]);
  return context;
}

describe('vacuum', () => {
  it('deletes what only versions older than the retention need', async () => {
    const time = clock();
    const context = await table(time);
    await optimize(context);
    assert.equal((await objectsOf(context)).length, 8);
    assert.equal((await vacuum(context)).files, 0, 'all of it is young');
    time.aheadMs = 6 * DAY_MS;
    assert.equal((await vacuum(context)).files, 0, 'a version of six days ago needs them');
    time.aheadMs = 8 * DAY_MS;
    const before = (await context.refresh()).version;
    const dry = await vacuum(context, { dryRun: true });
    assert.deepEqual([dry.files, dry.paths.length, dry.version], [6, 6, undefined]);
    assert.equal((await context.refresh()).version, before);
    const progress: string[] = [];
    const result = await vacuum(context, {
      onProgress: ({ phase, done }) => progress.push(`${phase} ${done}`),
    });
    assert.deepEqual([result.files, result.bytes, result.version], [6, dry.bytes, before + 2]);
    assert.deepEqual(progress, ['list 6', 'delete 6']);
    assert.deepEqual(
      (await objectsOf(context)).toSorted(),
      (await filesOf(context)).map(({ path }) => decodeURIComponent(path)).toSorted(),
    );
    assert.equal((await fingerprint(context)).rows, 6);
    const infos = await Promise.all(
      [before + 1, before + 2].map(async (version) => (await actionsOf(context, version))[0]?.commitInfo),
    );
    assert.deepEqual(
      infos.map((info) => [info?.operation, info?.operationParameters, info?.operationMetrics]),
      [
        [
          'VACUUM START',
          { retentionCheckEnabled: 'true', defaultRetentionMillis: String(7 * DAY_MS) },
          { numFilesToDelete: '6', sizeOfDataToDelete: String(dry.bytes) },
        ],
        ['VACUUM END', { status: 'COMPLETED' }, { numDeletedFiles: '6', numVacuumedDirectories: '3' }],
      ],
    );
  });

  it('refuses a retention below the table’s own unless told to go ahead', async () => {
    const context = await table();
    await optimize(context);
    await assert.rejects(vacuum(context, { retentionMs: HOUR_MS }), { code: 'constraint' });
    await assert.rejects(vacuum(context, { retentionMs: -1 }), { code: 'invalid-data' });
    assert.equal((await objectsOf(context)).length, 8);
    const result = await vacuum(context, { retentionMs: 0, retentionCheck: false });
    assert.equal(result.files, 6);
  });

  it('keeps what pins and given versions name, and lets it go after', async () => {
    const time = clock();
    const context = await table(time);
    const old = await context.refresh();
    const before = await fingerprint(context);
    await optimize(context);
    time.aheadMs = 30 * DAY_MS;
    const other = tables.open(context.io.root, { now: time.now });
    const release = pin(context, createSnapshot(old, context.io));
    assert.equal((await vacuum(other)).files, 0, 'a pin counts for every object of the same directory');
    release();
    release();
    assert.equal((await vacuum(other, { pinnedVersions: [old.version] })).files, 0);
    const byNumber = pin(context, 3);
    const result = await vacuum(other);
    assert.equal(result.files, 2, 'version 3 has four of the six');
    byNumber();
    assert.deepEqual(await fingerprint(context), before);
    await assert.rejects(vacuum(other, { pinnedVersions: [999] }), { code: 'version-not-found' });
  });

  it('takes orphans, change data and old vectors, and leaves hidden and young files', async () => {
    const time = clock();
    const context = await table(time);
    const root = join(tables.directory, context.io.root);
    const [file] = await filesOf(context);
    assert.ok(file);
    const first = await masked(context, file, [0]);
    const put = (path: string): void => {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), 'x');
    };
    const doomed = [
      'orphan.parquet',
      '_change_data/p=b/cdc-1.parquet',
      'p=_x/lost.parquet',
      '_x/a',
      'sub/x.txt',
    ];
    const kept = ['_x/a', '_delta_index/i', '.hidden'];
    for (const path of [...doomed, ...kept]) put(path);
    mkdirSync(join(root, 'empty/inner'), { recursive: true });
    time.aheadMs = 8 * DAY_MS;
    put('young.parquet');
    utimesSync(join(root, 'young.parquet'), new Date(time.now()), new Date(time.now()));
    const result = await vacuum(context);
    assert.equal(result.files, 4, result.paths.join());
    for (const path of kept) assert.ok(existsSync(join(root, path)), path);
    assert.ok(existsSync(join(root, 'young.parquet')));
    assert.ok(!existsSync(join(root, 'empty/inner')), 'directories that were empty go');
    assert.ok(existsSync(join(root, 'sub')), 'those that have just been emptied go the next time');
    assert.ok(existsSync(join(root, first)), 'the vector in use stays');
    time.aheadMs = 20 * DAY_MS;
    const [again] = (await filesOf(context)).filter((each) => each.deletionVector);
    assert.ok(again);
    const second = await masked(context, again, [0, 1]);
    time.aheadMs = 40 * DAY_MS;
    await vacuum(context);
    assert.ok(!existsSync(join(root, first)), 'the vector that was replaced goes');
    assert.ok(existsSync(join(root, second)));
  });

  it('deletes nothing of a table with a feature that it does not know', async () => {
    const context = await table();
    await optimize(context);
    const state = await context.refresh();
    const protocol = {
      ...state.protocol,
      writerFeatures: [...(state.protocol.writerFeatures ?? []), 'fromTheFuture'],
    };
    await context.commit({ state, reads: { kind: 'nothing' }, operation: 'X', actions: [{ protocol }] });
    await assert.rejects(vacuum(context, { retentionMs: 0, retentionCheck: false }), {
      code: 'unsupported-feature',
    });
    assert.equal((await objectsOf(context)).length, 8);
  });

  it('does not take what a commit has come to name while it was at it', async () => {
    const time = clock();
    const context = await table(time);
    const [file] = await filesOf(context);
    assert.ok(file);
    await optimize(context);
    time.aheadMs = 8 * DAY_MS;
    const other = tables.open(context.io.root, { now: time.now });
    const commit = context.commit.bind(context);
    const raced: TableContext = {
      ...context,
      commit: async (transaction) => {
        // As a restore would, between the listing and the deletion.
        const outcome = await commit(transaction);
        if (transaction.operation === 'VACUUM START') {
          await other.commit({
            state: await other.refresh(),
            reads: { kind: 'nothing' },
            operation: 'RESTORE',
            actions: [{ add: { ...file, dataChange: true } }],
          });
        }
        return outcome;
      },
    };
    const result = await vacuum(raced);
    assert.equal(result.files, 5);
    assert.equal((await fingerprint(context)).rows, 7);
  });

  it('says in the history that it was aborted', async () => {
    const time = clock();
    const context = await table(time);
    await optimize(context);
    time.aheadMs = 8 * DAY_MS;
    const controller = new AbortController();
    const commit = context.commit.bind(context);
    const raced: TableContext = {
      ...context,
      commit: async (transaction) => {
        if (transaction.operation === 'VACUUM START') controller.abort();
        return commit(transaction);
      },
    };
    await assert.rejects(vacuum(raced, { signal: controller.signal }), { code: 'aborted' });
    assert.equal((await objectsOf(context)).length, 8);
    const { version } = await context.refresh();
    const info = (await actionsOf(context, version))[0]?.commitInfo;
    assert.deepEqual([info?.operation, info?.operationParameters?.status], ['VACUUM END', 'FAILED']);
  });
});

/** Deletes rows of a file by a vector in a file of its own; gives its path. */
async function masked(context: TableContext, file: AddFile, rows: number[]): Promise<string> {
  const before = new Set(await objectsOf(context));
  // Scattered, so that it is too large for the log itself.
  const positions = [...rows, ...Array.from({ length: 60 }, (_, at) => 70_000 * (at + 1))];
  const [deletionVector] = await writeDeletionVectors(
    context.io,
    [RowSet.fromPositions(positions)],
    context.uuid,
  );
  assert.equal(deletionVector?.storageType, 'u');
  await context.commit({
    state: await context.refresh(),
    reads: { kind: 'files', keys: new Set([fileKey(file)]) },
    operation: 'DELETE',
    actions: [
      { remove: removeOf(file, { dataChange: true, nowMs: context.now() }) },
      { add: { ...file, deletionVector: deletionVector ?? null, dataChange: true } },
    ],
  });
  const added = (await objectsOf(context)).filter((path) => !before.has(path));
  assert.equal(added.length, 1);
  return added[0] ?? '';
}
