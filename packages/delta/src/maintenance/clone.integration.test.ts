import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RowSet, writeDeletionVectors } from '../deletion-vectors/index.ts';
import { deleteRows, mergeInto, updateRows } from '../dml/index.ts';
import { fileKey } from '../log/actions.ts';
import { struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext, type TableContext } from '../table-context.ts';
import { MemoryStore } from '../testing/index.ts';
import { clone } from './clone.ts';
import { actionsOf, append, filesOf, fingerprint, localTables } from './local-table.fixture.ts';
import { fsck } from './fsck/fsck.ts';
import { optimize } from './optimize/optimize.ts';
import { removeOf } from './remove-of.ts';
import { vacuum } from './vacuum/vacuum.ts';

const tables = await localTables('clone');
let targets = 0;

function target(): { store: LocalStore; root: string } {
  return { store: new LocalStore(join(tables.directory, `elsewhere ${(targets += 1)}`)), root: 'x/clone' };
}

function open(place: { store: LocalStore; root: string }): TableContext {
  return createContext({ ...place, engine: tables.engine });
}

/** Four files in two partitions, one of which has deleted rows by a vector in a file. */
async function table(): Promise<TableContext> {
  const context = await tables.create(struct({ id: 'long', p: 'string' }), {
    partitionColumns: ['p'],
    properties: { 'delta.enableDeletionVectors': 'true', 'my.note': 'x' },
  });
  for (const first of [0, 1_000]) {
    await append(
      context,
      Array.from({ length: 1_000 }, (_, at) => ({ id: first + at, p: at % 2 === 0 ? 'a b' : 'c' })),
    );
  }
  const [file] = await filesOf(context);
  assert.ok(file);
  const positions = Array.from({ length: 40 }, (_, at) => at * 7);
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
      { remove: removeOf(file, { dataChange: true, nowMs: Date.now() }) },
      { add: { ...file, deletionVector: deletionVector ?? null, dataChange: true } },
    ],
  });
  return context;
}

describe('a shallow clone', () => {
  it('reads the source’s files in place, and goes its own way', async () => {
    const source = await table();
    const before = await fingerprint(source);
    assert.equal(before.rows, 1960);
    const place = target();
    const result = await clone(source, { target: place, kind: 'shallow' });
    assert.deepEqual([result.files, result.filesCopied, result.version], [4, 0, 0]);
    const copy = open(place);
    assert.deepEqual(await fingerprint(copy), before);
    assert.deepEqual(readdirSync(join(place.store.localPath(place.root))), ['_delta_log']);
    const [info] = await actionsOf(copy, 0);
    assert.equal(info?.commitInfo?.operation, 'CLONE');
    const state = await copy.refresh();
    assert.notEqual(state.metadata.id, (await source.refresh()).metadata.id);
    assert.equal(state.metadata.configuration['my.note'], 'x');
    assert.deepEqual((await fsck(copy, { deep: true })).findings, []);
    await append(copy, [{ id: 5, p: 'new' }]);
    await vacuum(copy, { retentionMs: 0, retentionCheck: false });
    assert.deepEqual(await fingerprint(source), before, 'a vacuum of the clone takes nothing of the source');
    await optimize(copy);
    assert.equal((await fingerprint(copy)).rows, 1961);
    assert.ok((await filesOf(copy)).every(({ path }) => !path.startsWith('file:')));
  });

  it('changes rows of files that it shares, by vectors of its own, and is cloned again', async () => {
    const source = await table();
    const before = await fingerprint(source);
    const place = target();
    await clone(source, { target: place, kind: 'shallow' });
    const copy = open(place);
    // Of one file that has a vector at the source already, and of others that have none.
    await deleteRows(copy, { where: 'id < 100' });
    await updateRows(copy, { where: 'id % 500 = 1', set: { p: `'c'` } });
    await mergeInto(copy, {
      source: { kind: 'rows', rows: [{ id: 1999n }, { id: 5000n, p: 'new' }] },
      on: 'target.id = source.id',
    })
      .whenMatchedDelete()
      .whenNotMatchedInsert({ values: 'all' })
      .execute();
    const changed = await fingerprint(copy);
    assert.deepEqual((await fsck(copy, { deep: true })).findings, []);
    assert.deepEqual(await fingerprint(source), before, 'the source is as it was');
    const shared = (await filesOf(copy)).filter(({ path }) => path.startsWith('file:'));
    assert.ok(shared.some(({ deletionVector }) => deletionVector?.storageType === 'u'));
    const second = target();
    await clone(copy, { target: second, kind: 'shallow' });
    const other = open(second);
    assert.deepEqual(await fingerprint(other), changed);
    assert.deepEqual((await fsck(other, { deep: true })).findings, []);
    await deleteRows(other, { where: `p = 'c'` });
    await optimize(other, { purge: true });
    await vacuum(other, { retentionMs: 0, retentionCheck: false });
    await vacuum(copy, { retentionMs: 0, retentionCheck: false });
    assert.deepEqual((await fsck(other, { deep: true })).findings, []);
    assert.deepEqual([await fingerprint(copy), await fingerprint(source)], [changed, before]);
  });

  it('is refused where files have no address', async () => {
    const source = await table();
    const remote: TableContext = {
      ...source,
      io: { ...source.io, store: new MemoryStore({ now: Date.now }) },
    };
    await assert.rejects(clone(remote, { target: target(), kind: 'shallow' }), {
      code: 'unsupported-feature',
    });
    const elsewhere = { store: new MemoryStore({ now: Date.now }), root: 'copy' };
    await assert.rejects(clone(source, { target: elsewhere, kind: 'shallow' }), {
      code: 'unsupported-feature',
    });
  });
});

describe('a deep clone', () => {
  it('has files of its own, at any version', async () => {
    const source = await table();
    const before = await fingerprint(source);
    const place = target();
    const phases: string[] = [];
    const result = await clone(source, {
      target: place,
      kind: 'deep',
      onProgress: ({ phase, done, total }) => phases.push(`${phase} ${done}/${total}`),
    });
    assert.deepEqual([result.files, result.filesCopied], [4, 5]);
    assert.equal(phases.at(-1), 'copy 4/4');
    await optimize(source, { purge: true });
    await optimize(source);
    await vacuum(source, { retentionMs: 0, retentionCheck: false });
    assert.deepEqual(await fingerprint(open(place)), before);
    const old = target();
    await assert.rejects(clone(source, { target: old, kind: 'deep', version: 2 }), { code: 'not-found' });
    assert.ok(!existsSync(join(old.store.localPath(old.root), '_delta_log')));
  });

  it('of a shallow clone is independent, its deletion vectors included', async () => {
    const source = await table();
    const before = await fingerprint(source);
    const [shallow, deep] = [target(), target()];
    await clone(source, { target: shallow, kind: 'shallow' });
    await clone(open(shallow), { target: deep, kind: 'deep' });
    await optimize(source, { purge: true });
    await optimize(source);
    await vacuum(source, { retentionMs: 0, retentionCheck: false });
    assert.deepEqual(await fingerprint(open(deep)), before);
  });

  it('leaves nothing behind when it is aborted, and overwrites no table', async () => {
    const source = await table();
    const place = target();
    const controller = new AbortController();
    await assert.rejects(
      clone(source, {
        target: place,
        kind: 'deep',
        signal: controller.signal,
        onProgress: () => controller.abort(),
      }),
      { code: 'aborted' },
    );
    const left: string[] = [];
    for await (const { path } of place.store.list('')) left.push(path);
    assert.deepEqual(left, []);
    await clone(source, { target: place, kind: 'deep' });
    await assert.rejects(clone(source, { target: place, kind: 'shallow' }), { code: 'exists' });
  });
});
