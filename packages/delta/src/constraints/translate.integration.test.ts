/** What translated expressions are worth in DuckDB: the values that Spark documents for them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { withSession } from '../engine.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { struct } from '../schema/types.ts';
import { translateExpression } from './translate.ts';

const SCHEMA = struct({
  n: 'integer',
  none: 'integer',
  b: 'byte',
  f: 'float',
  d: 'double',
  dec: 'decimal(10,2)',
  text: 'string',
  day: 'date',
  at: 'timestamp',
});
const ROW: Record<string, string> = {
  n: '7',
  none: 'NULL',
  b: '127',
  f: '0.1',
  d: `'NaN'`,
  dec: '1.50',
  text: `'Ab  '`,
  day: `'2024-02-29'`,
  at: `'2024-01-07 23:59:58.5+00'`,
};

let engine: DuckDbEngine;
before(async () => {
  engine = await DuckDbEngine.create({ threads: 1 });
});
after(() => engine.close());

async function valueOf(expression: string): Promise<unknown> {
  const { sql } = translateExpression(expression, SCHEMA);
  const columns = SCHEMA.fields.map(
    ({ name, type }) => `CAST(${ROW[name]} AS ${duckDbType(type)}) AS "${name}"`,
  );
  return withSession(engine, async (session) => {
    const rows = await session.rows(`SELECT CAST(${sql} AS VARCHAR) FROM (SELECT ${columns.join(', ')})`);
    return rows[0]?.[0];
  });
}

const CASES: readonly (readonly [expression: string, value: string | null])[] = [
  ['n = 7 AND n <> 8 AND n != 8 AND n == 7L', 'true'],
  ['none = 1', null],
  ['none <=> NULL', 'true'],
  ['none IS DISTINCT FROM 1', 'true'],
  ['none IN (1, 2)', null],
  ['n NOT IN (1, 2)', 'true'],
  ['n BETWEEN 7 AND 7.0', 'true'],
  ['b + 1', '128'],
  ['-7 % 3', '-1'],
  ['n / 2', '3.5'],
  ['-2147483648 < n', 'true'],
  // A float is compared with a decimal in 64 bits.
  ['f > 0.1', 'true'],
  ['d > 1e300 AND isnan(d)', 'true'],
  ['dec * 2 = 3', 'true'],
  ["day > '2024-02-28'", 'true'],
  ["at >= '2024-01-07 23:59:58' AND at < TIMESTAMP '2024-01-08'", 'true'],
  ['CAST(at AS DATE)', '2024-01-07'],
  ["date_format(at, 'yyyy-MM-dd-HH')", '2024-01-07-23'],
  ["date_trunc('hour', at) = '2024-01-07T23:00Z'", 'true'],
  ["trunc(day, 'MM')", '2024-02-01'],
  ['year(day) * 100 + month(day)', '202402'],
  ['hour(at) + minute(at) + second(at)', '140'],
  ['dayofweek(at)', '1'],
  ['weekday(at)', '6'],
  ['date_add(day, 1)', '2024-03-01'],
  ['datediff(day, date_sub(day, 3))', '3'],
  ["concat(text, 'x', NULL)", null],
  ["concat(rtrim(text), 'x')", 'Abx'],
  ["length(text) = 4 AND upper(trim(text)) = 'AB'", 'true'],
  ['lower(substring(text, 1, 1))', 'a'],
  ["text LIKE 'A_  ' AND text NOT LIKE 'a%'", 'true'],
  ["text RLIKE '^[A-Z][a-z]+ *$'", 'true'],
  ["text RLIKE '^b'", 'false'],
  ['CASE WHEN n > 5 THEN "big" ELSE \'small\' END', 'big'],
  ['CASE n WHEN 1 THEN 1 END', null],
  ['if(none > 1, 1, 2)', '2'],
  ['coalesce(none, n, 3)', '7'],
  ['greatest(none, n, 3)', '7'],
  ['nullif(n, 7) IS NULL', 'true'],
  ["startswith(text, 'A') AND contains(text, 'b') AND NOT endswith(text, 'b')", 'true'],
  ["'it\\'s' = 'it\\'s' AND length('\\n') = 1", 'true'],
  ["text = ''", 'false'],
];

describe('a translated expression', () => {
  for (const [expression, value] of CASES) {
    it(`gives ${value} for ${expression}`, async () => {
      assert.equal(await valueOf(expression), value);
    });
  }

  it('fails rather than differ in the case of special letters', async () => {
    assert.equal(await valueOf("upper('é')"), 'É');
    await assert.rejects(valueOf("upper('Straße')"), /differ in upper/);
    await assert.rejects(valueOf("lower('İ')"), /differ in lower/);
  });
});
