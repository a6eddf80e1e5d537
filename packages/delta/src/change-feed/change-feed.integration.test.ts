/** The change feed over logs written by hand, and over one that Spark wrote. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, it } from 'node:test';
import { deletionVectorPath, RowSet, writeDeletionVectors } from '../deletion-vectors/index.ts';
import { DuckDbEngine } from '../duckdb/index.ts';
import { isDeltaError } from '../errors.ts';
import type { Action, AddFile, RemoveFile } from '../log/actions.ts';
import {
  COMMIT_STEP_MS,
  FIRST_COMMIT_MS,
  HandMadeTable,
  type TableDefinition,
} from '../reading/testing/hand-made-table.ts';
import { field, struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext } from '../table-context.ts';
import { type ChangeOptions, type ChangeScan, readChanges } from './read-changes.ts';

const SCHEMA = struct({ id: 'long', name: 'string' });
const WITH_TYPE = struct([...SCHEMA.fields, field('_change_type', 'string')]);
const ENABLED = { 'delta.enableChangeDataFeed': 'true' };
const VECTORS = {
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: ['deletionVectors'],
  writerFeatures: ['deletionVectors', 'changeDataFeed'],
};

const tables: HandMadeTable[] = [];
after(() => Promise.all(tables.map((table) => table.close())));

async function newTable(definition: Partial<TableDefinition> = {}): Promise<HandMadeTable> {
  const table = await HandMadeTable.create({ schema: SCHEMA, configuration: ENABLED, ...definition });
  tables.push(table);
  return table;
}

function row(id: number): { id: number; name: string } {
  return { id, name: `n${id}` };
}

function rowsFrom(first: number, count: number): { id: number; name: string }[] {
  return Array.from({ length: count }, (_, at) => row(first + at));
}

function removal(file: AddFile, rest: Partial<RemoveFile> = {}): Action {
  const { path, partitionValues, size, deletionVector } = file;
  return {
    remove: {
      path,
      deletionTimestamp: 1,
      dataChange: true,
      extendedFileMetadata: true,
      partitionValues,
      size,
      ...(deletionVector ? { deletionVector } : {}),
      ...rest,
    },
  };
}

async function withVector(table: HandMadeTable, file: AddFile, positions: number[]): Promise<AddFile> {
  const [deletionVector] = await writeDeletionVectors(
    table.context.io,
    [RowSet.fromPositions(positions)],
    () => crypto.randomUUID(),
  );
  assert.ok(deletionVector);
  return { ...file, deletionVector };
}

/** `version type id`, in the order of the versions. */
async function summary(scan: ChangeScan): Promise<string[]> {
  const lines: string[] = [];
  for await (const change of scan.rows({ inOrder: true })) {
    lines.push([change._commit_version, change._change_type, change.id].join(' '));
  }
  return lines.toSorted();
}

async function changesOf(table: HandMadeTable, options: ChangeOptions): Promise<string[]> {
  return summary(await readChanges(table.context, options));
}

function unavailable(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isDeltaError(error, 'changes-unavailable'), String(error));
    assert.match(error.message, message);
    return true;
  };
}

describe('the change feed', () => {
  it('takes recorded changes for the whole of a version, and files for the others', async () => {
    const table = await newTable();
    const first = await table.write(rowsFrom(1, 3), { schema: SCHEMA });
    await table.commit([{ add: first }]);
    const second = await table.write([row(1), row(3), { id: 20, name: 'new' }], { schema: SCHEMA });
    const recorded = await table.write(
      [
        { ...row(2), _change_type: 'update_preimage' },
        { id: 20, name: 'new', _change_type: 'update_postimage' },
      ],
      { schema: WITH_TYPE, directory: '_change_data/' },
    );
    const { path, partitionValues, size } = recorded;
    await table.commit([
      removal(first),
      { add: second },
      { cdc: { path, partitionValues, size, dataChange: false } },
    ]);
    await table.commit([removal(second)]);
    const scan = await readChanges(table.context, { from: { version: 0 } });
    assert.deepEqual([scan.fromVersion, scan.toVersion, scan.fileCount], [0, 3, 3]);
    const rows: unknown[] = [];
    for await (const change of scan.rows({ inOrder: true, where: '_commit_version = 2' })) rows.push(change);
    assert.deepEqual(rows, [
      {
        id: 2n,
        name: 'n2',
        _change_type: 'update_preimage',
        _commit_version: 2n,
        _commit_timestamp: new Date(FIRST_COMMIT_MS + 2 * COMMIT_STEP_MS),
      },
      {
        id: 20n,
        name: 'new',
        _change_type: 'update_postimage',
        _commit_version: 2n,
        _commit_timestamp: new Date(FIRST_COMMIT_MS + 2 * COMMIT_STEP_MS),
      },
    ]);
    assert.deepEqual(await summary(scan), [
      '1 insert 1',
      '1 insert 2',
      '1 insert 3',
      '2 update_postimage 20',
      '2 update_preimage 2',
      '3 delete 1',
      '3 delete 20',
      '3 delete 3',
    ]);
  });

  it('leaves out rearrangements and merges that changed nothing', async () => {
    const table = await newTable();
    const first = await table.write([row(1)], { schema: SCHEMA });
    await table.commit([{ add: first }]);
    const compacted = await table.write([row(1)], { schema: SCHEMA });
    await table.commit([removal(first, { dataChange: false }), { add: { ...compacted, dataChange: false } }]);
    const rewritten = await table.write([row(1)], { schema: SCHEMA });
    const metrics = { numTargetRowsInserted: '0', numTargetRowsUpdated: '0', numTargetRowsDeleted: '0' };
    await table.commit([
      { commitInfo: { operation: 'MERGE', operationMetrics: metrics } },
      removal(compacted),
      { add: rewritten },
    ]);
    assert.deepEqual(await changesOf(table, { from: { version: 0 } }), ['1 insert 1']);
    const nothing = await readChanges(table.context, { from: { version: 2 } });
    assert.deepEqual(await summary(nothing), []);
    assert.equal(nothing.fileCount, 0);
  });

  it('tells deleted and restored rows by the difference of deletion vectors', async () => {
    const table = await newTable({ protocol: VECTORS });
    const file = await table.write(rowsFrom(0, 1000), { schema: SCHEMA });
    await table.commit([{ add: file }]);
    const some = await withVector(table, file, [1, 5]);
    await table.commit([removal(file), { add: some }]);
    const other = await withVector(table, file, [5, 7, 999]);
    await table.commit([removal(some), { add: other }]);
    await table.commit([removal(other), { add: file }]);
    const many = await withVector(
      table,
      file,
      Array.from({ length: 900 }, (_, at) => at),
    );
    await table.commit([removal(file), { add: many }]);
    await table.commit([removal(many)]);
    const late = (await changesOf(table, { from: { version: 2 }, to: { version: 4 } })).toSorted();
    assert.deepEqual(late, [
      '2 delete 1',
      '2 delete 5',
      '3 delete 7',
      '3 delete 999',
      '3 insert 1',
      '4 insert 5',
      '4 insert 7',
      '4 insert 999',
    ]);
    const counts = new Map<string, number>();
    for (const line of await changesOf(table, { from: { version: 0 } })) {
      const key = line.split(' ', 2).join(' ');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    assert.equal(counts.get('1 insert'), 1000);
    assert.equal(counts.get('5 delete'), 900);
    assert.equal(counts.get('6 delete'), 100);
  });

  it('reads a file as often as it came and went', async () => {
    const table = await newTable({ protocol: VECTORS });
    const file = await table.write(rowsFrom(0, 3), { schema: SCHEMA });
    await table.commit([{ add: file }]);
    await table.commit([removal(file)]);
    const part = await withVector(table, file, [0, 1]);
    await table.commit([{ add: part }]);
    await table.commit([removal(part)]);
    assert.deepEqual(await changesOf(table, { from: { version: 0 } }), [
      '1 insert 0',
      '1 insert 1',
      '1 insert 2',
      '2 delete 0',
      '2 delete 1',
      '2 delete 2',
      '3 insert 2',
      '4 delete 2',
    ]);
  });

  it('has partition values, of removed files too whose writer left them out', async () => {
    const schema = struct({ id: 'long', day: 'date' });
    const data = struct({ id: 'long' });
    const table = await newTable({ schema, partitionColumns: ['day'] });
    const days = ['2026-01-01', '2026-01-02'];
    const files = await Promise.all(
      days.map((day, at) => table.write([{ id: at }], { schema: data, partitionValues: { day } })),
    );
    await table.commit(files.map((add) => ({ add })));
    await table.commit(files.map(({ path }) => ({ remove: { path, dataChange: true } })));
    const [, change] = files;
    const recorded = await table.write([{ id: 9, _change_type: 'delete' }], {
      schema: struct([...data.fields, field('_change_type', 'string')]),
      directory: '_change_data/',
    });
    assert.ok(change);
    const { path, size } = recorded;
    await table.commit([{ cdc: { path, size, partitionValues: { day: '2026-01-03' }, dataChange: false } }]);
    for (const from of [1, 2]) {
      const rows: unknown[] = [];
      const scan = await readChanges(table.context, { from: { version: from } });
      const options = { columns: ['id', 'day', '_change_type'], inOrder: true, where: '_commit_version > 1' };
      for await (const { id, day, _change_type } of scan.rows(options)) rows.push([id, day, _change_type]);
      assert.deepEqual(rows.toSorted(), [
        [0n, '2026-01-01', 'delete'],
        [1n, '2026-01-02', 'delete'],
        [9n, '2026-01-03', 'delete'],
      ]);
    }
  });

  it('reads by the names of a column mapping, recorded changes too', async () => {
    for (const mode of ['name', 'id']) {
      const mapped = (name: string, physical: string, id: number) =>
        field(name, 'long', {
          metadata: { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': physical },
        });
      const schema = struct([mapped('id', 'col-a', 1), mapped('amount', 'col-b', 2)]);
      const table = await newTable({
        schema,
        protocol: {
          minReaderVersion: 2,
          minWriterVersion: 5,
        },
        configuration: {
          ...ENABLED,
          'delta.columnMapping.mode': mode,
          'delta.columnMapping.maxColumnId': '2',
        },
      });
      const physical = struct([
        field('col-a', 'long'),
        field('col-b', 'long'),
        field('_change_type', 'string'),
      ]);
      const recorded = await table.write(
        [
          { 'col-a': 1, 'col-b': 10, _change_type: 'update_preimage' },
          { 'col-a': 1, 'col-b': 11, _change_type: 'update_postimage' },
        ],
        { schema: physical, directory: '_change_data/' },
      );
      const { path, partitionValues, size } = recorded;
      await table.commit([{ cdc: { path, partitionValues, size, dataChange: false } }]);
      const rows: unknown[] = [];
      const scan = await readChanges(table.context, { from: { version: 1 } });
      for await (const change of scan.rows({ columns: ['amount', '_change_type'], inOrder: true }))
        rows.push(change);
      assert.deepEqual(rows, [
        { amount: 10n, _change_type: 'update_preimage' },
        { amount: 11n, _change_type: 'update_postimage' },
      ]);
    }
  });

  it('reads older versions by the schema of the last one when columns were added', async () => {
    const table = await newTable();
    await table.commit([{ add: await table.write([row(1)], { schema: SCHEMA }) }]);
    const wider = struct([...SCHEMA.fields, field('more', 'double')]);
    await table.commit([
      table.definition({ schema: wider, configuration: ENABLED }),
      { add: await table.write([{ ...row(2), more: 0.5 }], { schema: wider }) },
    ]);
    const rows: unknown[] = [];
    for await (const { id, more } of (await readChanges(table.context, { from: { version: 1 } })).rows({
      inOrder: true,
    })) {
      rows.push([id, more]);
    }
    assert.deepEqual(rows, [
      [1n, null],
      [2n, 0.5],
    ]);
    const narrow = await readChanges(table.context, { from: { version: 1 }, to: { version: 1 } });
    assert.deepEqual(
      narrow.schema.fields.map(({ name }) => name),
      ['id', 'name', '_change_type', '_commit_version', '_commit_timestamp'],
    );
  });

  it('refuses ranges over which a column went or changed its type', async () => {
    const table = await newTable();
    await table.commit([table.definition({ schema: struct({ id: 'long' }), configuration: ENABLED })]);
    await assert.rejects(
      changesOf(table, { from: { version: 0 } }),
      unavailable(/version 0 don't fit the schema of version 1: the column "name" was dropped/),
    );
    assert.deepEqual(await changesOf(table, { from: { version: 1 } }), []);
    await table.commit([table.definition({ schema: struct({ id: 'string' }), configuration: ENABLED })]);
    await assert.rejects(
      changesOf(table, { from: { version: 1 } }),
      unavailable(/version 1 .*"id" changed its type from long to string/),
    );
  });

  it('refuses ranges over which it was not enabled, by the version', async () => {
    const table = await newTable({ configuration: {} });
    await table.commit([table.definition({ schema: SCHEMA, configuration: ENABLED })]);
    await table.commit([{ add: await table.write([row(1)], { schema: SCHEMA }) }]);
    await table.commit([table.definition({ schema: SCHEMA, configuration: {} })]);
    assert.deepEqual(await changesOf(table, { from: { version: 1 }, to: { version: 2 } }), ['2 insert 1']);
    await assert.rejects(changesOf(table, { from: { version: 0 } }), unavailable(/not enabled in version 0/));
    await assert.rejects(changesOf(table, { from: { version: 1 } }), unavailable(/not enabled in version 3/));
  });

  it('says which version a vacuum took', async () => {
    const table = await newTable();
    const file = await table.write([row(1)], { schema: SCHEMA });
    await table.commit([{ add: file }]);
    await table.commit([removal(file)]);
    const recorded = await table.write([{ ...row(2), _change_type: 'delete' }], { schema: WITH_TYPE });
    const { path, partitionValues, size } = recorded;
    await table.commit([{ cdc: { path, partitionValues, size, dataChange: false } }]);
    await table.remove(file.path);
    const gone = /version 1 .*part-1.* is gone/;
    await assert.rejects(changesOf(table, { from: { version: 1 } }), unavailable(gone));
    assert.deepEqual(await changesOf(table, { from: { version: 3 } }), ['3 delete 2']);
    await table.remove(path);
    await assert.rejects(
      changesOf(table, { from: { version: 3 } }),
      unavailable(/version 3 .*part-2.* is gone/),
    );
  });

  it('says which version a vacuum took a deletion vector of', async () => {
    const table = await newTable({ protocol: VECTORS });
    const file = await table.write(rowsFrom(0, 2000), { schema: SCHEMA });
    await table.commit([{ add: file }]);
    const everySecond = Array.from({ length: 1000 }, (_, at) => at * 2);
    const marked = await withVector(table, file, everySecond);
    await table.commit([removal(file), { add: marked }]);
    await table.commit([removal(marked), { add: file }]);
    assert.equal((await changesOf(table, { from: { version: 2 } })).length, 2000);
    const { io } = table.context;
    const path = deletionVectorPath(io, marked.deletionVector ?? assert.fail());
    await io.store.delete(path ?? assert.fail());
    await assert.rejects(
      changesOf(table, { from: { version: 2 } }),
      unavailable(/version 2 .*deletion_vector/),
    );
    assert.equal((await changesOf(table, { from: { version: 1 }, to: { version: 1 } })).length, 2000);
  });

  it('takes in-commit timestamps where the table has them', async () => {
    const table = await newTable({ configuration: { ...ENABLED, 'delta.enableInCommitTimestamps': 'true' } });
    const inCommitTimestamp = Date.UTC(2030, 5, 1, 12, 0, 0, 123);
    await table.commit([
      { commitInfo: { inCommitTimestamp } },
      { add: await table.write([row(1)], { schema: SCHEMA }) },
    ]);
    const scan = await readChanges(table.context, { from: { version: 1 } });
    for await (const { _commit_timestamp } of scan.rows()) {
      assert.deepEqual(_commit_timestamp, new Date(inCommitTimestamp));
    }
  });
});

describe('a range of the change feed', () => {
  const at = (version: number, offsetMs = 0) => ({
    timestampMs: FIRST_COMMIT_MS + version * COMMIT_STEP_MS + offsetMs,
  });
  let table: HandMadeTable | undefined;
  const rangeOf = async (options: ChangeOptions): Promise<[number, number]> => {
    if (table === undefined) {
      table = await newTable();
      for (let id = 1; id <= 4; id += 1) {
        await table.commit([{ add: await table.write([row(id)], { schema: SCHEMA }) }]);
      }
    }
    const { fromVersion, toVersion } = await readChanges(table.context, options);
    return [fromVersion, toVersion];
  };

  it('begins and ends at versions, both inclusive, of which the last may not be there yet', async () => {
    assert.deepEqual(await rangeOf({ from: { version: 1 }, to: { version: 2 } }), [1, 2]);
    assert.deepEqual(await rangeOf({ from: { version: 3 }, to: { version: 99 } }), [3, 4]);
    assert.deepEqual(await rangeOf({ from: { version: 4 } }), [4, 4]);
  });

  it('begins at the first commit of a time or later, and ends at the last of one or earlier', async () => {
    assert.deepEqual(await rangeOf({ from: at(2), to: at(3) }), [2, 3]);
    assert.deepEqual(await rangeOf({ from: at(1, 1), to: at(3, 1) }), [2, 3]);
    assert.deepEqual(await rangeOf({ from: at(-5) }), [0, 4]);
    assert.deepEqual(await rangeOf({ from: { version: 1 }, to: at(3, -1) }), [1, 2]);
  });

  it('is empty between two commits', async () => {
    assert.deepEqual(await rangeOf({ from: at(2, 1), to: at(2, 2) }), [3, 2]);
  });

  it('does not begin after the newest version unless it may', async () => {
    for (const from of [{ version: 5 }, at(4, 1)]) {
      await assert.rejects(rangeOf({ from }), { code: 'version-not-found', message: /newest version, 4/ });
      assert.deepEqual(await rangeOf({ from, allowOutOfRange: true }), [5, 4]);
    }
    await assert.rejects(rangeOf({ from: { version: 0 }, to: at(4, 1) }), { code: 'version-not-found' });
    assert.deepEqual(await rangeOf({ from: { version: 0 }, to: at(4, 1), allowOutOfRange: true }), [0, 4]);
    await assert.rejects(rangeOf({ from: { version: 0 }, to: at(-1) }), { code: 'version-not-found' });
  });

  it('does not end before it begins', async () => {
    await assert.rejects(rangeOf({ from: { version: 3 }, to: { version: 2 } }), { code: 'invalid-data' });
    await assert.rejects(rangeOf({ from: at(2, 2), to: at(2, 1) }), { code: 'invalid-data' });
    await assert.rejects(rangeOf({ from: { version: -1 } }), { code: 'invalid-data' });
    await assert.rejects(rangeOf({ from: { timestampMs: Number.NaN } }), { code: 'invalid-data' });
  });
});

const archive = resolve(
  import.meta.dirname,
  '../..',
  process.env.SLUICE_ORACLES ?? '../../../shared/oracles',
  'delta/tables.tar.gz',
);
describe("Spark's change feed", { skip: existsSync(archive) ? false : `no oracle at ${archive}` }, () => {
  it('is read as Spark wrote it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-cdf-'));
    execFileSync('tar', ['xzf', archive, '-C', directory, './dat/cdf']);
    const engine = await DuckDbEngine.create({ threads: 1 });
    try {
      const store = new LocalStore(directory);
      const scan = await readChanges(createContext({ store, engine, root: 'dat/cdf/delta' }), {
        from: { version: 0 },
      });
      const lines: string[] = [];
      for await (const change of scan.rows()) {
        const { letter, int, date, _change_type, _commit_version } = change;
        lines.push([_commit_version, _change_type, letter, int, date].join(' '));
      }
      assert.deepEqual(lines.toSorted(), [
        '1 insert a 25 2017-05-01',
        '1 insert a 604 1997-01-01',
        '1 insert a 692 2017-09-01',
        '1 insert a 95 1983-04-01',
        '1 insert b 228 1978-12-01',
        '2 delete a 25 2017-05-01',
        '2 delete a 604 1997-01-01',
        '2 delete a 692 2017-09-01',
        '2 delete a 95 1983-04-01',
      ]);
    } finally {
      await engine.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
