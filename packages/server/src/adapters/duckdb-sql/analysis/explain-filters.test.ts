import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Condition } from '../../../ports/sql-engine.ts';
import { conditionsOf, parseFilter, stubColumn, type StubTable } from './explain-filters.ts';

const TYPES: Readonly<Record<string, string>> = {
  id: 'BIGINT',
  name: 'VARCHAR',
  day: 'DATE',
  moment: 'TIMESTAMP',
  instant: 'TIMESTAMP WITH TIME ZONE',
  price: 'DECIMAL(10,2)',
  ok: 'BOOLEAN',
  ratio: 'DOUBLE',
  single: 'FLOAT',
  part: 'STRUCT(x INTEGER)',
};
const COLUMNS = Object.entries(TYPES).map(([name, type]) => ({ name, type }));
const TABLES: readonly StubTable[] = [
  { columns: COLUMNS, references: 1 },
  { columns: COLUMNS, references: 1 },
];

const directory = mkdtempSync(join(tmpdir(), 'sluice-explain-'));
const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
after(() => {
  connection.disconnectSync();
  rmSync(directory, { recursive: true });
});
const stub = join(directory, 'stub.parquet');
await connection.run(
  `SET TimeZone = 'UTC'; COPY (SELECT 1 AS none WHERE false) TO '${stub}' (FORMAT parquet)`,
);
for (const [at, table] of ['t', 'u'].entries()) {
  const schema = COLUMNS.map(
    ({ type }, column) =>
      `'${stubColumn(at, column)}': {name: '${stubColumn(at, column)}', type: '${type}', default_value: NULL}`,
  );
  const list = COLUMNS.map(({ name }, column) => `${stubColumn(at, column)} AS ${name}`);
  await connection.run(
    `CREATE VIEW ${table} AS SELECT ${list.join(', ')} FROM read_parquet(['${stub}'], schema = MAP {${schema.join(', ')}})`,
  );
}

async function conditions(sql: string, references = [1, 1]): Promise<(Condition | undefined)[]> {
  const reader = await connection.runAndReadAll(`EXPLAIN (FORMAT json) ${sql}`);
  const tables = TABLES.map((table, at) => ({ ...table, references: references[at]! }));
  return conditionsOf(String(reader.getRows()[0]![1]), tables);
}

/** `(id >= 5 and id < 7)` */
function text(condition: Condition | undefined): string | undefined {
  if (condition === undefined) return undefined;
  switch (condition.kind) {
    case 'and':
    case 'or':
      return `(${condition.conditions.map(text).join(` ${condition.kind} `)})`;
    case 'compare': {
      const { column, operator, value } = condition;
      return `${column} ${operator} ${value.type}:${'text' in value ? value.text : value.value}`;
    }
    default:
      return `${condition.column} ${condition.kind}`;
  }
}

const FORMS: Readonly<Record<string, string | undefined>> = {
  'id > 5': 'id > number:5',
  'id = -5': 'id = number:-5',
  'id > 5 AND id <= 10': '(id > number:5 and id <= number:10)',
  "id BETWEEN 5 AND 6 AND name = 'x'": '((id >= number:5 and id <= number:6) and name = string:x)',
  'id + 1 = 5': 'id = number:4',
  'id IN (1, 2, 99)': '(id = number:1 or id = number:2 or id = number:99)',
  'id = 1 OR id = 5': '(id = number:1 or id = number:5)',
  "name = 'it''s AND t0_0=5'": "name = string:it's AND t0_0=5",
  "name IN ('a', 'b, c')": '(name = string:a or name = string:b, c)',
  "name LIKE 'abc%'": '(name >= string:abc and name < string:abd)',
  "name > ''": 'name > string:',
  'name IS NULL': 'name null',
  'name IS NOT NULL AND id <> 3': 'name not-null',
  "day >= DATE '2024-01-01'": 'day >= date:2024-01-01',
  "moment > TIMESTAMP '2024-01-01 10:00:00.123456'": 'moment > timestamp:2024-01-01 10:00:00.123456',
  "moment::DATE = DATE '2024-02-02'":
    '(moment >= timestamp:2024-02-02 00:00:00 and moment < timestamp:2024-02-03 00:00:00)',
  "instant < TIMESTAMPTZ '2024-01-01 01:00:00+01'": 'instant < instant:2024-01-01 00:00:00',
  'price = 1.50': 'price = number:1.50',
  'ratio > 1.5e10': 'ratio > number:15000000000.0',
  ok: 'ok = boolean:true',
  'NOT ok': 'ok = boolean:false',
  // Known and of no use, or not known: no condition.
  'id <> 3': undefined,
  'id NOT IN (1, 2)': undefined,
  'id IS DISTINCT FROM 3': undefined,
  "ratio = 'nan'::DOUBLE": undefined,
  "ratio < 'inf'::DOUBLE": undefined,
  'single = 0.1::FLOAT': undefined,
  'part.x = 5': undefined,
  "starts_with(name, 'a')": undefined,
  "id = 5 OR name = 'x'": undefined,
  'id = 1.5': undefined,
  'year(day) = 2024': undefined,
  "day > 'infinity'::DATE": undefined,
};

describe('filters in the text of this version of the engine', () => {
  for (const [where, expected] of Object.entries(FORMS)) {
    test(where, async () => {
      const [condition] = await conditions(`SELECT * FROM t WHERE ${where}`);
      assert.equal(text(condition), expected);
    });
  }

  test('go through joins', async () => {
    const found = await conditions('SELECT * FROM t JOIN u USING (id) WHERE t.id = 7');
    assert.deepEqual(found.map(text), ['id = number:7', 'id = number:7']);
  });

  test('are alternatives when a table is scanned twice', async () => {
    const sql = 'SELECT * FROM t WHERE id = 1 UNION ALL SELECT * FROM t WHERE id = 2';
    assert.equal(text((await conditions(sql, [2, 0]))[0]), '(id = number:1 or id = number:2)');
    const open = 'SELECT * FROM t WHERE id = 1 UNION ALL SELECT * FROM t';
    assert.equal((await conditions(open, [2, 0]))[0], undefined);
  });

  test('say nothing when a reference has no scan in the plan', async () => {
    const sql = 'SELECT * FROM t WHERE id = 1 UNION ALL SELECT * FROM t WHERE false';
    assert.equal((await conditions(sql, [2, 0]))[0], undefined);
  });

  test('say nothing about any table when a scan can be tied to none', async () => {
    const sql = 'SELECT * FROM t WHERE id = 1 AND (SELECT count(*) FROM u) > 5';
    assert.deepEqual(await conditions(sql), [undefined, undefined]);
  });
});

test('forms that are not known, in part or as a whole, give nothing', () => {
  for (const filter of [
    't0_0>5 AND t0_0<9 OR t0_0=1',
    't0_0 ?? 5',
    't0_0>5 extra',
    "t0_1>'a",
    't9_0>5',
    't0_99>5',
    '(t0_0>5',
    "t0_0>'5'",
    "t0_2>'2024-01-01'",
    'Dynamic Filter (t0_0)',
    '',
  ]) {
    assert.equal(parseFilter(filter, TABLES), undefined, filter);
  }
});
