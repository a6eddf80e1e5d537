/** Checkpoints and refreshes give what replaying every commit gives; damage is survived or named. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { DeltaTable } from '../table.ts';
import { FaultyStore, JsonEngine, MemoryStore } from '../testing/index.ts';
import { inMemory, rowsFrom } from '../testing/table-fixture.ts';
import type { Action } from './actions.ts';
import { CHECKPOINT_SCHEMA } from './checkpoint-schema.ts';
import { encodeCommit } from './commit-file.ts';
import { checkpointName, checkpointPartName, commitName } from './log-paths.ts';

const LOG = 'db/t/_delta_log';

type Options = ReturnType<typeof inMemory>;

/** A commit as another writer might make it. */
async function foreignCommit(options: Options, version: number, actions: readonly Action[]): Promise<void> {
  assert.equal(
    await options.store.putIfAbsent(`${LOG}/${commitName(version)}`, encodeCommit(actions)),
    'created',
  );
}

function add(path: string, numRecords?: number): Action {
  const stats = numRecords === undefined ? {} : { stats: JSON.stringify({ numRecords }) };
  return { add: { path, partitionValues: {}, size: 10, modificationTime: 1, dataChange: true, ...stats } };
}

function remove(path: string, deletionTimestamp: number): Action {
  return { remove: { path, deletionTimestamp, dataChange: true } };
}

function summaryOf(snapshot: Snapshot): unknown {
  return {
    version: snapshot.version,
    timestampMs: snapshot.timestampMs,
    files: [...snapshot.files()].map(({ path, stats }) => [path, stats ?? null]).toSorted(),
    counts: [snapshot.fileCount, snapshot.rowCount, snapshot.sizeBytes],
    txns: [...snapshot.txns()].toSorted(),
    properties: snapshot.properties,
    schema: snapshot.schema,
  };
}

async function withoutCheckpoints(options: Options): Promise<Options> {
  const store = new MemoryStore();
  const clocked = new Map<string, number>();
  for await (const { path, modifiedMs } of options.store.list('')) {
    clocked.set(path, modifiedMs);
    if (!path.includes('checkpoint')) await store.put(path, await options.store.read(path));
  }
  const head = store.head.bind(store);
  store.head = async (path) => {
    const facts = await head(path);
    return facts && { ...facts, modifiedMs: clocked.get(path) ?? 0 };
  };
  const list = store.list.bind(store);
  store.list = async function* listClocked(prefix, range) {
    for await (const object of list(prefix, range))
      yield { ...object, modifiedMs: clocked.get(object.path) ?? 0 };
  };
  return { ...options, store };
}

/** A table with appends, removals, re-additions and txns over many checkpoints. */
async function busyTable(options: Options): Promise<DeltaTable> {
  const table = await DeltaTable.create(options);
  for (let at = 1; at <= 25; at += 1) {
    if (at % 4 === 0) {
      const [oldest] = (await table.snapshot()).files();
      const actions = [
        remove(oldest?.path ?? 'none', at),
        add(`compacted-${at}`, at),
        { txn: { appId: 'foreign', version: at } },
      ];
      await foreignCommit(options, at, actions);
    } else if (at % 11 === 0) {
      await foreignCommit(options, at, [add('without-stats'), add('compacted-4', 99)]);
    } else {
      await table.append({ source: rowsFrom(at * 10, 3), txns: [{ appId: `app ${at % 3}`, version: at }] });
    }
  }
  return table;
}

describe('replay', () => {
  it('is the same from checkpoints, from commits and by refreshing', async () => {
    const options = inMemory({ properties: { 'delta.checkpointInterval': '5' } });
    const refreshed = summaryOf(await (await busyTable(options)).snapshot());
    const names: string[] = [];
    for await (const { path } of options.store.list(`${LOG}/`)) names.push(path);
    assert.ok(names.includes(`${LOG}/${checkpointName(25)}`));
    const cold = summaryOf(await (await DeltaTable.open(options)).snapshot());
    const replayed = summaryOf(await (await DeltaTable.open(await withoutCheckpoints(options))).snapshot());
    assert.deepEqual(refreshed, replayed);
    assert.deepEqual(cold, replayed);
    for (const version of [3, 7, 12, 20, 24]) {
      const travelled = await (await DeltaTable.open(options)).snapshot({ version });
      const expected = await (await DeltaTable.open(await withoutCheckpoints(options))).snapshot({ version });
      assert.deepEqual(summaryOf(travelled), summaryOf(expected), `version ${version}`);
    }
  });

  it('reads only new commits when it refreshes', async () => {
    const options = inMemory();
    const writer = await DeltaTable.create(options);
    for (let at = 0; at < 15; at += 1) await writer.append({ source: rowsFrom(at, 1) });
    const calls: string[] = [];
    const store = new FaultyStore(options.store, ({ verb, path }) => {
      calls.push(`${verb} ${path}`);
      return undefined;
    });
    const reader = await DeltaTable.open({ ...options, store });
    await writer.append({ source: rowsFrom(99, 1) });
    calls.length = 0;
    assert.equal((await reader.snapshot()).version, 16);
    const [next, none] = [16, 17].map((version) => `${LOG}/${commitName(version)}`);
    assert.deepEqual(calls, [`read ${next}`, `head ${next}`, `read ${none}`]);
  });

  it('keeps every snapshot as it was, through removals and compaction of its memory', async () => {
    const options = inMemory({ properties: { 'delta.checkpointInterval': '1000000' } });
    const table = await DeltaTable.create(options);
    const kept: { snapshot: Snapshot; files: string[] }[] = [];
    for (let version = 1; version <= 40; version += 1) {
      const adds = Array.from({ length: 100 }, (_, at) => add(`f${version}-${at}`, 1));
      const removes = Array.from({ length: 100 }, (_, at) => remove(`f${version - 1}-${at}`, 1));
      await foreignCommit(options, version, [...removes, ...adds]);
      const snapshot = await table.snapshot();
      kept.push({ snapshot, files: [...snapshot.files()].map(({ path }) => path) });
    }
    for (const { snapshot, files } of kept) {
      assert.deepEqual(
        [...snapshot.files()].map(({ path }) => path),
        files,
      );
      assert.deepEqual([snapshot.fileCount, snapshot.rowCount, files.length], [100, 100, 100]);
    }
  });

  it('refuses a name of which a byte is damaged, rather than passing over the action', async () => {
    const options = inMemory();
    const table = await DeltaTable.create(options);
    const commit = Buffer.from(encodeCommit([add('a', 1), add('b', 2)]));
    commit[commit.indexOf('"add"') + 1] = 0xff;
    await options.store.put(`${LOG}/${commitName(1)}`, commit);
    await assert.rejects(table.snapshot(), { code: 'corrupt-log', message: /0001\.json: not valid UTF-8/ });
  });

  it('goes on after a refresh that failed half way', async () => {
    const options = inMemory();
    const table = await DeltaTable.create(options);
    await foreignCommit(options, 1, [add('a', 1)]);
    await options.store.put(`${LOG}/${commitName(2)}`, Buffer.from('{"add":'));
    await assert.rejects(table.snapshot(), { code: 'corrupt-log', message: /0002\.json, line 1/ });
    await options.store.put(`${LOG}/${commitName(2)}`, encodeCommit([add('b', 2)]));
    const snapshot = await table.snapshot();
    assert.deepEqual([snapshot.version, snapshot.rowCount, snapshot.fileCount], [2, 3, 2]);
  });
});

describe('checkpoints', () => {
  it('keep tombstones until they expire', async () => {
    const now = (): number => 100 * 86_400_000;
    const options = inMemory({
      now,
      properties: { 'delta.deletedFileRetentionDuration': 'interval 2 days' },
    });
    const table = await DeltaTable.create(options);
    await foreignCommit(options, 1, [
      remove('old', now() - 3 * 86_400_000),
      remove('new', now() - 86_400_000),
    ]);
    await table.checkpoint();
    const rows = await options.engine.readParquet({
      store: options.store,
      path: `${LOG}/${checkpointName(1)}`,
      schema: CHECKPOINT_SCHEMA,
    });
    const removed = rows.flatMap((row) => (row.remove ? [(row.remove as { path: string }).path] : []));
    assert.deepEqual(removed, ['new']);
  });

  it('are read when the hint is damaged, missing or wrong', async () => {
    const options = inMemory({ properties: { 'delta.checkpointInterval': '5' } });
    const expected = summaryOf(await (await busyTable(options)).snapshot());
    // With the early commits gone only a checkpoint helps.
    for (let version = 0; version < 20; version += 1)
      await options.store.delete(`${LOG}/${commitName(version)}`);
    for (const hint of [
      '',
      '{"version":',
      '{"version":-1}',
      '{"version":19,"size":1}',
      '{"version":999,"size":1}',
      '[]',
      undefined,
    ]) {
      if (hint === undefined) await options.store.delete(`${LOG}/_last_checkpoint`);
      else await options.store.put(`${LOG}/_last_checkpoint`, Buffer.from(hint));
      assert.deepEqual(
        summaryOf(await (await DeltaTable.open(options)).snapshot()),
        expected,
        hint ?? 'absent',
      );
    }
    await assert.rejects((await DeltaTable.open(options)).snapshot({ version: 3 }), {
      code: 'version-not-found',
    });
  });

  it('in several parts count only when whole, and damaged ones are passed over', async () => {
    const options = inMemory({ properties: { 'delta.checkpointInterval': '5' } });
    const table = await busyTable(options);
    const expected = summaryOf(await table.snapshot());
    const whole = `${LOG}/${checkpointName(25)}`;
    const rows = JSON.parse(Buffer.from(await options.store.read(whole)).toString('utf8')) as unknown[];
    const half = Math.ceil(rows.length / 2);
    const parts = [rows.slice(0, half), rows.slice(half)].map((part) => Buffer.from(JSON.stringify(part)));
    const partPath = (part: number): string => `${LOG}/${checkpointPartName(25, { part, parts: 2 })}`;
    await options.store.put(whole, Buffer.from('damaged'));
    assert.deepEqual(summaryOf(await (await DeltaTable.open(options)).snapshot()), expected, 'damaged');
    await options.store.delete(whole);
    await options.store.put(partPath(1), parts[0] ?? assert.fail());
    assert.deepEqual(summaryOf(await (await DeltaTable.open(options)).snapshot()), expected, 'in part');
    await options.store.put(partPath(2), parts[1] ?? assert.fail());
    for (let version = 0; version < 25; version += 1)
      await options.store.delete(`${LOG}/${commitName(version)}`);
    assert.deepEqual(summaryOf(await (await DeltaTable.open(options)).snapshot()), expected, 'in two parts');
  });

  it('never fail the commit before them', async () => {
    const warnings: unknown[] = [];
    class Failing extends JsonEngine {
      override async writeParquet(
        request: Parameters<JsonEngine['writeParquet']>[0],
      ): ReturnType<JsonEngine['writeParquet']> {
        if (request.directory.endsWith('_delta_log')) throw new Error('no checkpoint today');
        return super.writeParquet(request);
      }
    }
    const options = inMemory({
      engine: new Failing(),
      properties: { 'delta.checkpointInterval': '1' },
      onWarning: (warning) => warnings.push(warning),
    });
    const table = await DeltaTable.create(options);
    assert.equal((await table.append({ source: rowsFrom(1, 1) })).kind, 'committed');
    assert.equal(warnings.length, 1);
    await assert.rejects(table.checkpoint(), /no checkpoint today/);
  });
});

describe('a broken log', () => {
  it('is refused by what is wrong with it', async () => {
    const options = inMemory();
    const table = await DeltaTable.create(options);
    for (let at = 1; at <= 4; at += 1) await table.append({ source: rowsFrom(at, 1) });
    await options.store.delete(`${LOG}/${commitName(2)}`);
    await assert.rejects(DeltaTable.open(options), { code: 'log-gap', message: /version 2 is missing/ });
    assert.equal((await (await DeltaTable.create(inMemory())).snapshot({ version: 0 })).version, 0);
    const empty = inMemory();
    await empty.store.put(`${LOG}/${commitName(0)}`, encodeCommit([add('x')]));
    await assert.rejects(DeltaTable.open(empty), { code: 'corrupt-log', message: /no protocol/ });
  });
});
