import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Catalog, Table, TableInput } from '../../modules/catalog/index.ts';
import type { RequestContext } from '../aws-json/index.ts';
import { JSON_1_1 } from '../aws-json/json-wire.ts';
import { createGlueService } from './index.ts';

const CONTEXT: RequestContext = {
  principal: { accountId: '000000000000', name: 'root' },
  region: 'eu-west-1',
  requestId: 'request',
  signal: new AbortController().signal,
  wire: JSON_1_1,
};

function remembering() {
  const tables = new Map<string, Table>();
  const keep = (database: string, input: TableInput): Table => {
    const table = {
      ...input,
      database,
      location: input.location ?? 'file:///t',
      createdMs: 1_500,
      updatedMs: 2_500,
      versionId: 3,
    };
    tables.set(input.name, table);
    return table;
  };
  const catalog: Partial<Catalog> = {
    createTable: async (database, input) => keep(database, input),
    updateTable: async (database, input) => keep(database, input),
    table: async (_database, name) => tables.get(name)!,
    tables: async (_database, { limit }) => ({ items: [...tables.values()].slice(0, limit), next: 'more' }),
  };
  const { operations } = createGlueService({ catalog: catalog as Catalog });
  const call = async (name: string, input: object) =>
    (await operations[name]!.handle(input as never, CONTEXT)) as Record<string, Record<string, unknown>>;
  return { call, tables };
}

const INPUT = {
  Name: 't',
  Description: 'a table',
  Owner: 'me',
  Retention: 3,
  TableType: 'EXTERNAL_TABLE',
  Parameters: { table_type: 'DELTA', mine: 'x' },
  PartitionKeys: [{ Name: 'day', Type: 'date', Comment: 'of departure' }],
  StorageDescriptor: {
    Columns: [{ Name: 'a', Type: 'bigint', Comment: 'first' }],
    Location: 'file:///lake/t',
    InputFormat: 'in',
    OutputFormat: 'out',
    Compressed: true,
    SerdeInfo: { SerializationLibrary: 'library', Parameters: { p: 'q' } },
    Parameters: { of: 'storage' },
  },
};

test('a table is given back as it was described', async () => {
  const { call, tables } = remembering();
  await call('CreateTable', { DatabaseName: 'd', TableInput: INPUT });
  const { Table } = await call('GetTable', { DatabaseName: 'd', Name: 't' });
  const { StorageDescriptor, ...members } = INPUT;
  for (const [name, value] of Object.entries(members)) assert.deepEqual(Table![name], value, name);
  for (const [name, value] of Object.entries(StorageDescriptor)) {
    assert.deepEqual((Table!['StorageDescriptor'] as Record<string, unknown>)[name], value, name);
  }
  assert.equal(Table!['CreateTime'], 1.5);
  assert.equal(Table!['VersionId'], '3');
  assert.equal(Table!['CatalogId'], '000000000000');
  assert.equal(tables.get('t')?.parameters['mine'], 'x');
});

test('a column that another client added is shown from the log, not from what was kept', async () => {
  const { call, tables } = remembering();
  await call('CreateTable', { DatabaseName: 'd', TableInput: INPUT });
  const table = tables.get('t')!;
  tables.set('t', { ...table, columns: [...table.columns, { name: 'b', type: 'int' }] });
  const { Table } = await call('GetTable', { DatabaseName: 'd', Name: 't' });
  const { Columns } = Table!['StorageDescriptor'] as { Columns: { Name: string }[] };
  assert.deepEqual(
    Columns.map(({ Name }) => Name),
    ['a', 'b'],
  );
});

const changed = (storage: object) => ({
  ...INPUT,
  StorageDescriptor: { ...INPUT.StorageDescriptor, ...storage },
});
for (const [input, message] of [
  [changed({ NumberOfBuckets: 2 }), /NumberOfBuckets is not supported/],
  [changed({ BucketColumns: ['a'] }), /BucketColumns is not supported/],
  [changed({ SortColumns: [{ Column: 'a', SortOrder: 1 }] }), /SortColumns is not supported/],
  [changed({ Columns: [{ Name: 'a' }] }), /The column a has no Type/],
  [{ ...INPUT, Parameters: { 'sluice.glue.kept': '{}' } }, /is reserved/],
] as const) {
  test(`refused: ${String(message)}`, async () => {
    const { call, tables } = remembering();
    await assert.rejects(call('CreateTable', { DatabaseName: 'd', TableInput: input }), message);
    assert.equal(tables.size, 0);
  });
}

test('another catalogue and the archive of versions are refused', async () => {
  const { call } = remembering();
  await assert.rejects(
    call('GetTable', { CatalogId: '1', DatabaseName: 'd', Name: 't' }),
    /Catalog 1 not found/,
  );
  await assert.rejects(
    call('UpdateTable', { DatabaseName: 'd', TableInput: INPUT, SkipArchive: false }),
    /SkipArchive: false is not supported/,
  );
});

test('a list gives the attributes that are asked for', async () => {
  const { call } = remembering();
  await call('CreateTable', { DatabaseName: 'd', TableInput: INPUT });
  const named = await call('GetTables', { DatabaseName: 'd', AttributesToGet: ['NAME'] });
  assert.deepEqual(named, { TableList: [{ Name: 't' }], NextToken: 'more' });
  const typed = await call('GetTables', { DatabaseName: 'd', AttributesToGet: ['NAME', 'TABLE_TYPE'] });
  assert.deepEqual(typed['TableList'], [{ Name: 't', TableType: 'EXTERNAL_TABLE' }]);
});
