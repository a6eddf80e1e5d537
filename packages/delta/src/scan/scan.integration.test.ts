/** What DuckDB reads from tables whose files differ from the schema, against the rows that they must give. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { RowSet } from '../deletion-vectors/index.ts';
import { DeltaTable, field, struct, type StructField, type StructType } from '../index.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { compare, isNull, type Predicate } from '../skip/predicate.ts';
import { scanFiles } from './scan-files.ts';
import {
  close,
  connection,
  engine,
  type FileSpec,
  makeTable,
  rows,
  scanned,
  store,
} from './testing/scan-tables.ts';

after(close);

describe('scans', () => {
  const ids = (from: number, to: number): string =>
    `SELECT i AS id, i % 7 AS k FROM range(${from}, ${to}) AS t(i)`;
  const ID_AND_K = struct({ id: 'long', k: 'long' });
  const every = (step: number, to: number): RowSet =>
    RowSet.fromPositions(Array.from({ length: Math.ceil(to / step) }, (_, at) => at * step));

  describe('with deletion vectors', () => {
    const files: FileSpec[] = [
      { rows: ids(0, 5000), stats: { numRecords: 5000 } },
      { rows: ids(5000, 10000), stats: { numRecords: 5000 }, deleted: RowSet.fromPositions([0, 4999]) },
      { rows: ids(10000, 15000), stats: { numRecords: 5000 }, deleted: every(2, 5000) },
      { rows: ids(15000, 15100), stats: { numRecords: 100 }, deleted: every(1, 100) },
      { rows: ids(16000, 16100), stats: { numRecords: 100 }, deleted: RowSet.fromPositions([1, 2, 3, 5, 8]) },
      { rows: ids(20000, 25000), stats: { numRecords: 5000 }, deleted: RowSet.fromPositions([7, 3000]) },
    ];
    const expected =
      'SELECT id FROM range(0, 25000) AS t(id) WHERE id NOT IN (5000, 9999, 16001, 16002, 16003, 16005, 16008, 20007, 23000) ' +
      'AND NOT (id >= 16100 AND id < 20000) ' +
      'AND NOT (id >= 10000 AND id < 15000 AND id % 2 = 0) AND NOT (id >= 15000 AND id < 16000)';

    it('leaves deleted rows out, whichever way they are written', async () => {
      const { snapshot } = await makeTable({ schema: ID_AND_K, features: ['deletionVectors'], files });
      const scan = await snapshot.scan();
      assert.equal(scan.files.length, 5, 'a file without rows is left out');
      assert.deepEqual(
        await rows(`SELECT id FROM (${scan.sql}) ORDER BY id`),
        await rows(`${expected} ORDER BY id`),
      );
      assert.deepEqual(
        await rows(`SELECT count(*) AS n FROM (${scan.sql}) WHERE k = 3 AND id > 9000`),
        await rows(`SELECT count(*) AS n FROM (${expected}) WHERE id % 7 = 3 AND id > 9000`),
      );
      assert.match(scan.sql, /ANTI JOIN/);
      assert.match(scan.sql, /get_bit/);
      const counting = JSON.stringify(await rows(`EXPLAIN SELECT count(*) FROM (${scan.sql})`));
      assert.match(counting, /READ_PARQUET/);
      assert.doesNotMatch(counting, /_sluice_\d/, 'no column is read to count rows');
      await connection.run(`CREATE OR REPLACE VIEW deleted_rows_view AS ${scan.sql}`);
      assert.deepEqual(await rows('SELECT max(id) AS id FROM deleted_rows_view'), [{ id: '24999' }]);
    });

    it('names the file and the place of each row', async () => {
      const { state, root } = await makeTable({ schema: ID_AND_K, features: ['deletionVectors'], files });
      const all = [...state.files.files()];
      const picked = [4, 1, 2, 0, 5].map((at) => all[at]).filter((file) => file !== undefined);
      const sql = await scanFiles({ io: { store, engine, root } }, state, picked, { rowIds: true });
      const first = ['_sluice_file', '_sluice_row', 'id', 'k'];
      assert.deepEqual(
        (await rows(`DESCRIBE ${sql}`)).map((row) => (row as { column_name: string }).column_name),
        first,
      );
      const wrong = await rows(
        `SELECT * FROM (${sql}) WHERE id <> CAST([16000, 5000, 10000, 0, 20000] AS BIGINT[])[_sluice_file + 1] + _sluice_row`,
      );
      assert.deepEqual(wrong, []);
      assert.deepEqual(
        await rows(`SELECT count(*) AS n FROM (${sql})`),
        await rows(`SELECT count(*) AS n FROM (${expected})`),
      );
    });

    it('reads partitions, few and many', async () => {
      for (const partitions of [3, 40]) {
        const { snapshot } = await makeTable({
          schema: struct({ id: 'long', p: 'integer' }),
          partitionColumns: ['p'],
          features: ['deletionVectors'],
          files: Array.from({ length: partitions }, (_, p) => ({
            rows: `SELECT i AS id FROM range(${p * 10}, ${p * 10 + 10}) AS t(i)`,
            partitionValues: { p: p === 1 ? null : String(p) },
            stats: { numRecords: 10 },
            ...(p % 3 === 0
              ? { deleted: RowSet.fromPositions(p % 2 === 0 ? [1] : [0, 1, 2, 3, 4, 5, 6]) }
              : {}),
          })),
        });
        const alive =
          `SELECT id, if(id // 10 = 1, NULL, id // 10) AS p FROM range(${partitions * 10}) AS t(id) WHERE NOT ` +
          `((id // 10) % 3 = 0 AND if((id // 10) % 2 = 0, id % 10 = 1, id % 10 < 7))`;
        const { sql } = await snapshot.scan();
        assert.deepEqual(
          await rows(`SELECT id, CAST(p AS BIGINT) AS p FROM (${sql}) ORDER BY id`),
          await rows(`${alive} ORDER BY id`),
          `${partitions} partitions`,
        );
      }
    });

    it('refuses a vector that the protocol does not list', async () => {
      const { snapshot } = await makeTable({ schema: ID_AND_K, files });
      await assert.rejects(snapshot.scan(), {
        code: 'corrupt-log',
        message: /does not list deletionVectors/,
      });
    });
  });

  const mapped = (name: string, type: StructField['type'], id: number, physical: string): StructField =>
    field(name, type, {
      metadata: { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': physical },
    });

  describe('with mapped columns', () => {
    const inner = (id: number): StructType =>
      struct([mapped('new name', 'integer', id, 'old'), mapped('y.z', 'string', id + 1, 'p-y')]);
    const schema = struct([
      mapped('a.b "c"', 'long', 1, 'col-1'),
      mapped('nested', inner(11), 2, 'col-2'),
      mapped('list', { type: 'array', elementType: inner(21), containsNull: true }, 3, 'col-3'),
      mapped(
        'map',
        { type: 'map', keyType: 'string', valueType: inner(31), valueContainsNull: true },
        4,
        'col-4',
      ),
      mapped('part ition', 'date', 5, 'col-5'),
    ]);
    const first = `{old: 7::SMALLINT, "p-y": 'y'}`;
    const file: FileSpec = {
      rows:
        `SELECT 1::INTEGER AS "col-1", ${first} AS "col-2", [${first}, NULL] AS "col-3", MAP {'k': ${first}} AS "col-4" ` +
        `UNION ALL SELECT 2, NULL, NULL, NULL`,
      partitionValues: { 'col-5': '2024-02-03' },
      stats: {
        numRecords: 2,
        minValues: { 'col-1': 1 },
        maxValues: { 'col-1': 2 },
        nullCount: { 'col-1': 0 },
      },
    };
    const value = { 'new name': 7, 'y.z': 'y' };
    const expected = [
      {
        'a.b "c"': '1',
        nested: value,
        list: [value, null],
        map: [{ key: 'k', value }],
        'part ition': '2024-02-03',
      },
      { 'a.b "c"': '2', nested: null, list: null, map: null, 'part ition': '2024-02-03' },
    ];

    it('reads by physical names at every depth, and prunes by them', async () => {
      const { snapshot } = await makeTable({
        schema,
        partitionColumns: ['part ition'],
        configuration: { 'delta.columnMapping.mode': 'name' },
        features: ['columnMapping'],
        files: [file],
      });
      assert.deepEqual(await scanned(snapshot), expected);
      const counts = async (predicate: Predicate): Promise<number> =>
        (await snapshot.scan({ predicate })).files.length;
      assert.equal(await counts(compare('a.b "c"', '>', { type: 'integer', value: 2n })), 0);
      assert.equal(await counts(compare('a.b "c"', '>=', { type: 'integer', value: 2n })), 1);
      assert.equal(await counts(isNull('a.b "c"')), 0);
      assert.equal(await counts(compare('part ition', '=', { type: 'date', value: '2024-02-04' })), 0);
      assert.equal(await counts(compare('part ition', '=', { type: 'date', value: '2024-02-03' })), 1);
    });

    it('reads by ids whatever the files call the columns', async () => {
      const options =
        `, FIELD_IDS {x1: 1, x2: {__duckdb_field_id: 2, m: 12, n: 11}, ` +
        `x3: {__duckdb_field_id: 3, element: {__duckdb_field_id: 30, m: 22, n: 21}}, ` +
        `x4: {__duckdb_field_id: 4, key: 40, value: {__duckdb_field_id: 41, m: 32, n: 31}}}`;
      const second = `{m: 'y', n: 7}`;
      const { snapshot } = await makeTable({
        schema,
        partitionColumns: ['part ition'],
        configuration: { 'delta.columnMapping.mode': 'id' },
        features: ['columnMapping'],
        files: [
          {
            rows:
              `SELECT 1 AS x1, ${second} AS x2, [${second}, NULL] AS x3, MAP {'k': ${second}} AS x4 ` +
              `UNION ALL SELECT 2, NULL, NULL, NULL`,
            options,
            partitionValues: { 'col-5': '2024-02-03' },
          },
          // Without ids nothing is found.
          { rows: 'SELECT 3 AS "col-1"', partitionValues: { 'col-5': null } },
        ],
      });
      const nothing = { 'a.b "c"': null, nested: null, list: null, map: null, 'part ition': null };
      assert.deepEqual(await scanned(snapshot, { order: '1' }), [...expected, nothing]);
    });

    it('reads structs of which a file has no member left', async () => {
      const now = struct([mapped('added', 'long', 13, 'p-13')]);
      const { snapshot } = await makeTable({
        schema: struct([mapped('id', 'long', 1, 'p-1'), mapped('s', now, 2, 'p-2')]),
        configuration: { 'delta.columnMapping.mode': 'name', 'delta.columnMapping.maxColumnId': '13' },
        features: ['columnMapping'],
        files: [
          { rows: `SELECT 1 AS "p-1", {"p-11": 5} AS "p-2" UNION ALL SELECT 2, NULL` },
          { rows: `SELECT 3 AS "p-1", {"p-13": 6} AS "p-2"` },
        ],
      });
      assert.deepEqual(await scanned(snapshot), [
        { id: '1', s: { added: null } },
        { id: '2', s: null },
        { id: '3', s: { added: '6' } },
      ]);
    });
  });

  it('widens the narrower types of older files', async () => {
    const widened = (from: string, to: string): { metadata: Record<string, unknown> } => ({
      metadata: { 'delta.typeChanges': [{ fromType: from, toType: to }] },
    });
    const { snapshot } = await makeTable({
      schema: struct([
        field('id', 'long', widened('byte', 'long')),
        field('f', 'double', widened('float', 'double')),
        field('d', 'timestamp_ntz', widened('date', 'timestamp_ntz')),
        field('x', 'decimal(20,5)', widened('decimal(10,2)', 'decimal(20,5)')),
        field('i', 'decimal(12,2)', widened('integer', 'decimal(12,2)')),
        field('s', struct({ a: 'long', l: { type: 'array', elementType: 'integer', containsNull: true } })),
      ]),
      features: ['typeWidening', 'timestampNtz'],
      files: [
        {
          rows:
            `SELECT 1::TINYINT AS id, 0.7::FLOAT AS f, DATE '2020-01-02' AS d, 1.25::DECIMAL(10,2) AS x, 7::INTEGER AS i, ` +
            `{a: 3::SMALLINT, l: [4::TINYINT]} AS s`,
          stats: {
            numRecords: 1,
            minValues: { id: 1, f: 0.7, d: '2020-01-02', x: 1.25, i: 7 },
            maxValues: { id: 1, f: 0.7, d: '2020-01-02', x: 1.25, i: 7 },
            nullCount: { id: 0, f: 0, d: 0, x: 0, i: 0 },
          },
        },
        {
          rows:
            `SELECT 2::BIGINT AS id, 0.5::DOUBLE AS f, TIMESTAMP '2020-01-03 04:05:06' AS d, 2.12345::DECIMAL(20,5) AS x, ` +
            `8.25::DECIMAL(12,2) AS i, {a: 5::BIGINT, l: [6]} AS s`,
        },
      ],
    });
    assert.deepEqual(await scanned(snapshot), [
      {
        id: '1',
        f: Math.fround(0.7),
        d: '2020-01-02 00:00:00',
        x: '1.25000',
        i: '7.00',
        s: { a: '3', l: [4] },
      },
      { id: '2', f: 0.5, d: '2020-01-03 04:05:06', x: '2.12345', i: '8.25', s: { a: '5', l: [6] } },
    ]);
    const files = async (predicate: Predicate): Promise<number> =>
      (await snapshot.scan({ predicate })).files.length;
    // The float's value is below the text that names it.
    assert.equal(await files(compare('f', '<', { type: 'double', value: 0.7 })), 2);
    assert.equal(await files(compare('i', '<', { type: 'integer', value: 7n })), 1);
    assert.equal(await files(compare('d', '<=', { type: 'timestamp_ntz', value: '2020-01-02 00:00:00' })), 2);
    assert.equal(await files(compare('x', '>', { type: 'decimal', value: '1.26' })), 1);
  });

  it('reads nested columns whose files miss members or have them in another order', async () => {
    const item = struct({ a: 'integer', b: 'string', c: 'double' });
    const { snapshot } = await makeTable({
      schema: struct({
        s: item,
        l: { type: 'array', elementType: item, containsNull: true },
        m: { type: 'map', keyType: 'integer', valueType: item, valueContainsNull: true },
        t: struct({ u: struct({ v: 'long', w: 'long' }) }),
      }),
      files: [
        {
          rows: `SELECT {b: 'x', a: 1} AS s, [{b: 'y'}] AS l, MAP {1: {c: 2.5, b: 'z'}} AS m, {u: {w: 1::TINYINT}} AS t`,
        },
        { rows: 'SELECT NULL AS unknown, {a: 9, b: NULL, c: 1} AS s' },
      ],
    });
    assert.deepEqual(await scanned(snapshot), [
      {
        s: { a: 1, b: 'x', c: null },
        l: [{ a: null, b: 'y', c: null }],
        m: [{ key: 1, value: { a: null, b: 'z', c: 2.5 } }],
        t: { u: { v: null, w: '1' } },
      },
      { s: { a: 9, b: null, c: 1 }, l: null, m: null, t: null },
    ]);
  });

  it('reads columns called as those that DuckDB adds, and tables of partition columns only', async () => {
    const { snapshot } = await makeTable({
      schema: struct({ file_row_number: 'long', file_index: 'string', filename: 'string' }),
      features: ['deletionVectors'],
      files: [
        {
          rows: `SELECT i + 100 AS file_row_number, 'x' AS file_index, 'y' AS filename FROM range(3) AS t(i)`,
          stats: { numRecords: 3 },
          deleted: RowSet.fromPositions([1]),
        },
      ],
    });
    const others = { file_index: 'x', filename: 'y' };
    assert.deepEqual(await scanned(snapshot), [
      { file_row_number: '100', ...others },
      { file_row_number: '102', ...others },
    ]);

    const { snapshot: partitions } = await makeTable({
      schema: struct({ p: 'integer' }),
      partitionColumns: ['p'],
      files: [{ rows: 'SELECT 1 AS gone FROM range(2)', partitionValues: { p: '4' } }],
    });
    assert.deepEqual(await scanned(partitions), [{ p: 4 }, { p: 4 }]);
  });

  it('copies the files of a store that is elsewhere, until they are released', async () => {
    const remote = new MemoryStore();
    const options = { store: remote, engine, root: 'far', now: Date.now };
    const table = await DeltaTable.create({ ...options, schema: struct({ id: 'long' }) });
    await table.append({ source: { kind: 'rows', rows: [{ id: 1 }, { id: 2 }] } });
    const scan = await (await table.snapshot()).scan();
    assert.deepEqual(await rows(`SELECT * FROM (${scan.sql}) ORDER BY id`), [{ id: '1' }, { id: '2' }]);
    const [copy] = /'(\/[^']*\.parquet)'/.exec(scan.sql)?.slice(1) ?? [];
    assert.ok(copy !== undefined && existsSync(copy));
    scan.release();
    assert.ok(!existsSync(copy));
  });
});
