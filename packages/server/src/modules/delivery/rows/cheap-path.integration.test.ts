/** The cheap path against the casts: the engine must read the same rows from both, for whatever text gets through. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { DeltaTable, field, LocalStore, type DataType, type StructType } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { SeededRandom } from '../../../adapters/sim/index.ts';
import { requestFor, runOf } from '../testing/runs.ts';
import { BatchEncoder } from './encoder.ts';

const POINT: DataType = {
  type: 'struct',
  fields: [field('x', 'long'), field('when', 'timestamp', { nullable: false })],
};
const COLUMNS: readonly (readonly [string, DataType])[] = [
  ['l', 'long'],
  ['i', 'integer'],
  ['y', 'byte'],
  ['d', 'double'],
  ['f', 'float'],
  ['o', 'boolean'],
  ['s', 'string'],
  ['dt', 'date'],
  ['ts', 'timestamp'],
  ['nz', 'timestamp_ntz'],
  ['m', 'decimal(10,2)'],
  ['w', 'decimal(38,10)'],
  ['b', 'binary'],
  ['p', POINT],
  ['a', { type: 'array', elementType: 'double', containsNull: true }],
  ['ps', { type: 'array', elementType: POINT, containsNull: true }],
  ['k', { type: 'map', keyType: 'string', valueType: 'long', valueContainsNull: true }],
];
const FIELDS = COLUMNS.map(([name, type]) => field(name, type));
/** Values of every kind, plain and awkward; each may stand in any column. */
const VALUES = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-0.0',
  '1',
  '-1',
  '127',
  '128',
  '1.0',
  '1.5',
  '2.5',
  '1e2',
  '1E-2',
  '0.1',
  '0.0000001',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '12345678.12',
  '99999999.99',
  '123456789.125',
  '1234567890123.4567',
  '0.1234567891',
  '12345.1234567891',
  '1e400',
  '-1e39',
  '3.4028236e38',
  '12345678901234567',
  '""',
  '"x"',
  '"1"',
  '"1.5"',
  '"NaN"',
  '"TRUE"',
  '"ü😀"',
  '"\\u00e9"',
  '"\\ud83d\\ude00"',
  '"\\n\\t\\"\\\\\\/"',
  '"\\u0000"',
  '"2024-02-28"',
  '"2024-02-29"',
  '"2023-02-29"',
  '"0001-01-01"',
  '"9999-12-28"',
  '"1500-03-01"',
  '"24-1-1"',
  '"2024-01-02T03:04:05Z"',
  '"2024-01-02 03:04:05"',
  '"2024-01-02T03:04:05.1Z"',
  '"2024-01-02T03:04:05.123456"',
  '"2024-01-02T03:04:05.1234567Z"',
  '"2024-01-02T03:04:05+05:30"',
  '"2024-01-02T23:59:60Z"',
  '1704164645',
  '"AAEC"',
  '"AAE"',
  '[]',
  '[1,2.5]',
  '[null]',
  '["1"]',
  '{}',
  '{"x":1,"when":"2024-01-02T03:04:05Z"}',
  '{"x":1}',
  '{"X":1,"when":0}',
  '{"x":null,"when":"2024-01-02T03:04:05.5Z","more":[{"y":"z"}]}',
  '[{"x":7,"when":"1999-12-01 00:00:00"},null]',
];
const GAPS = ['', ' ', '\t', '\n', '  '];

/** By column, the values that its cast takes. */
const FITTING = new Map(
  COLUMNS.map(([name, type]) => {
    const fits = (value: string): boolean => {
      const encoder = new BatchEncoder(requestFor([field(name, type)]), { rows() {}, rejected() {} });
      encoder.add(runOf([`{"${name}":${value}}`]));
      return encoder.rowCount === 1;
    };
    return [name, VALUES.filter(fits)];
  }),
);

function record(random: SeededRandom): string {
  const gap = (): string => (random.chance(0.85) ? '' : random.pick(GAPS));
  const row = (): string => {
    const members = COLUMNS.filter(() => random.chance(0.15)).map(([name]) => {
      const key = random.chance(0.05) ? name.toUpperCase() : name;
      return `${gap()}"${key}"${gap()}:${gap()}${random.pick(random.chance(0.97) ? FITTING.get(name)! : VALUES)}${gap()}`;
    });
    if (random.chance(0.1)) members.push(`"stranger":${random.pick(VALUES)}`);
    return `{${members.join(',')}}`;
  };
  return Array.from({ length: random.chance(0.8) ? 1 : 3 }, row).join(gap());
}

function encode(data: readonly string[], options: { rewriteAll: boolean; file: string }): BatchEncoder {
  const parts: Buffer[] = [];
  const encoder = new BatchEncoder(requestFor(FIELDS, { rewriteAll: options.rewriteAll }), {
    rows: (bytes) => parts.push(Buffer.from(bytes)),
    rejected: () => {},
  });
  encoder.add(runOf(data));
  encoder.flush();
  writeFileSync(options.file, Buffer.concat(parts));
  return encoder;
}

test('rows that go on as they are mean what the casts make of them', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-cheap-path-'));
  const engine = await DuckDbEngine.create({ threads: 2 });
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run("SET TimeZone = 'UTC'");
  t.after(async () => {
    connection.closeSync();
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const schema: StructType = { type: 'struct', fields: FIELDS };
  const random = new SeededRandom(7);
  const singles = COLUMNS.flatMap(([name]) => VALUES.map((value) => `{"${name}":${value}}`));
  const data = [...singles, ...Array.from({ length: 10_000 }, () => record(random))];

  const read = async (
    rewriteAll: boolean,
  ): Promise<{ rows: object[]; encoder: BatchEncoder; text: string }> => {
    const file = join(directory, `${rewriteAll}.ndjson`);
    const encoder = encode(data, { rewriteAll, file });
    const store = new LocalStore(join(directory, String(rewriteAll)));
    const table = await DeltaTable.create({ store, engine, root: '', now: () => 0, schema });
    const result = await table.append({ source: { kind: 'ndjson', file } });
    assert.equal(result.kind === 'committed' && result.rows, encoder.rowCount);
    // As text: JSON has neither NaN nor all longs.
    const columns = COLUMNS.map(([name]) => `CAST("${name}" AS VARCHAR) AS "${name}"`).join(', ');
    const { sql } = await (await table.snapshot()).scan();
    const rows = (await connection.runAndReadAll(`SELECT ${columns} FROM (${sql})`)).getRowObjectsJson();
    return { rows, encoder, text: readFileSync(file, 'utf8') };
  };
  const [cheap, cast] = [await read(false), await read(true)];
  assert.deepEqual([...cheap.encoder.rejectedOffsets], [...cast.encoder.rejectedOffsets]);
  assert.equal(cheap.encoder.fieldsIgnored, cast.encoder.fieldsIgnored);
  assert.equal(cheap.rows.length, cast.rows.length);
  const [cheapLines, castLines] = [cheap.text.split('\n'), cast.text.split('\n')];
  cheap.rows.forEach((row, at) =>
    assert.deepEqual(row, cast.rows[at], `${cheapLines[at]} and ${castLines[at]}`),
  );
  const passedOn = cheapLines.filter((line, at) => line !== castLines[at]).length;
  assert.ok(passedOn > 500, `only ${passedOn} rows took the cheap path in a form of their own`);
});
