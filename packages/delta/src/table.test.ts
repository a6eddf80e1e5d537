import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commitName } from './log/log-paths.ts';
import type { WriteRequest, WrittenFile } from './engine.ts';
import { field, struct } from './schema/types.ts';
import { DeltaTable } from './table.ts';
import { JsonEngine, readJsonRows } from './testing/index.ts';
import { countingNames, inMemory, rowsFrom, steppingClock } from './testing/table-fixture.ts';

async function actionsOf(
  options: ReturnType<typeof inMemory>,
  version: number,
): Promise<Record<string, unknown>[]> {
  const bytes = await options.store.read(`${options.root}/_delta_log/${commitName(version)}`);
  const lines = Buffer.from(bytes).toString('utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function idsOf(
  options: ReturnType<typeof inMemory>,
  table: DeltaTable,
  version?: number,
): Promise<unknown[]> {
  const rows = await readJsonRows(options, await table.snapshot(version === undefined ? {} : { version }));
  return rows.map((row) => row.id);
}

describe('create and open', () => {
  it('makes version 0 that old readers and writers accept', async () => {
    const options = inMemory({
      description: 'a test',
      properties: { 'delta.appendOnly': 'true', owner: 'me' },
    });
    const table = await DeltaTable.create(options);
    const snapshot = await table.snapshot();
    assert.equal(snapshot.version, 0);
    assert.deepEqual(snapshot.protocol, { minReaderVersion: 1, minWriterVersion: 2 });
    assert.deepEqual(snapshot.properties, { 'delta.appendOnly': 'true', owner: 'me' });
    assert.deepEqual([snapshot.fileCount, snapshot.rowCount, snapshot.sizeBytes], [0, 0, 0]);
    assert.equal(snapshot.metadata.description, 'a test');
    assert.deepEqual(
      (await actionsOf(options, 0)).map((action) => Object.keys(action)[0]),
      ['commitInfo', 'protocol', 'metaData'],
    );
  });

  it('asks for the feature that a zoneless timestamp needs, and only then', async () => {
    const table = await DeltaTable.create(inMemory({ schema: struct({ t: 'timestamp_ntz' }) }));
    const { protocol } = await table.snapshot();
    assert.deepEqual([protocol.minReaderVersion, protocol.minWriterVersion], [3, 7]);
    assert.deepEqual(protocol.readerFeatures, ['timestampNtz']);
  });

  it('refuses a second table, a missing one, and what it would not honour', async () => {
    const options = inMemory();
    await assert.rejects(DeltaTable.open(options), { code: 'not-a-table' });
    await DeltaTable.create(options);
    await assert.rejects(DeltaTable.create(options), { code: 'exists' });
    const refused: Record<string, string>[] = [
      { 'delta.enableRowTracking': 'true' },
      { 'delta.checkpointInterval': '0' },
      { 'delta.columnMapping.mode': 'other' },
      { 'delta.unheardOf': '1' },
      { 'DELTA.appendOnly': 'maybe' },
      { 'delta.logRetentionDuration': 'a while' },
    ];
    for (const properties of refused) {
      await assert.rejects(
        DeltaTable.create(inMemory({ properties })),
        { code: 'invalid-property' },
        JSON.stringify(properties),
      );
    }
    await assert.rejects(DeltaTable.create(inMemory({ schema: struct({ a: 'long', A: 'long' }) })), {
      code: 'invalid-schema',
    });
  });

  it('lets one of racing creators win', async () => {
    const options = inMemory();
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => DeltaTable.create(options)));
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
  });
});

describe('append', () => {
  it('adds rows, visible in the next snapshot and never in an earlier one', async () => {
    const options = inMemory();
    const table = await DeltaTable.create(options);
    const before = await table.snapshot();
    const result = await table.append({ source: rowsFrom(1, 3), userMetadata: 'batch 1' });
    assert.equal(result.kind, 'committed');
    const after = await table.snapshot();
    assert.deepEqual([after.version, after.rowCount, after.fileCount], [1, 3, 1]);
    assert.deepEqual([before.version, before.rowCount, [...before.files()].length], [0, 0, 0]);
    assert.deepEqual(await idsOf(options, table), [1, 2, 3]);
    const [latest] = await table.history({ limit: 1 });
    assert.deepEqual(
      [latest?.version, latest?.operation, latest?.userMetadata, latest?.operationMetrics.numOutputRows],
      [1, 'WRITE', 'batch 1', '3'],
    );
  });

  it('is applied once for a txn, however often it is asked for', async () => {
    const options = inMemory();
    const table = await DeltaTable.create(options);
    const append = {
      source: rowsFrom(1, 2),
      txns: [
        { appId: 'a', version: 5 },
        { appId: 'b', version: 1 },
      ],
    };
    assert.equal((await table.append(append)).kind, 'committed');
    assert.deepEqual(await table.append(append), { kind: 'already-committed', version: 1 });
    const other = await DeltaTable.open(options);
    assert.deepEqual(await other.append({ ...append, txns: [{ appId: 'a', version: 4 }] }), {
      kind: 'already-committed',
      version: 1,
    });
    const halfKnown = other.append({
      ...append,
      txns: [
        { appId: 'a', version: 6 },
        { appId: 'b', version: 1 },
      ],
    });
    await assert.rejects(halfKnown, { code: 'conflict', message: /^version 1 .* same application/ });
    assert.equal(
      (await other.append({ source: rowsFrom(3, 1), txns: [{ appId: 'a', version: 6 }] })).kind,
      'committed',
    );
    assert.deepEqual(await idsOf(options, table), [1, 2, 3]);
    const snapshot = await table.snapshot();
    assert.deepEqual(
      [...snapshot.txns()],
      [
        ['a', 6],
        ['b', 1],
      ],
    );
    assert.equal(snapshot.txnVersion('c'), undefined);
  });

  it('gives racing appends versions of their own, and one of racing twins', async () => {
    const options = inMemory();
    await DeltaTable.create(options);
    const tables = await Promise.all(
      Array.from({ length: 6 }, (_, at) => DeltaTable.open({ ...options, uuid: countingNames(`w${at}`) })),
    );
    const results = await Promise.all(
      tables.map((table, at) => table.append({ source: rowsFrom(at * 10, 2) })),
    );
    const versions = results.map((result) => result.version).toSorted((a, b) => a - b);
    assert.deepEqual(versions, [1, 2, 3, 4, 5, 6]);
    const twins = await Promise.all(
      tables.map((table) => table.append({ source: rowsFrom(900, 1), txns: [{ appId: 'a', version: 1 }] })),
    );
    const committed = twins.filter((result) => result.kind === 'committed');
    assert.equal(committed.length, 1, 'a twin that lost sees its txn recorded');
    const ids = await idsOf(options, tables[0] ?? assert.fail());
    assert.deepEqual(ids.toSorted(), [0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 900]);
    const files: string[] = [];
    for await (const { path } of options.store.list('db/t/part-')) files.push(path);
    assert.equal(files.length, 7, 'the files of the losers are gone');
  });

  it('commits txns and nothing else for no rows', async () => {
    const table = await DeltaTable.create(inMemory());
    const result = await table.append({ source: rowsFrom(0, 0), txns: [{ appId: 'a', version: 1 }] });
    assert.deepEqual(result, { kind: 'committed', version: 1, rows: 0, files: 0, bytes: 0 });
    assert.equal((await table.snapshot()).txnVersion('a'), 1);
  });

  it('leaves the table as it was when a row is refused', async () => {
    const options = inMemory({ schema: struct([field('id', 'long', { nullable: false })]) });
    const table = await DeltaTable.create(options);
    await assert.rejects(table.append({ source: { kind: 'rows', rows: [{ id: 1 }, {}] } }), {
      code: 'not-null',
    });
    await assert.rejects(table.append({ source: { kind: 'rows', rows: [{ id: 'x' }] } }), {
      code: 'invalid-data',
    });
    assert.equal((await table.snapshot()).version, 0);
  });

  it('splits rows by partition, with names that need no care', async () => {
    const options = inMemory({ partitionColumns: ['name'] });
    const table = await DeltaTable.create(options);
    const names = ['a b', 'a%20b', 'é/+?#=', '', null, '__HIVE_DEFAULT_PARTITION__', 'x'.repeat(500)];
    const rows = names.map((name, id) => ({ id, name }));
    assert.equal((await table.append({ source: { kind: 'rows', rows } })).kind, 'committed');
    const read = await readJsonRows(options, await table.snapshot());
    const expected = names.map((name, id) => ({ id, name: name === '' ? null : name }));
    assert.deepEqual(
      read.toSorted((a, b) => Number(a.id) - Number(b.id)),
      expected,
    );
    for (const file of (await table.snapshot()).files()) assert.match(file.path, /^[A-Za-z0-9_.=%/-]+$/);
  });
});

describe('schema and properties', () => {
  it('grow by columns, alone or with an append', async () => {
    const options = inMemory();
    const table = await DeltaTable.create(options);
    await table.append({ source: rowsFrom(1, 1) });
    assert.deepEqual(await table.alter.addColumns([field('v', 'double')]), { kind: 'committed', version: 2 });
    assert.deepEqual(await table.alter.addColumns([field('v', 'double')]), { kind: 'unchanged', version: 2 });
    await table.append({
      source: { kind: 'rows', rows: [{ id: 2, w: true }] },
      addColumns: [field('w', 'boolean')],
    });
    const snapshot = await table.snapshot();
    assert.deepEqual(
      snapshot.schema.fields.map(({ name }) => name),
      ['id', 'name', 'v', 'w'],
    );
    assert.deepEqual(await readJsonRows(options, snapshot), [
      { id: 1, name: 'name 1', v: null, w: null },
      { id: 2, name: null, v: null, w: true },
    ]);
    assert.deepEqual((await table.snapshot({ version: 1 })).schema, options.schema);
    await assert.rejects(table.alter.addColumns([field('ID', 'long')]), { code: 'invalid-schema' });
  });

  it('upgrade the protocol when a column needs it', async () => {
    const table = await DeltaTable.create(inMemory());
    await table.alter.addColumns([field('t', 'timestamp_ntz')]);
    const { protocol } = await table.snapshot();
    assert.deepEqual(protocol, {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['timestampNtz'],
      writerFeatures: ['appendOnly', 'invariants', 'timestampNtz'],
    });
  });

  it('conflict with what was written meanwhile', async () => {
    let meanwhile = async (): Promise<unknown> => undefined;
    class Interrupted extends JsonEngine {
      override async writeParquet(request: WriteRequest): Promise<WrittenFile[]> {
        const written = await super.writeParquet(request);
        await meanwhile();
        return written;
      }
    }
    const options = inMemory();
    const other = await DeltaTable.create(options);
    const table = await DeltaTable.open({ ...options, engine: new Interrupted() });
    const append = { source: rowsFrom(1, 1), txns: [{ appId: 'a', version: 1 }] };
    meanwhile = () => other.alter.addColumns([field('v', 'double')]);
    await assert.rejects(table.append(append), { code: 'conflict', message: /^version 1 .* the schema/ });
    meanwhile = () => other.alter.addColumns([field('t', 'timestamp_ntz')]);
    await assert.rejects(table.append(append), { code: 'conflict', message: /^version 2 .* the protocol/ });
    meanwhile = () => other.append({ source: rowsFrom(7, 1), txns: [{ appId: 'a', version: 0 }] });
    await assert.rejects(table.append(append), { code: 'conflict', message: /^version 3 .* application/ });
    meanwhile = () => other.append({ source: rowsFrom(8, 1) });
    const result = await table.append(append);
    assert.deepEqual([result.kind, result.version], ['committed', 5], 'a blind append is no conflict');
    assert.deepEqual(await idsOf(options, table), [7, 8, 1]);
  });

  it('set and remove properties', async () => {
    const table = await DeltaTable.create(inMemory({ properties: { a: '1' } }));
    await table.alter.setProperties({ 'delta.checkpointInterval': '3', a: null });
    assert.deepEqual((await table.snapshot()).properties, { 'delta.checkpointInterval': '3' });
    assert.equal((await table.alter.setProperties({ a: null })).kind, 'unchanged');
    await assert.rejects(table.alter.setProperties({ 'delta.nope': '1' }), { code: 'invalid-property' });
  });
});

describe('time travel', () => {
  it('finds versions by number and by time', async () => {
    const options = inMemory({ properties: { 'delta.checkpointInterval': '3' } });
    const table = await DeltaTable.create(options);
    for (let at = 1; at <= 7; at += 1) await table.append({ source: rowsFrom(at, 1) });
    for (let version = 0; version <= 7; version += 1) {
      const snapshot = await table.snapshot({ version });
      assert.deepEqual([snapshot.version, snapshot.rowCount], [version, version]);
    }
    const history = await table.history();
    assert.deepEqual(
      history.map(({ version }) => version),
      [7, 6, 5, 4, 3, 2, 1, 0],
    );
    for (const { version, timestampMs } of history) {
      assert.equal((await table.snapshot({ timestampMs })).version, version);
      if (version > 0)
        assert.equal((await table.snapshot({ timestampMs: timestampMs - 1 })).version, version - 1);
    }
    assert.equal((await table.snapshot({ timestampMs: Infinity })).version, 7);
    await assert.rejects(table.snapshot({ timestampMs: 0 }), { code: 'version-not-found' });
    for (const version of [8, -1])
      await assert.rejects(table.snapshot({ version }), { code: 'version-not-found' });
  });

  it('puts commits in order when the clock stepped back', async () => {
    let nowMs = 1_000_000;
    const table = await DeltaTable.create(inMemory({ now: () => nowMs }));
    for (const next of [900_000, 950_000, 2_000_000]) {
      nowMs = next;
      await table.append({ source: rowsFrom(next, 1) });
    }
    const times = (await table.history()).map(({ timestampMs }) => timestampMs);
    assert.deepEqual(times, [2_000_000, 1_000_002, 1_000_001, 1_000_000]);
    assert.equal((await table.snapshot({ timestampMs: 1_000_001 })).version, 1);
  });
});

describe('determinism', () => {
  it('gives the same log for the same calls', async () => {
    const run = async (): Promise<string> => {
      const options = inMemory({ now: steppingClock(), uuid: countingNames() });
      const table = await DeltaTable.create(options);
      for (let at = 0; at < 12; at += 1)
        await table.append({ source: rowsFrom(at, 2), txns: [{ appId: 'a', version: at }] });
      let log = '';
      for await (const { path, modifiedMs } of options.store.list('')) {
        log += `${path} ${modifiedMs}\n${Buffer.from(await options.store.read(path)).toString('utf8')}\n`;
      }
      return log;
    };
    assert.equal(await run(), await run());
  });
});
