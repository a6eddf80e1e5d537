/**
 * Tables as other writers leave them, in the forms of the acceptance tests and golden tables of Delta's other readers:
 * each is read right, or refused by the name of what is missing.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Action, AddFile, ProtocolAction } from '../log/actions.ts';
import { encodeCommit } from '../log/commit-file.ts';
import { field, struct } from '../schema/types.ts';
import { appendRows } from '../write/append.ts';
import { readRows } from './read.ts';
import type { Row, RowOptions } from './select.ts';
import { HandMadeTable, type TableDefinition } from './testing/hand-made-table.ts';

const tables: HandMadeTable[] = [];
after(async () => {
  for (const table of tables) await table.close();
});

async function handMade(definition: TableDefinition): Promise<HandMadeTable> {
  const table = await HandMadeTable.create(definition);
  tables.push(table);
  return table;
}

async function rowsOf(table: HandMadeTable, options: RowOptions = {}): Promise<Row[]> {
  const rows: Row[] = [];
  const state = await table.context.refresh();
  for await (const row of readRows(table.context, state, options)) rows.push(row);
  return rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

const ID = struct([field('id', 'integer')]);

function lists(readerFeatures: string[], writerFeatures: string[] = readerFeatures): ProtocolAction {
  return { minReaderVersion: 3, minWriterVersion: 7, readerFeatures, writerFeatures };
}

/** Members that this library does not know, as other writers add them. */
function foreign(action: object): Action {
  return action;
}

async function oneFile(table: HandMadeTable, members: object = {}): Promise<AddFile> {
  const add = await table.write([{ id: 1 }, { id: 2 }], { schema: ID });
  return { ...add, ...members };
}

describe('a table that needs what this library lacks', () => {
  it('is refused for reading by the feature, staged commits and all', async () => {
    for (const feature of ['catalogManaged', 'catalogOwned-preview', 'newInOtherWriters']) {
      const table = await handMade({ schema: ID });
      await table.commit([
        { protocol: lists([feature, 'vacuumProtocolCheck'], [feature, 'inCommitTimestamp']) },
      ]);
      const { store } = table.context.io;
      const staged = 't/_delta_log/_staged_commits/00000000000000000002.6f1d.json';
      await store.put(staged, encodeCommit([{ add: await oneFile(table) }]));
      await assert.rejects(rowsOf(table), { code: 'unsupported-feature', message: new RegExp(feature) });
    }
  });

  it('is not refused for a directory of staged commits that no feature stands for', async () => {
    const table = await handMade({ schema: ID });
    await table.commit([{ add: await oneFile(table) }]);
    const stray = 't/_delta_log/_staged_commits/00000000000000000002.6f1d.json';
    await table.context.io.store.put(stray, encodeCommit([{ add: await oneFile(table) }]));
    assert.deepEqual(await rowsOf(table), [{ id: 1 }, { id: 2 }]);
  });

  it('is read, but refused for writing, where only writers need the feature', async () => {
    const source = { kind: 'rows' as const, rows: [{ id: 3 }] };
    const cases: [feature: string, configuration: Record<string, string>][] = [
      ['collations', {}],
      ['rowTracking', { 'delta.enableRowTracking': 'true' }],
      ['icebergCompatV1', { 'delta.enableIcebergCompatV1': 'true', 'delta.columnMapping.mode': 'name' }],
      ['icebergCompatV2', { 'delta.enableIcebergCompatV2': 'true', 'delta.columnMapping.mode': 'name' }],
      ['checkpointProtection', {}],
      ['materializePartitionColumns', {}],
    ];
    for (const [feature, configuration] of cases) {
      const isMapped = configuration['delta.columnMapping.mode'] !== undefined;
      const mapping = { 'delta.columnMapping.id': 1, 'delta.columnMapping.physicalName': 'id' };
      const schema = isMapped ? struct([field('id', 'integer', { metadata: mapping })]) : ID;
      const protocol = lists(isMapped ? ['columnMapping'] : [], [
        feature,
        'domainMetadata',
        ...(isMapped ? ['columnMapping'] : []),
      ]);
      const table = await handMade({ schema, configuration, protocol });
      const add = { ...(await oneFile(table)), baseRowId: 0, defaultRowCommitVersion: 1 };
      const mark = { domain: 'delta.rowTracking', configuration: '{"rowIdHighWaterMark":1}', removed: false };
      await table.commit([foreign({ add }), { domainMetadata: mark }]);
      assert.deepEqual(await rowsOf(table), [{ id: 1 }, { id: 2 }], feature);
      const refused = { code: 'unsupported-feature', message: new RegExp(feature) };
      await assert.rejects(appendRows(table.context, { source }), refused);
    }
  });

  it('is refused by what is missing of its log', async () => {
    const withoutProtocol = await handMade({ schema: ID });
    const { store } = withoutProtocol.context.io;
    const first = 't/_delta_log/00000000000000000000.json';
    await store.put(first, encodeCommit([withoutProtocol.definition({ schema: ID })]));
    await assert.rejects(rowsOf(withoutProtocol), { code: 'corrupt-log', message: /protocol/ });
    await store.put(first, encodeCommit([{ protocol: { minReaderVersion: 1, minWriterVersion: 2 } }]));
    await assert.rejects(rowsOf(withoutProtocol), { code: 'corrupt-log', message: /meta ?data/i });
  });

  it('is refused for files behind addresses of another store', async () => {
    const table = await handMade({ schema: ID });
    await table.commit([{ add: await oneFile(table, { path: 'https://store/x.parquet?signature=a%2Fb' }) }]);
    await assert.rejects(rowsOf(table), { code: 'unsupported-feature', message: /https/ });
  });
});

describe('actions of other writers', () => {
  it('may have members and kinds that this library does not know, and null for what is absent', async () => {
    const table = await handMade({ schema: ID });
    const add = await oneFile(table, {
      deletionVector: null,
      tags: null,
      baseRowId: null,
      stats: null,
      x: { y: 1 },
    });
    await table.commit([
      foreign({ add, remove: null, metaData: null }),
      foreign({ someFutureAction: { a: 1 } }),
      foreign({ commitInfo: { operation: 'Manual Update', isolationLevel: null, tags: {} } }),
    ]);
    assert.deepEqual(await rowsOf(table), [{ id: 1 }, { id: 2 }]);
  });

  it('may have statistics that say nothing, or are no JSON', async () => {
    for (const stats of [
      '',
      '{}',
      'garbage',
      '[]',
      'null',
      '{"numRecords":"2"}',
      '{"minValues":5,"maxValues":{"id":[1]}}',
    ]) {
      const table = await handMade({ schema: ID });
      await table.commit([{ add: await oneFile(table, { stats }) }]);
      assert.deepEqual(await rowsOf(table, { where: 'id = 2' }), [{ id: 2 }], stats);
      await table.context.refresh();
    }
  });

  it('may add a file again, with other statistics, and take it away and add it again', async () => {
    const table = await handMade({ schema: ID });
    const add = await oneFile(table);
    await table.commit([{ add }]);
    await table.commit([{ add: { ...add, dataChange: false, stats: '{"numRecords":2}' } }]);
    assert.deepEqual(await rowsOf(table), [{ id: 1 }, { id: 2 }]);
    await table.commit([{ remove: { path: add.path, deletionTimestamp: 1, dataChange: true } }]);
    assert.deepEqual(await rowsOf(table), []);
    await table.commit([{ add }]);
    assert.deepEqual(await rowsOf(table), [{ id: 1 }, { id: 2 }]);
    assert.equal((await table.context.refresh()).files.count, 1);
  });

  it('may leave partition values out, which is NULL', async () => {
    const schema = struct([field('id', 'integer'), field('p', 'string'), field('q', 'integer')]);
    const table = await handMade({ schema, partitionColumns: ['p', 'q'] });
    await table.commit([{ add: await oneFile(table, { partitionValues: { p: 'null' } }) }]);
    assert.deepEqual(await rowsOf(table, { where: `q IS NULL AND p = 'null' AND id = 1` }), [
      { id: 1, p: 'null', q: null },
    ]);
  });
});

describe('partition values of other writers', () => {
  const schema = struct([
    field('id', 'integer'),
    field('s', 'string'),
    field('l', 'long'),
    field('y', 'byte'),
    field('f', 'float'),
    field('d', 'double'),
    field('o', 'boolean'),
    field('t', 'date'),
    field('z', 'timestamp'),
    field('n', 'timestamp_ntz'),
    field('c', 'decimal(10,2)'),
    field('b', 'binary'),
  ]);
  const partitionColumns = schema.fields.slice(1).map(({ name }) => name);
  const micros = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;
  const cases: [values: Record<string, string | null>, expected: Record<string, unknown>][] = [
    [
      {
        s: 'special chars: /=:%"',
        l: '9223372036854775807',
        y: '127',
        f: '3.4028235E38',
        d: '-1.7976931348623157E308',
      },
      {
        s: 'special chars: /=:%"',
        l: 2n ** 63n - 1n,
        y: 127,
        f: 3.4028234663852886e38,
        d: -1.7976931348623157e308,
      },
    ],
    [
      {
        o: 'true',
        t: '0001-01-01',
        z: '2000-01-01T00:00:00.000000Z',
        n: '2000-06-15 12:00:00.000001',
        c: '-0.05',
      },
      {
        o: true,
        t: '0001-01-01',
        z: micros('2000-01-01T00:00:00Z'),
        n: micros('2000-06-15T12:00:00Z') + 1n,
        c: '-0.05',
      },
    ],
    [
      {
        t: '9999-12-31',
        z: '2021-09-08 11:11:11',
        n: '1969-12-31 23:59:59.999999',
        f: '0.0',
        d: '1.0',
        c: '0',
      },
      { t: '9999-12-31', z: micros('2021-09-08T11:11:11Z'), n: -1n, f: 0, d: 1, c: '0.00' },
    ],
    [
      { b: 'Hi\u{1F608}', f: 'NaN', d: '-Infinity', y: '-128', l: '-9223372036854775808', s: '' },
      { b: Buffer.from('Hi\u{1F608}'), f: NaN, d: -Infinity, y: -128, l: -(2n ** 63n), s: null },
    ],
    [
      {
        s: '__HIVE_DEFAULT_PARTITION__',
        b: 'a\\b',
        z: '0001-01-01 00:00:00',
        n: '9999-12-31 23:59:59.999999',
      },
      {
        s: '__HIVE_DEFAULT_PARTITION__',
        b: Buffer.from('a\\b'),
        z: micros('0001-01-01T00:00:00Z'),
        n: micros('9999-12-31T23:59:59Z') + 999_999n,
      },
    ],
  ];

  it('mean what their texts say, to the last digit, as constants and as a list', async () => {
    for (const copies of [1, 20]) {
      const table = await handMade({ schema, partitionColumns, protocol: lists(['timestampNtz']) });
      const adds: Action[] = [];
      for (let copy = 0; copy < copies; copy += 1) {
        for (const [partitionValues] of cases) adds.push({ add: await oneFile(table, { partitionValues }) });
      }
      await table.commit(adds);
      for (const [values, expected] of cases) {
        const name = Object.keys(values)[0] as string;
        const where = values[name] === '' ? `${name} IS NULL` : `${name} IS NOT NULL`;
        const rows = await rowsOfMicros(table, where);
        const own = rows.filter((row) =>
          Object.entries(expected).every(([column, value]) => isSame(row[column], value)),
        );
        assert.equal(own.length, 2 * copies, JSON.stringify(values));
        const others = partitionColumns.filter((column) => !Object.hasOwn(expected, column));
        for (const column of others) assert.equal(own[0]?.[column], null, column);
      }
    }
  });

  async function rowsOfMicros(table: HandMadeTable, where: string): Promise<Row[]> {
    const rows: Row[] = [];
    const state = await table.context.refresh();
    for await (const row of readRows(table.context, state, { where, timestamps: 'micros' })) rows.push(row);
    return rows;
  }

  function isSame(found: unknown, expected: unknown): boolean {
    if (expected instanceof Uint8Array) {
      return found instanceof Uint8Array && Buffer.compare(found, expected) === 0;
    }
    return Object.is(found, expected);
  }

  it('that their types can’t have written are refused, with the value', async () => {
    const wrong = { l: '1.5', t: '2020-13-45x', o: 'yes', z: 'yesterday', f: '1e', c: 'abc' };
    for (const [name, text] of Object.entries(wrong)) {
      const table = await handMade({ schema, partitionColumns, protocol: lists(['timestampNtz']) });
      await table.commit([{ add: await oneFile(table, { partitionValues: { [name]: text } }) }]);
      const refused = { code: 'corrupt-log', message: new RegExp(text.replace('.', '\\.')) };
      await assert.rejects(rowsOf(table), refused, name);
    }
  });
});

describe('statistics that are cut', () => {
  it('to milliseconds, or to a prefix, leave out no file that has a row', async () => {
    const schema = struct([field('moment', 'timestamp'), field('text', 'string')]);
    const table = await handMade({ schema });
    const rows = [
      { moment: '2026-01-01T00:00:04.000500Z', text: `${'x'.repeat(32)}z` },
      { moment: '2026-01-01T00:00:03.999500Z', text: 'x' },
    ];
    const add = await table.write(rows, { schema });
    const stats = {
      numRecords: 2,
      minValues: { moment: '2026-01-01T00:00:03.999Z', text: 'x' },
      maxValues: { moment: '2026-01-01T00:00:04.000Z', text: `${'x'.repeat(32)}\u{10FFFF}` },
      nullCount: { moment: 0, text: 0 },
      tightBounds: false,
    };
    await table.commit([{ add: { ...add, stats: JSON.stringify(stats) } }]);
    const late = `moment > TIMESTAMPTZ '2026-01-01 00:00:04.0002+00'`;
    for (const where of [late, `text > '${'x'.repeat(32)}y'`, `moment = '2026-01-01T00:00:04.000500Z'`]) {
      assert.equal((await rowsOf(table, { where })).length, 1, where);
    }
  });
});

describe('columns that are called as those that engines add', () => {
  it('are columns like others', async () => {
    const names = [
      '_metadata',
      '_change_type',
      '_commit_version',
      'filename',
      'file_row_number',
      '__index_level_0__',
    ];
    const schema = struct(names.map((name) => field(name, 'integer')));
    const table = await handMade({ schema, protocol: { minReaderVersion: 1, minWriterVersion: 2 } });
    const row = Object.fromEntries(names.map((name, at) => [name, at]));
    await table.commit([{ add: await table.write([row], { schema }) }]);
    assert.deepEqual(await rowsOf(table, { where: '_metadata = 0 AND filename = 3' }), [row]);
  });
});

describe('a table without anything in it', () => {
  it('has no rows; without columns it says so', async () => {
    assert.deepEqual(await rowsOf(await handMade({ schema: ID })), []);
    for (const schemaString of ['', '{"type":"struct","fields":[]}']) {
      const table = await handMade({ schema: ID });
      const { metaData } = table.definition({ schema: ID });
      assert.ok(metaData);
      await table.commit([{ metaData: { ...metaData, schemaString } }]);
      const error: unknown = await rowsOf(table).catch((cause: unknown) => cause);
      assert.ok(error instanceof Error && error.name === 'DeltaError', `${schemaString}: ${String(error)}`);
    }
  });
});
