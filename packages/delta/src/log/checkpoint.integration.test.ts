/** Checkpoints through real Parquet: what is written is what is read, in every form, packed or not. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import type { Engine } from '../engine.ts';
import { field, struct } from '../schema/types.ts';
import { loadState } from '../snapshot/load.ts';
import { applyIncrement } from '../snapshot/table-state.ts';
import { LocalStore } from '../store/local-store.ts';
import { addOf, beginning, contentOf, putLogCommit, removeOf, V2_PROTOCOL } from '../testing/log-fixture.ts';
import type { Action } from './actions.ts';
import { readCheckpoint, type WriteCheckpointOptions, writeCheckpoint } from './checkpoint.ts';
import { readLastCheckpoint } from './last-checkpoint.ts';
import { listLog } from './log-listing.ts';
import { commitName } from './log-paths.ts';

const SCHEMA = struct([
  field('id', 'long'),
  field('price', 'decimal(38,10)'),
  field('at', 'timestamp'),
  field('local', 'timestamp_ntz'),
  field('day', 'date'),
  field('name', 'string'),
  field('ratio', 'double'),
  field(
    'nested',
    struct([
      field('a', 'integer'),
      field('list', { type: 'array', elementType: 'long', containsNull: true }),
    ]),
  ),
  field('region', 'string'),
  field('year', 'integer'),
]);
const STATS =
  '{"numRecords":7,"minValues":{"id":-9007199254740993,"price":12345678901234567890.0123456789,' +
  '"at":"2024-02-29T12:00:00.123456Z","local":"2024-02-29T12:00:00.123456","day":"2024-02-29","name":"a\\"\\u00e9",' +
  '"ratio":0.1,"nested":{"a":1}},"maxValues":{"id":9007199254740993,"name":"z"},' +
  '"nullCount":{"id":0,"nested":{"a":1,"list":2}}}';
const VECTOR = {
  storageType: 'u',
  pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^',
  offset: 4,
  sizeInBytes: 40,
  cardinality: 6,
};
const NTZ_PROTOCOL = {
  ...V2_PROTOCOL,
  readerFeatures: ['v2Checkpoint', 'timestampNtz', 'deletionVectors'],
  writerFeatures: ['v2Checkpoint', 'timestampNtz', 'deletionVectors', 'domainMetadata', 'rowTracking'],
};

/** A table with every kind of action and member. */
function commits(configuration: Record<string, string>): Action[][] {
  return [
    beginning({
      schema: SCHEMA,
      configuration,
      partitionColumns: ['region', 'year'],
      protocol: NTZ_PROTOCOL,
    }),
    [
      addOf('region=a%20b/1.parquet', { partitionValues: { region: 'a b', year: '2024' }, stats: STATS }),
      addOf('2.parquet', {
        partitionValues: { region: null, year: null },
        stats: STATS,
        deletionVector: VECTOR,
      }),
      addOf('3.parquet', {
        partitionValues: { region: '"\u0001\n', year: '-1' },
        size: 2 ** 40,
        tags: { 'k"': 'v\u0002', none: null },
        baseRowId: 17,
        defaultRowCommitVersion: 1,
        clusteringProvider: 'liquid "x"',
      }),
      addOf('gone.parquet', { stats: '{"numRecords":1}' }),
      { txn: { appId: 'app', version: 3, lastUpdated: 5 } },
      { domainMetadata: { domain: 'd', configuration: '{}', removed: false } },
    ],
    [
      {
        remove: {
          ...removeOf('gone.parquet', 1000).remove,
          path: 'gone.parquet',
          dataChange: true,
          size: 10,
          extendedFileMetadata: true,
          partitionValues: { region: 'x', year: null },
          baseRowId: 3,
          defaultRowCommitVersion: 1,
        },
      },
      { remove: { path: '2.parquet', deletionTimestamp: 1001, dataChange: true } },
      { domainMetadata: { domain: 'e', configuration: '', removed: true } },
    ],
    Array.from({ length: 40 }, (_, at) =>
      addOf(`many-${at}.parquet`, {
        partitionValues: { region: 'm', year: String(at) },
        stats: `{"numRecords":${at}}`,
      }),
    ),
  ];
}

const V2 = { 'delta.checkpointPolicy': 'v2' };
const FORMS: readonly (readonly [string, Record<string, string>, WriteCheckpointOptions])[] = [
  ['classic', {}, {}],
  ['v2 without sidecars', V2, {}],
  ['v2 with one sidecar', V2, { inlineActionsMax: 0 }],
  ['v2 with many sidecars', V2, { inlineActionsMax: 5, sidecarActionsMax: 7 }],
  ['with statistics as a struct too', { 'delta.checkpoint.writeStatsAsStruct': 'true' }, {}],
];

describe('a checkpoint', () => {
  let directory: string;
  let engine: DuckDbEngine;
  let tables = 0;
  let io: { store: LocalStore; engine: Engine; root: string };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-checkpoint-'));
    engine = await DuckDbEngine.create({ threads: 2 });
  });
  after(async () => {
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(() => {
    io = { store: new LocalStore(directory), engine, root: `t${(tables += 1)}` };
  });

  const logDirectory = (): string => join(directory, io.root, '_delta_log');
  async function checkpointed(
    configuration: Record<string, string>,
    options: WriteCheckpointOptions = {},
  ): Promise<unknown> {
    const changes = commits(configuration);
    for (const [version, actions] of changes.entries()) await putLogCommit(io, version, actions);
    const state = await loadState(io);
    await writeCheckpoint(io, state, 2000, options);
    // Only the checkpoint leads to the state now.
    for (let version = 0; version < changes.length - 1; version += 1) {
      rmSync(join(logDirectory(), commitName(version)));
    }
    return contentOf(state);
  }

  for (const [name, configuration, options] of FORMS) {
    it(`that is ${name} gives back the state, packed or row by row`, async () => {
      const expected = await checkpointed(configuration, options);
      assert.deepEqual(contentOf(await loadState(io)), expected);
      const rowByRow = {
        writeParquet: engine.writeParquet.bind(engine),
        readParquet: engine.readParquet.bind(engine),
      };
      assert.deepEqual(contentOf(await loadState({ ...io, engine: rowByRow })), expected);
      const hint = await readLastCheckpoint(io.store, io.root);
      assert.equal(hint?.version, 3, 'the hint has the checksum of its content');
      const sidecars = name.includes('one') ? 1 : name.includes('many') ? 7 : 0;
      const [checkpoint] = (await listLog(io.store, io)).checkpoints;
      assert.equal(checkpoint?.kind, name.includes('v2') ? 'v2' : 'classic');
      const names = sidecars === 0 ? [] : readdirSync(join(logDirectory(), '_sidecars'));
      assert.equal(names.length, sidecars);
    });
  }

  it('counts no rows by statistics that are impossible', async () => {
    const [created = []] = commits({});
    await putLogCommit(io, 0, [
      ...created.filter((action) => !('add' in action)),
      addOf('good.parquet', { stats: '{"numRecords":3}' }),
    ]);
    await writeCheckpoint(io, await loadState(io), 2000);
    rmSync(join(logDirectory(), commitName(0)));
    await putLogCommit(io, 1, []);
    assert.equal((await loadState(io)).files.rowCount, 3);
    await putLogCommit(io, 2, [addOf('bad.parquet', { stats: '{"numRecords":-1}' })]);
    await writeCheckpoint(io, await loadState(io), 2000);
    rmSync(join(logDirectory(), commitName(1)));
    rmSync(join(logDirectory(), commitName(2)));
    await putLogCommit(io, 3, []);
    assert.equal((await loadState(io)).files.rowCount, undefined);
  });

  it('keeps statistics in their columns’ types alone, to the last digit', async () => {
    await checkpointed({
      'delta.checkpoint.writeStatsAsStruct': 'true',
      'delta.checkpoint.writeStatsAsJson': 'false',
    });
    const state = await loadState(io);
    const first = [...state.files.files()].find(({ path }) => path.startsWith('region'));
    assert.equal(first?.stats, STATS.replace('\\u00e9', 'é'));
    assert.equal(state.files.rowCount, undefined, 'one file has none');
    const [file = ''] = readdirSync(logDirectory()).filter((name) => name.endsWith('.parquet'));
    const columns = await engine.session((session) =>
      session.rows(
        `SELECT add.partitionValues_parsed.year, typeof(add) LIKE '%stats VARCHAR%', add.stats_parsed.minValues.price::VARCHAR
         FROM read_parquet('${join(logDirectory(), file)}') WHERE add.path LIKE 'region%'`,
      ),
    );
    assert.deepEqual(columns, [[2024, false, '12345678901234567890.0123456789']]);
  });

  it('that is v2 in JSON, with commits after it, is read with its sidecars', async () => {
    const expected = (await checkpointed(V2, { inlineActionsMax: 0 })) as object;
    const [checkpoint] = (await listLog(io.store, io)).checkpoints;
    assert.ok(checkpoint);
    const { actions } = await readCheckpoint(io, checkpoint);
    const [path = ''] = checkpoint.paths;
    const asJson = actions
      .map((action) => JSON.stringify(action, (_, value: unknown) => value ?? undefined))
      .join('\n');
    writeFileSync(join(directory, path.replace('.parquet', '.json')), asJson);
    rmSync(join(directory, path));
    assert.deepEqual(contentOf(await loadState(io)), expected);
    await putLogCommit(io, 4, [removeOf('many-3.parquet', 1500), addOf('new.parquet')]);
    const after = await loadState(io);
    assert.equal(after.files.count, (await loadState(io, 3)).files.count);
    assert.ok(after.tombstones.has('many-3.parquet'));
  });

  it('with a sidecar missing is passed over, or named where nothing else helps', async () => {
    const changes = commits(V2);
    for (const [version, actions] of changes.entries()) await putLogCommit(io, version, actions);
    const expected = contentOf(await loadState(io));
    await writeCheckpoint(io, await loadState(io), 2000, { inlineActionsMax: 0 });
    const [sidecar = ''] = readdirSync(join(logDirectory(), '_sidecars'));
    rmSync(join(logDirectory(), '_sidecars', sidecar));
    assert.deepEqual(contentOf(await loadState(io)), expected);
    rmSync(join(logDirectory(), commitName(0)));
    await assert.rejects(loadState(io), (error: Error) => error.message.includes(sidecar));
  });

  it('keeps every state that went on from it as it was', async () => {
    await checkpointed({});
    const base = await loadState(io);
    const before = contentOf(base);
    const next = (actions: Action[], from = base): typeof base =>
      applyIncrement(from, { version: from.version + 1, timestampMs: 1, actions });
    const one = next([removeOf('many-1.parquet'), addOf('x')]);
    const oneContent = contentOf(one);
    const two = next(
      [removeOf('many-2.parquet'), addOf('many-1.parquet', { stats: '{"numRecords":1}' })],
      one,
    );
    const other = next([removeOf('3.parquet')]);
    assert.deepEqual(contentOf(base), before);
    assert.deepEqual(contentOf(one), oneContent);
    const paths = (state: typeof base): string[] => [...state.files.files()].map(({ path }) => path);
    assert.ok(paths(two).includes('many-1.parquet') && !paths(two).includes('many-2.parquet'));
    assert.ok(!two.tombstones.has('many-1.parquet') && one.tombstones.has('many-1.parquet'));
    assert.deepEqual(
      [other.files.count, paths(other).includes('many-1.parquet')],
      [base.files.count - 1, true],
    );
    // So many removals that the checkpoint's files are given up.
    let thinned = two;
    for (const path of paths(two).slice(1)) thinned = next([removeOf(path)], thinned);
    // The one that was not asked for, and the one with a vector, which has another key.
    assert.deepEqual([thinned.files.count, paths(thinned)], [2, paths(two).slice(0, 2)]);
    assert.deepEqual(contentOf(one), oneContent);
  });
});
