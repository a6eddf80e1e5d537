import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { SqlError } from '../../../ports/sql-engine.ts';
import {
  ALLOWED_FUNCTIONS,
  ALLOWED_TABLE_FUNCTIONS,
  REFUSED_FUNCTIONS,
  REFUSED_PREFIXES,
} from './functions.ts';
import { analyseTree } from './statement.ts';

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
after(() => connection.disconnectSync());

async function analyse(sql: string): Promise<ReturnType<typeof analyseTree>> {
  const reader = await connection.runAndReadAll(
    'SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true)',
    [sql],
  );
  return analyseTree({ tree: String(reader.getRows()[0]![0]), sql, catalogs: ['sluice', 'AwsDataCatalog'] });
}

async function tablesOf(sql: string): Promise<string[]> {
  const { tables } = await analyse(sql);
  return tables.map(
    ({ database, table, count }) =>
      `${database === undefined ? '' : `${database}.`}${table}${count > 1 ? `×${count}` : ''}`,
  );
}

const REFERENCES: Readonly<Record<string, readonly string[]>> = {
  'SELECT 1': [],
  'SELECT * FROM t': ['t'],
  'FROM t': ['t'],
  'TABLE t': ['t'],
  'SELECT * FROM s.t AS x, "Other Db"."T"': ['s.t', 'Other Db.T'],
  'SELECT * FROM t a JOIN t b USING (id) JOIN u ON true': ['t×2', 'u'],
  'SELECT * FROM t NATURAL JOIN u CROSS JOIN v POSITIONAL JOIN w ASOF JOIN x ON w.a >= x.a': [
    't',
    'u',
    'v',
    'w',
    'x',
  ],
  'SELECT (SELECT max(a) FROM t), EXISTS (SELECT 1 FROM u), a IN (SELECT b FROM v) FROM w': [
    't',
    'u',
    'v',
    'w',
  ],
  'SELECT * FROM t UNION ALL SELECT * FROM u EXCEPT SELECT * FROM v': ['t', 'u', 'v'],
  'SELECT * FROM t, LATERAL (SELECT * FROM u WHERE u.a = t.a)': ['t', 'u'],
  'SELECT * FROM (FROM t) PIVOT (sum(a) FOR b IN (1, 2))': ['t'],
  'SELECT * FROM t UNPIVOT (v FOR k IN (a, b))': ['t'],
  'SELECT [x FOR x IN (SELECT list(a) FROM t)]': ['t'],
  'SELECT list_transform((SELECT l FROM t), x -> x + (SELECT 1 FROM u))': ['t', 'u'],
  'SELECT sum(a) FILTER (WHERE a > (SELECT 1 FROM t)) OVER (ORDER BY (SELECT 1 FROM u)) FROM v': [
    't',
    'u',
    'v',
  ],
  'SELECT a FROM t GROUP BY a HAVING a > (SELECT 1 FROM u) ORDER BY (SELECT 1 FROM v) LIMIT (SELECT 1 FROM w)':
    ['t', 'u', 'v', 'w'],
  'SELECT CASE WHEN (SELECT true FROM t) THEN 1 END QUALIFY row_number() OVER () < (SELECT 1 FROM u)': [
    't',
    'u',
  ],
  'SELECT * FROM range((SELECT 3 FROM t))': ['t'],
  'SELECT COLUMNS(c -> c LIKE (SELECT 1 FROM t)) FROM u': ['t', 'u'],
  'VALUES ((SELECT 1 FROM t))': ['t'],
  'WITH c AS (SELECT * FROM t) SELECT * FROM c, c AS d': ['t'],
  'WITH t AS (SELECT * FROM t) SELECT * FROM t': ['t'],
  'WITH a AS (SELECT 1), b AS (SELECT * FROM a, late), late AS (SELECT 2) SELECT * FROM b, late': ['late'],
  'WITH c AS (SELECT 1) SELECT * FROM s.c': ['s.c'],
  'SELECT * FROM (WITH c AS (SELECT 1) SELECT * FROM c), c': ['c'],
  'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, t WHERE n < 3) SELECT * FROM r': ['t'],
  'WITH c AS MATERIALIZED (SELECT * FROM t) SELECT * FROM C': ['t'],
  'WITH c AS (WITH d AS (SELECT * FROM t) SELECT * FROM d) SELECT * FROM c JOIN d ON true': ['t', 'd'],
  "SELECT * FROM '/etc/passwd'": ['/etc/passwd'],
  'SELECT * FROM t TABLESAMPLE 10%': ['t'],
};

describe('tables of a statement', () => {
  for (const [sql, tables] of Object.entries(REFERENCES)) {
    test(sql, async () => assert.deepEqual((await tablesOf(sql)).sort(), [...tables].sort()));
  }
});

const REFUSED = [
  'SELECT 1; SELECT 2',
  'SELECT ?',
  'SELECT $name',
  "SELECT * FROM read_csv('/etc/passwd')",
  "SELECT * FROM READ_TEXT('/etc/passwd')",
  "SELECT * FROM glob('/*')",
  "SELECT * FROM query('SELECT 1')",
  "SELECT * FROM query_table('t')",
  "SELECT * FROM parquet_metadata('x')",
  "SELECT * FROM sniff_csv('x')",
  'SELECT * FROM duckdb_settings()',
  'SELECT * FROM duckdb_databases()',
  "SELECT * FROM pragma_table_info('t')",
  "SELECT * FROM enable_logging('QueryLog')",
  "SELECT * FROM json_execute_serialized_sql('{}')",
  "SELECT * FROM which_secret('s3://x', 's3')",
  "SELECT * FROM histogram('t', 'a')",
  "SELECT getenv('HOME')",
  "SELECT current_setting('temp_directory')",
  "SELECT getvariable('x')",
  "SELECT (SELECT list_transform([1], x -> write_log('a')))",
  'SELECT current_catalog',
  'SELECT current_schemas(true)',
  "SELECT nextval('s')",
  'SELECT pg_sleep(1)',
  'SELECT sleep_ms(1)',
  "SELECT json_serialize_plan('SELECT 1')",
  'SELECT pg_catalog.format_type(1, 2)',
  'SELECT system.main.version()',
  'SELECT other.upper(a) FROM t',
  "SELECT sum(a) OVER (ORDER BY getvariable('x')) FROM t",
  'FROM (DESCRIBE t)',
  'FROM (SHOW TABLES)',
  'DESCRIBE SELECT 1',
  'SUMMARIZE t',
  'SELECT * FROM t AT (VERSION => 1)',
  'SELECT * FROM memory.main.t',
  'SELECT * FROM system.information_schema.tables',
  'SELECT * FROM statement_0123.s.t',
  'INSERT INTO t VALUES (1)',
  'CREATE TABLE t AS SELECT 1',
  "SET memory_limit = '1GB'",
  'PIVOT t ON a USING sum(b)',
  'SELECT DEFAULT',
];

describe('statements that are refused', () => {
  for (const sql of REFUSED) {
    test(sql, async () => {
      await assert.rejects(
        analyse(sql),
        (error) => error instanceof SqlError && /^(refused|syntax)$/.test(error.code),
      );
    });
  }
});

describe('the statement for the engine', () => {
  test('has spaces for catalogue names, every other byte in its place', async () => {
    const sql = `SELECT 'ü', sluice.s.t.a, "SLUICE".s.t.b, 'sluice.s.t' FROM awsdatacatalog . s.t -- sluice.s.t`;
    const expected = `SELECT 'ü',        s.t.a,          s.t.b, 'sluice.s.t' FROM                  s.t -- sluice.s.t`;
    assert.equal((await analyse(sql)).sql, expected);
  });

  test('leaves fields of a column whose name is the catalogue', async () => {
    const sql = 'SELECT sluice.a.b.c FROM s.t AS sluice';
    assert.equal((await analyse(sql)).sql, sql);
  });

  test('names the expressions without a name', async () => {
    assert.deepEqual((await analyse('SELECT count(*), a, b AS c, 1 + 1 FROM t')).unnamed, [0, 3]);
    assert.deepEqual((await analyse('SELECT 1, *, 2, x FROM t')).unnamed, [0, -2]);
    assert.deepEqual((await analyse('SELECT 1 UNION ALL SELECT a FROM t')).unnamed, [0]);
  });

  test('says whether there is a filter', async () => {
    for (const sql of [
      'FROM t WHERE a',
      'FROM t JOIN u ON t.a = u.a AND u.b',
      'SELECT a FROM t GROUP BY a HAVING a > 1',
      'FROM (FROM t WHERE a)',
      'FROM t QUALIFY a',
    ]) {
      assert.equal((await analyse(sql)).filters, true, sql);
    }
    for (const sql of ['FROM t', 'SELECT sum(a) FROM t GROUP BY b', 'FROM t JOIN u USING (a)']) {
      assert.equal((await analyse(sql)).filters, false, sql);
    }
  });

  test('tells the place of a syntax error', async () => {
    await assert.rejects(analyse("SELECT 'ü'\nFROM FROM t"), { code: 'syntax', message: /line 2:6/ });
  });
});

describe('the lists of functions', () => {
  test('hold every function of this version of the engine', async () => {
    const reader = await connection.runAndReadAll(
      "SELECT DISTINCT lower(function_name), function_type FROM duckdb_functions() WHERE function_type <> 'pragma'",
    );
    const unknown = reader.getRows().filter(([name, type]) => {
      const known = String(type).startsWith('table')
        ? ALLOWED_TABLE_FUNCTIONS.has(String(name)) || TABLE_FUNCTIONS_REFUSED.test(String(name))
        : ALLOWED_FUNCTIONS.has(String(name)) ||
          REFUSED_FUNCTIONS.has(String(name)) ||
          REFUSED_PREFIXES.some((prefix) => String(name).startsWith(prefix));
      return !known;
    });
    assert.deepEqual(unknown, []);
  });

  test('contradict nowhere', () => {
    for (const name of ALLOWED_FUNCTIONS) {
      assert.ok(!REFUSED_FUNCTIONS.has(name), name);
      assert.ok(!REFUSED_PREFIXES.some((prefix) => name.startsWith(prefix)), name);
    }
  });
});

/** All others in FROM; named here so that a new one is looked at. */
const TABLE_FUNCTIONS_REFUSED =
  /^(arrow_scan|arrow_scan_dumb|check_peg_parser|checkpoint|(dis|en)able_(logging|peg_parser|profiling)|duckdb_\w+|force_checkpoint|glob|histogram|histogram_values|icu_calendar_names|json_execute_serialized_sql|parquet_\w+|pg_timezone_names|pragma_\w+|query|query_table|read_\w+|repeat|repeat_row|seq_scan|sniff_csv|sql_auto_complete|summary|test_all_types|test_vector_types|truncate_duckdb_logs|which_secret)$/;
