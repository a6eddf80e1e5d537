/** The log's files beside commits and checkpoints: hints, compactions, checksums; and what a clean-up leaves of all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadState, versionAt } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { FaultyStore, JsonEngine, MemoryStore } from '../testing/index.ts';
import { addOf, beginning, contentOf, putLogCommit, removeOf, V2_PROTOCOL } from '../testing/log-fixture.ts';
import type { Action } from './actions.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { verifyChecksum, writeChecksum } from './checksum.ts';
import { cleanUpLog } from './clean-up.ts';
import { writeLogCompaction } from './compaction.ts';
import { canonicalJson, jsonChecksum, readLastCheckpoint, writeLastCheckpoint } from './last-checkpoint.ts';
import { checksumName, commitName, compactionName, parseLogFileName, v2CheckpointName } from './log-paths.ts';

const DAY_MS = 86_400_000;

interface Log {
  io: { store: MemoryStore; engine: JsonEngine; root: string };
  stateAt: (version: number) => Promise<TableState>;
  refresh: () => Promise<TableState>;
  now: () => number;
  /** Moves the clock that files are dated by. */
  at: (ms: number) => void;
  names: () => Promise<string[]>;
}

/** An empty log whose files are a day apart unless told otherwise. */
function emptyLog(): Log {
  let nowMs = 0;
  const store = new MemoryStore({ now: () => nowMs });
  const io = { store, engine: new JsonEngine(), root: 't' };
  return {
    io,
    stateAt: (version) => loadState(io, version),
    refresh: () => loadState(io),
    now: () => nowMs,
    at: (ms) => {
      nowMs = ms;
    },
    names: async () => {
      const names: string[] = [];
      for await (const { path } of store.list('t/_delta_log/'))
        names.push(path.slice('t/_delta_log/'.length));
      return names;
    },
  };
}

/** Commits 0 to `last`, one a day; every fourth removes a file, adds one again, and changes a txn and a domain. */
async function fill(log: Log, last: number, configuration: Record<string, string> = {}): Promise<void> {
  for (let version = 0; version <= last; version += 1) {
    log.at(version * DAY_MS);
    const actions: Action[] = [{ commitInfo: { operation: 'WRITE' } }];
    if (version === 0) actions.push(...beginning({ configuration, protocol: V2_PROTOCOL }));
    actions.push(addOf(`f${version}`, { stats: `{"numRecords":${version}}` }));
    if (version % 4 === 3) {
      actions.push(removeOf(`f${version - 1}`, version), addOf('f1', { size: version }));
      actions.push({ txn: { appId: 'a', version } });
      actions.push({
        domainMetadata: { domain: 'd', configuration: String(version), removed: version % 8 === 7 },
      });
    }
    await putLogCommit(log.io, version, actions);
  }
}

describe('names of the log', () => {
  it('are told apart', () => {
    const digits = '00000000000000000007';
    const uuid = '80a083e8-7026-4e79-81be-64bd76c43a11';
    const kinds: [string, object][] = [
      [commitName(7), { kind: 'commit', version: 7 }],
      [checksumName(7), { kind: 'checksum', version: 7 }],
      [compactionName({ from: 7, to: 9 }), { kind: 'compaction', from: 7, to: 9 }],
      [v2CheckpointName(7, uuid), { kind: 'v2-checkpoint', version: 7, format: 'parquet' }],
      [`${digits}.checkpoint.${uuid}.json`, { kind: 'v2-checkpoint', version: 7, format: 'json' }],
      [`${digits}.checkpoint.parquet`, { kind: 'checkpoint', version: 7, part: 1, parts: 1 }],
      [
        `${digits}.checkpoint.0000000002.0000000003.parquet`,
        { kind: 'checkpoint', version: 7, part: 2, parts: 3 },
      ],
    ];
    for (const [name, expected] of kinds) assert.deepEqual(parseLogFileName(name), expected, name);
    for (const name of [
      '7.json',
      `${digits}.json.tmp`,
      `.${digits}.json`,
      `${digits}.checkpoint.0000000004.0000000003.parquet`,
      `${digits}.checkpoint.0000000000.0000000003.parquet`,
      compactionName({ from: 9, to: 9 }),
      '99999999999999999999.json',
      `${digits}.${uuid}.json`,
    ]) {
      assert.deepEqual(parseLogFileName(name), { kind: 'other' }, name);
    }
  });
});

describe('the hint to the last checkpoint', () => {
  it('has the checksum that the protocol describes', () => {
    // The protocol's own example.
    const text =
      '{"k0":"\'v 0\'", "checksum": "adsaskfljadfkjadfkj", "k1":{"k2": 2, "k3": ["v3", [1, 2], {"k4": "v4", "k5": ["v5", "v6", "v7"]}]}}';
    const value = JSON.parse(text) as Record<string, unknown>;
    assert.equal(jsonChecksum(value), '6a92d155a59bf2eecbd4b4ec7fd1f875');
    assert.equal(
      canonicalJson({ b: { y: null, x: 'https://delta.io' }, a: 10 }),
      '"a"=10,"b"+"x"="https%3A%2F%2Fdelta.io","b"+"y"=null',
    );
  });

  it('counts only with the checksum of its content', async () => {
    const { io } = emptyLog();
    await writeLastCheckpoint(io.store, io.root, { version: 4, size: 9, numOfAddFiles: 3 });
    assert.equal((await readLastCheckpoint(io.store, io.root))?.version, 4);
    const text = Buffer.from(await io.store.read('t/_delta_log/_last_checkpoint')).toString();
    await io.store.put(
      't/_delta_log/_last_checkpoint',
      Buffer.from(text.replace('"version":4', '"version":5')),
    );
    assert.equal(await readLastCheckpoint(io.store, io.root), undefined);
  });
});

describe('a log compaction', () => {
  it('takes the place of its commits, for every version from its end on', async () => {
    const log = emptyLog();
    await fill(log, 16);
    const expected = await Promise.all(
      Array.from({ length: 17 }, (_, version) => log.stateAt(version).then(contentOf)),
    );
    await writeLogCompaction(log, { from: 0, to: 9 });
    await writeLogCompaction(log, { from: 10, to: 12 });
    await writeLogCompaction(log, { from: 10, to: 15 });
    assert.deepEqual(await writeLogCompaction(log, { from: 10, to: 12 }).then(({ isNew }) => isNew), false);
    const read: string[] = [];
    const store = new FaultyStore(log.io.store, ({ verb, path }) => {
      if (verb === 'read') read.push(path.slice('t/_delta_log/'.length));
      return undefined;
    });
    for (const [version, content] of expected.entries()) {
      assert.deepEqual(
        contentOf(await loadState({ ...log.io, store }, version)),
        content,
        `version ${version}`,
      );
    }
    read.length = 0;
    await loadState({ ...log.io, store });
    assert.deepEqual(read, [
      '_last_checkpoint',
      compactionName({ from: 0, to: 9 }),
      compactionName({ from: 10, to: 15 }),
      commitName(16),
    ]);
  });

  it('that is damaged is no loss while its commits are there', async () => {
    const log = emptyLog();
    await fill(log, 8);
    const expected = contentOf(await log.stateAt(8));
    const { path } = await writeLogCompaction(log, { from: 2, to: 6 });
    await log.io.store.put(path, Buffer.from('{"add":'));
    assert.deepEqual(contentOf(await log.stateAt(8)), expected);
    await log.io.store.delete(`t/_delta_log/${commitName(4)}`);
    await assert.rejects(log.stateAt(8), { code: 'corrupt-log', message: /compacted\.json, line 1/ });
  });

  it('is refused for what is no range of commits', async () => {
    const log = emptyLog();
    await fill(log, 3);
    for (const range of [
      { from: 2, to: 2 },
      { from: -1, to: 2 },
      { from: 0, to: 100_000 },
      { from: 0.5, to: 2 },
    ]) {
      await assert.rejects(writeLogCompaction(log, range), { code: 'invalid-data' });
    }
    await assert.rejects(writeLogCompaction(log, { from: 2, to: 5 }), {
      code: 'log-gap',
      message: /version 4/,
    });
  });
});

describe('a version checksum', () => {
  it('matches what it was written of, and says where a changed log differs', async () => {
    const log = emptyLog();
    await fill(log, 7);
    for (let version = 0; version <= 7; version += 1) {
      assert.equal(await writeChecksum(log.io, await log.stateAt(version), `txn ${version}`), true);
      assert.deepEqual(await verifyChecksum(log, version), { kind: 'matches' });
    }
    assert.equal(await writeChecksum(log.io, await log.stateAt(7)), false, 'never overwritten');
    await putLogCommit(log.io, 5, [addOf('f5', { size: 11 }), addOf('smuggled')]);
    const verdict = await verifyChecksum(log, 6);
    assert.ok(verdict.kind === 'differs');
    // One file is larger by a byte, and one of ten bytes is new.
    assert.deepEqual(
      verdict.differences.map(({ member, recorded, found }) => [member, Number(found) - Number(recorded)]),
      [
        ['tableSizeBytes', 11],
        ['numFiles', 1],
      ],
    );
    await log.io.store.put(`t/_delta_log/${checksumName(3)}`, Buffer.from('{"numFiles":1'));
    assert.equal((await verifyChecksum(log, 3)).kind, 'damaged');
    assert.deepEqual(await verifyChecksum(log, 99), { kind: 'absent' });
  });
});

describe('times of commits', () => {
  const own = (version: number, inCommitTimestamp: number, actions: Action[] = []): [number, Action[]] => [
    version,
    [{ commitInfo: { inCommitTimestamp } }, ...actions],
  ];

  it('are the files’ before own timestamps were switched on, and the commits’ own after', async () => {
    const log = emptyLog();
    await fill(log, 3);
    log.at(99 * DAY_MS);
    const configuration = {
      'delta.enableInCommitTimestamps': 'true',
      'delta.inCommitTimestampEnablementVersion': '4',
      'delta.inCommitTimestampEnablementTimestamp': '5000000000',
    };
    const [, metadata] = beginning({ configuration });
    const changes = [
      own(4, 5_000_000_000, metadata === undefined ? [] : [metadata]),
      own(5, 5_000_000_500),
      own(6, 5_000_002_000),
    ];
    for (const [version, actions] of changes) await putLogCommit(log.io, version, actions);
    assert.deepEqual(
      await Promise.all([3, 4, 5, 6].map(async (version) => (await log.stateAt(version)).timestampMs)),
      [3 * DAY_MS, 5_000_000_000, 5_000_000_500, 5_000_002_000],
    );
    for (const [time, version] of [
      [0, 0],
      [2 * DAY_MS, 2],
      [4_999_999_999, 3],
      [5_000_000_000, 4],
      [5_000_001_999, 5],
      [9e15, 6],
    ] as const) {
      assert.equal(await versionAt(log.io, time), version, String(time));
    }
    await assert.rejects(versionAt(log.io, -1), { code: 'version-not-found' });
    // A checkpoint alone does not know them.
    await writeCheckpoint(log.io, await log.stateAt(6), 0);
    assert.equal((await log.stateAt(6)).timestampMs, 5_000_002_000);
    await writeLogCompaction(log, { from: 4, to: 6 });
    assert.equal((await log.stateAt(6)).timestampMs, 5_000_002_000);
  });

  it('are the files’ where the table has no timestamps of its own, whatever commits say', async () => {
    const log = emptyLog();
    await fill(log, 2);
    log.at(3 * DAY_MS);
    await putLogCommit(log.io, ...own(3, 12));
    assert.equal((await log.stateAt(3)).timestampMs, 3 * DAY_MS);
    assert.equal(await versionAt(log.io, 2.5 * DAY_MS), 2);
  });
});

describe('a clean-up of the log', () => {
  const retention = { 'delta.logRetentionDuration': 'interval 10 days' };

  async function withCheckpoints(configuration: Record<string, string> = retention): Promise<Log> {
    const log = emptyLog();
    await fill(log, 30, configuration);
    for (const version of [5, 10, 18, 25]) {
      log.at(version * DAY_MS);
      const state = await log.stateAt(version);
      await writeCheckpoint(log.io, state, log.now(), {
        inlineActionsMax: 0,
        uuid: () => `cp ${version} ${Math.random()}`,
      });
      await writeChecksum(log.io, state);
    }
    await writeLogCompaction(log, { from: 0, to: 6 });
    await writeLogCompaction(log, { from: 16, to: 20 });
    await writeLogCompaction(log, { from: 19, to: 22 });
    log.at(30 * DAY_MS);
    return log;
  }

  for (const policy of ['classic', 'v2']) {
    it(`keeps every version within the retention, with ${policy} checkpoints`, async () => {
      const log = await withCheckpoints({ ...retention, 'delta.checkpointPolicy': policy });
      const expected = await Promise.all(
        Array.from({ length: 31 }, (_, version) => log.stateAt(version).then(contentOf)),
      );
      const count = (await log.names()).length;
      const { deleted } = await cleanUpLog(log);
      const names = await log.names();
      assert.equal(names.length, count - deleted);
      // Version 20 is the last of the tenth day back; the checkpoint before it is of 18.
      assert.equal(names.filter((name) => name.endsWith('.json'))[0], commitName(18));
      assert.ok(names.includes(compactionName({ from: 19, to: 22 })));
      assert.ok(!names.includes(compactionName({ from: 16, to: 20 })));
      assert.deepEqual(
        names.filter((name) => name.endsWith('.crc')),
        [18, 25].map(checksumName),
      );
      const sidecars = names.filter((name) => name.startsWith('_sidecars'));
      assert.equal(sidecars.length, policy === 'v2' ? 2 : 0);
      for (const [version, content] of expected.entries()) {
        if (version < 18) await assert.rejects(log.stateAt(version), { code: 'version-not-found' });
        else assert.deepEqual(contentOf(await log.stateAt(version)), content, `version ${version}`);
      }
      assert.deepEqual(await cleanUpLog(log), { deleted: 0 });
    });
  }

  it('ends half way without harm', async () => {
    const log = await withCheckpoints();
    const expected = contentOf(await log.stateAt(30));
    let deletes = 0;
    const store = new FaultyStore(log.io.store, ({ verb }) =>
      verb === 'delete' && (deletes += 1) > 9 ? 'refuse' : undefined,
    );
    await assert.rejects(cleanUpLog({ ...log, io: { ...log.io, store } }));
    assert.deepEqual(contentOf(await log.stateAt(30)), expected);
    await assert.rejects(log.stateAt(4), { code: 'version-not-found' });
    assert.equal((await log.stateAt(20)).version, 20);
    await cleanUpLog(log);
    assert.deepEqual(contentOf(await log.stateAt(30)), expected);
  });

  it('deletes nothing without a checkpoint that is old enough and whole', async () => {
    const log = await withCheckpoints();
    for (const version of [5, 10, 18]) {
      const [name = ''] = (await log.names()).filter((candidate) =>
        candidate.includes(`${version}.checkpoint`),
      );
      await log.io.store.put(`t/_delta_log/${name}`, Buffer.from('damaged'));
    }
    assert.deepEqual(await cleanUpLog(log), { deleted: 0 });
    assert.deepEqual(await cleanUpLog(log, { olderThanMs: 31 * DAY_MS }), { deleted: 0 });
    assert.ok((await cleanUpLog(log, { olderThanMs: DAY_MS })).deleted > 25);
    assert.equal((await log.stateAt(25)).version, 25);
  });

  it('obeys the table', async () => {
    const off = await withCheckpoints({ ...retention, 'delta.enableExpiredLogCleanup': 'false' });
    assert.deepEqual(await cleanUpLog(off), { deleted: 0 });
    const guarded = await withCheckpoints();
    await putLogCommit(guarded.io, 31, [
      { protocol: { ...V2_PROTOCOL, writerFeatures: ['v2Checkpoint', 'checkpointProtection'] } },
    ]);
    await assert.rejects(cleanUpLog(guarded), {
      code: 'unsupported-feature',
      message: /checkpointProtection/,
    });
  });
});
