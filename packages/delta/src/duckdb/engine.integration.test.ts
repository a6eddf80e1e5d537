/** Tables written through DuckDB, read back by DuckDB and by a reader that shares no code with it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { parquetReadObjects } from 'hyparquet';
import {
  DeltaTable,
  field,
  isDeltaError,
  LocalStore,
  type Snapshot,
  struct,
  type StructType,
} from '../index.ts';
import { MemoryStore } from '../testing/index.ts';
import { DuckDbEngine } from './index.ts';

let directory: string;
let store: LocalStore;
let engine: DuckDbEngine;
let connection: DuckDBConnection;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-engine-'));
  store = new LocalStore(directory);
  engine = await DuckDbEngine.create({ threads: 2, memoryLimit: '1GB' });
  connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
  await connection.run(`SET TimeZone = 'America/New_York'`);
});
after(async () => {
  await engine.close();
  connection.closeSync();
  rmSync(directory, { recursive: true, force: true });
});

let tables = 0;
function create(schema: StructType, partitionColumns: string[] = []): Promise<DeltaTable> {
  tables += 1;
  return DeltaTable.create({ store, engine, root: `t${tables}`, schema, partitionColumns, now: Date.now });
}

function ndjson(...lines: string[]): { kind: 'ndjson'; file: string } {
  const file = join(directory, `source-${(tables += 1)}.ndjson`);
  writeFileSync(file, lines.join('\n'));
  return { kind: 'ndjson', file };
}

async function rowsOf(snapshot: Snapshot, order = '1'): Promise<Record<string, unknown>[]> {
  const sql = `SELECT * FROM (${(await snapshot.scan()).sql}) ORDER BY ${order}`;
  return (await connection.runAndReadAll(sql)).getRowObjectsJson();
}

const EVERY_TYPE = struct({
  id: 'long',
  i: 'integer',
  s: 'short',
  b: 'byte',
  f: 'float',
  d: 'double',
  ok: 'boolean',
  bin: 'binary',
  day: 'date',
  at: 'timestamp',
  local: 'timestamp_ntz',
  dec: 'decimal(38,10)',
  text: 'string',
  st: struct({ x: 'integer', inner: struct({ amount: 'decimal(20,5)', raw: 'binary' }) }),
  list: { type: 'array', elementType: 'decimal(10,2)', containsNull: true },
  map: { type: 'map', keyType: 'string', valueType: 'binary', valueContainsNull: true },
});

const EVERY_VALUE = {
  id: 9223372036854775807n,
  i: -2147483648,
  s: 32767,
  b: -128,
  f: 1.5,
  d: 0.1,
  ok: true,
  bin: Buffer.from([0, 255, 10]),
  day: '2024-02-29',
  at: new Date('2024-02-29T12:34:56.789Z'),
  local: '2024-02-29 12:34:56.789123',
  dec: '1234567890123456789012345678.0123456789',
  text: 'é\u{1F680}\n"quoted"',
  st: { x: 1, inner: { amount: '123456789012345.12345', raw: Buffer.from('hi') } },
  list: ['1.10', null, '-2.25'],
  map: new Map<string, unknown>([
    ['k', Buffer.from('v')],
    ['n', null],
  ]),
};

describe('values of every type', () => {
  it('come back as they were, from rows and from NDJSON', async () => {
    const table = await create(EVERY_TYPE);
    await table.append({ source: { kind: 'rows', rows: [EVERY_VALUE, { id: 1 }] } });
    const [empty, full] = await rowsOf(await table.snapshot());
    assert.deepEqual(full, {
      id: '9223372036854775807',
      i: -2147483648,
      s: 32767,
      b: -128,
      f: 1.5,
      d: 0.1,
      ok: true,
      bin: '\\x00\\xFF\\x0A',
      day: '2024-02-29',
      at: '2024-02-29 12:34:56.789+00',
      local: '2024-02-29 12:34:56.789123',
      dec: '1234567890123456789012345678.0123456789',
      text: 'é\u{1F680}\n"quoted"',
      st: { x: 1, inner: { amount: '123456789012345.12345', raw: 'hi' } },
      list: ['1.10', null, '-2.25'],
      map: [
        { key: 'k', value: 'v' },
        { key: 'n', value: null },
      ],
    });
    assert.deepEqual(
      Object.values(empty ?? {}).filter((value) => value !== null),
      ['1'],
    );
  });

  it('are read by hyparquet from the files that the log names', async () => {
    const table = await create(EVERY_TYPE);
    await table.append({ source: { kind: 'rows', rows: [EVERY_VALUE] } });
    const [file] = (await table.snapshot()).files();
    const bytes = readFileSync(store.localPath(`t${tables}/${decodeURIComponent(file?.path ?? '')}`));
    const [row] = await parquetReadObjects({
      file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
      utf8: false,
    });
    assert.ok(row);
    assert.equal(row.id, 9223372036854775807n);
    assert.equal(row.text, EVERY_VALUE.text);
    assert.deepEqual(row.at, EVERY_VALUE.at);
    assert.equal(row.day instanceof Date && row.day.toISOString().slice(0, 10), EVERY_VALUE.day);
    assert.deepEqual([...(row.bin as Uint8Array)], [0, 255, 10]);
    assert.deepEqual([row.i, row.s, row.b, row.f, row.d, row.ok], [-2147483648, 32767, -128, 1.5, 0.1, true]);
    assert.equal((row.st as { x: number }).x, 1);
    assert.deepEqual(row.list, [1.1, null, -2.25]);
  });

  it('keep digits, statistics and special numbers', async () => {
    const table = await create(struct({ d: 'double', x: 'decimal(10,2)', n: 'long', t: 'timestamp' }));
    await table.append({
      source: ndjson(
        '{"d":"NaN","x":1.005,"n":9007199254740993}',
        '{"d":"-Infinity","x":"2","t":"1969-12-31T23:59:59.999999Z"}',
      ),
    });
    const snapshot = await table.snapshot();
    const [file] = snapshot.files();
    assert.equal(
      file?.stats,
      '{"numRecords":2,"minValues":{"x":1.01,"n":9007199254740993,"t":"1969-12-31T23:59:59.999999Z"},"maxValues":{"x":2.00,"n":9007199254740993,"t":"1969-12-31T23:59:59.999999Z"},"nullCount":{"d":0,"x":0,"n":1,"t":1}}',
    );
    assert.deepEqual(
      (await rowsOf(snapshot, 'd')).map((row) => row.d),
      ['-Infinity', 'NaN'],
    );
  });
});

describe('bad rows', () => {
  it('are refused with the table as it was, and no file left behind', async () => {
    const schema = struct([
      field('id', 'long', { nullable: false }),
      field('s', struct([field('x', 'long', { nullable: false })])),
      field('l', { type: 'array', elementType: 'long', containsNull: false }),
    ]);
    const table = await create(schema);
    const root = `t${tables}`;
    const nulls = ['{}', '{"id":null}', '{"id":1,"s":{}}', '{"id":1,"l":[1,null]}'];
    for (const line of nulls)
      await assert.rejects(table.append({ source: ndjson(line) }), { code: 'not-null' }, line);
    const bad = ['{"id":"x"}', '{"id":1', '[1]', '{"id":99999999999999999999}', '{"id":1,"s":5}'];
    for (const line of bad)
      await assert.rejects(table.append({ source: ndjson(line) }), { code: 'invalid-data' }, line);
    await assert.rejects(table.append({ source: { kind: 'ndjson', file: join(directory, 'none*') } }), {
      code: 'not-found',
    });
    await assert.rejects(table.append({ source: { kind: 'sql', sql: 'SELECT 1 AS id, NULL AS s' } }), {
      code: 'invalid-data',
      message: 'the SELECT of the source has no column "l"',
    });
    assert.equal(
      (await table.append({ source: ndjson('{"id":1,"s":{"x":1},"l":[]}', '{"id":2,"unknown":1}') })).kind,
      'committed',
    );
    const paths: string[] = [];
    for await (const { path } of store.list(`${root}/`)) paths.push(path);
    assert.equal(paths.length, 3, 'two commits and one data file');
  });
});

describe('partitions', () => {
  it('take every text, and read back as they were', async () => {
    const texts = [
      'plain',
      'a b',
      'a%20b',
      "it's",
      'é/\\?#*[x]=',
      '{"j":1}',
      '__HIVE_DEFAULT_PARTITION__',
      ' ',
      '\u{1F680}',
      'y'.repeat(400),
    ];
    const table = await create(struct({ id: 'long', p: 'string' }), ['p']);
    const rows = [...texts, '', null].map((p, id) => ({ id, p }));
    const result = await table.append({ source: { kind: 'rows', rows } });
    assert.deepEqual(
      [result.kind, result.kind === 'committed' && result.files],
      ['committed', texts.length + 1],
    );
    const expected = rows.map(({ id, p }) => ({ id: String(id), p: p === '' ? null : p }));
    assert.deepEqual(await rowsOf(await table.snapshot(), 'id'), expected);
  });

  it('take every type', async () => {
    const schema = struct({
      id: 'long',
      n: 'integer',
      d: 'double',
      x: 'decimal(10,2)',
      ok: 'boolean',
      day: 'date',
      at: 'timestamp',
      local: 'timestamp_ntz',
    });
    const table = await create(schema, ['n', 'd', 'x', 'ok', 'day', 'at', 'local']);
    const row = {
      id: 1,
      n: -5,
      d: 1.5,
      x: '1.10',
      ok: false,
      day: '2020-01-02',
      at: '2020-01-02T03:04:05.000006Z',
      local: '2020-01-02 03:04:05',
    };
    const odd = { id: 2, d: Number.NaN };
    const endless = { id: 3, d: -Infinity };
    await table.append({ source: { kind: 'rows', rows: [row, odd, endless] } });
    const snapshot = await table.snapshot();
    assert.deepEqual([...snapshot.files()].find((file) => file.partitionValues.n === '-5')?.partitionValues, {
      n: '-5',
      d: '1.5',
      x: '1.10',
      ok: 'false',
      day: '2020-01-02',
      at: '2020-01-02T03:04:05.000006Z',
      local: '2020-01-02 03:04:05.000000',
    });
    const read = await rowsOf(snapshot, 'id');
    assert.deepEqual(read[0], {
      id: '1',
      n: -5,
      d: 1.5,
      x: '1.10',
      ok: false,
      day: '2020-01-02',
      at: '2020-01-02 03:04:05.000006+00',
      local: '2020-01-02 03:04:05',
    });
    assert.deepEqual(
      read.slice(1).map(({ d, at }) => [d, at]),
      [
        ['NaN', null],
        ['-Infinity', null],
      ],
    );
  });

  it('read the same as a union and as a list', async () => {
    const table = await create(struct({ id: 'long', p: 'integer' }), ['p']);
    for (const count of [10, 40]) {
      const rows = Array.from({ length: count }, (_, id) => ({ id, p: id }));
      await table.append({ source: { kind: 'rows', rows } });
    }
    const snapshot = await table.snapshot();
    const version1 = await table.snapshot({ version: 1 });
    assert.match((await version1.scan()).sql, /UNION ALL/);
    assert.doesNotMatch((await snapshot.scan()).sql, /UNION ALL/);
    for (const [read, count] of [
      [version1, 10],
      [snapshot, 50],
    ] as const) {
      const rows = await rowsOf(read, 'id');
      assert.equal(rows.length, count);
      assert.ok(rows.every((row) => Number(row.id) === row.p));
    }
  });
});

describe('scans', () => {
  it('give older files’ missing columns as NULL, and nothing for no files', async () => {
    const table = await create(struct({ id: 'long', s: struct({ a: 'long' }) }));
    assert.deepEqual(await rowsOf(await table.snapshot()), []);
    await table.append({ source: ndjson('{"id":1,"s":{"a":1}}') });
    await table.append({ source: ndjson('{"id":2,"v":"x"}'), addColumns: [field('v', 'string')] });
    assert.deepEqual(await rowsOf(await table.snapshot()), [
      { id: '1', s: { a: '1' }, v: null },
      { id: '2', s: null, v: 'x' },
    ]);
  });

  it('have a stub that keeps a query’s filters in its plan', async () => {
    const table = await create(struct({ id: 'long', p: 'string' }), ['p']);
    const { stubSql } = await (await table.snapshot()).scan();
    assert.deepEqual((await connection.runAndReadAll(stubSql)).getRowObjectsJson(), []);
    const explained = await connection.runAndReadAll(
      `EXPLAIN (FORMAT json) SELECT count(*) FROM (${stubSql}) WHERE id > 5 AND p = 'x'`,
    );
    const plan = JSON.stringify(explained.getRowsJson());
    assert.match(plan, /id>5/);
    assert.match(plan, /p='x'/);
  });

  it('pass no name or value to SQL unquoted', async () => {
    const name = `x"'--`;
    const table = await create(struct({ [name]: 'string', [`p'"`]: 'string' }), [`p'"`]);
    await table.append({ source: { kind: 'rows', rows: [{ [name]: `'; --`, [`p'"`]: `'); --` }] } });
    assert.deepEqual(await rowsOf(await table.snapshot()), [{ [name]: `'; --`, [`p'"`]: `'); --` }]);
  });
});

describe('checkpoints in Parquet', () => {
  it('rebuild the table, and a store without local files serves as well', async () => {
    for (const options of [
      { store: new MemoryStore(), root: 'm' },
      { store, root: `t${(tables += 1)}` },
    ]) {
      const all = { ...options, engine, now: Date.now };
      const table = await DeltaTable.create({
        ...all,
        schema: struct({ id: 'long', p: 'string' }),
        partitionColumns: ['p'],
        properties: { 'delta.checkpointInterval': '2', note: 'x' },
      });
      for (let at = 1; at <= 5; at += 1) {
        await table.append({
          source: { kind: 'rows', rows: [{ id: at, p: at % 2 === 0 ? null : 'a%b' }] },
          txns: [{ appId: 'app', version: at }],
        });
      }
      const expected = await table.snapshot();
      for (let version = 0; version < 4; version += 1)
        await options.store.delete(`${options.root}/_delta_log/${String(version).padStart(20, '0')}.json`);
      const reopened = await (await DeltaTable.open(all)).snapshot();
      assert.deepEqual(
        [...reopened.files()].map((file) => [file.path, file.stats, file.partitionValues]),
        [...expected.files()].map((file) => [file.path, file.stats, file.partitionValues]),
      );
      assert.deepEqual(
        [reopened.version, reopened.txnVersion('app'), reopened.properties, reopened.schema],
        [5, 5, expected.properties, expected.schema],
      );
      await assert.rejects((await DeltaTable.open(all)).snapshot({ version: 1 }), (error) =>
        isDeltaError(error, 'version-not-found'),
      );
    }
  });
});
