import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import { sqlEngineContract } from '../../ports/sql-engine.contract.ts';
import type { SqlEngine, TableView } from '../../ports/sql-engine.ts';
import { createDuckDbSql } from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-sql-'));
const lake = join(root, 'lake');
const results = join(root, 'results');
const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  timer(ms, fn) {
    const timer = setTimeout(fn, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

let numbers: TableView;
let engine: SqlEngine;
const make = (limits = {}): SqlEngine =>
  createDuckDbSql({
    clock,
    logger,
    dataDirectories: [lake],
    temporaryDirectory: join(root, `tmp-${randomUUID()}`),
    limits: { memoryBytesMax: 512 * 1_048_576, threads: 2, ...limits },
  });

before(async () => {
  for (const directory of [lake, results]) mkdirSync(directory);
  writeFileSync(join(root, 'secret.csv'), 'top,secret\n1,2\n');
  symlinkSync(join(root, 'secret.csv'), join(lake, 'link.csv'));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const file = join(lake, 'numbers.parquet');
  await connection.run(
    `COPY (SELECT i AS n, i::VARCHAR AS name FROM range(10000) r(i)) TO '${file}' (FORMAT parquet)`,
  );
  connection.disconnectSync();
  numbers = { database: 's', name: 'numbers', sql: `SELECT n, name FROM read_parquet(['${file}'])` };
  engine = make();
});
after(async () => {
  await engine.close();
  rmSync(root, { recursive: true });
});

const ENDLESS = 'SELECT count(*) FROM range(10000000000) a, range(1000) b WHERE a.range * b.range % 7 = 3';
sqlEngineContract('DuckDB', () => ({ engine, directory: results, numbers, endless: ENDLESS }));

async function runUnchecked(
  sql: string,
  tables: readonly TableView[] = [numbers],
  on = engine,
): Promise<string> {
  const resultFile = join(results, `${randomUUID()}.csv`);
  await on.run({
    kind: 'rows',
    unnamed: [],
    sql,
    database: 's',
    tables,
    resultFile,
    resultBytesMax: 1e8,
    smallBytesMax: 0,
  });
  return readFileSync(resultFile, 'utf8');
}

const VALUES: readonly (readonly [sql: string, type: string, text: string | undefined])[] = [
  ['true', 'boolean', 'true'],
  ['row(7)', 'row', '{field0=7}'],
  ["[struct_pack(a := 1, b := 'x')]", 'array', '[{a=1, b=x}]'],
  ['1::TINYINT', 'tinyint', '1'],
  ['1::SMALLINT', 'smallint', '1'],
  ['42', 'integer', '42'],
  ['9223372036854775807', 'bigint', '9223372036854775807'],
  ['sum(1)', 'bigint', '1'],
  ['sum(9223372036854775807::HUGEINT * 2)', 'decimal(38,0)', '18446744073709551614'],
  ['1.5::DECIMAL(10,2)', 'decimal(10,2)', '1.50'],
  ['-0.05::DECIMAL(10,2)', 'decimal(10,2)', '-0.05'],
  ['3::DOUBLE', 'double', '3.0'],
  ['0.1::DOUBLE', 'double', '0.1'],
  ['1e7::DOUBLE', 'double', '1.0E7'],
  ['1.25e-5::DOUBLE', 'double', '1.25E-5'],
  ['9999999::DOUBLE', 'double', '9999999.0'],
  ["'nan'::DOUBLE", 'double', 'NaN'],
  ["'-inf'::DOUBLE", 'double', '-Infinity'],
  ['0.1::FLOAT', 'float', '0.1'],
  ['16777216::FLOAT', 'float', '1.6777216E7'],
  ["'a\"b'", 'varchar', 'a"b'],
  ["''", 'varchar', ''],
  ['NULL::VARCHAR', 'varchar', undefined],
  ["DATE '2024-02-29'", 'date', '2024-02-29'],
  ["DATE '1899-12-31'", 'date', '1899-12-31'],
  ["TIMESTAMP '2024-01-01'", 'timestamp', '2024-01-01 00:00:00.000'],
  ["TIMESTAMP '1969-12-31 23:59:59.999'", 'timestamp', '1969-12-31 23:59:59.999'],
  ["TIMESTAMP '1969-12-31 23:59:59.999999'", 'timestamp', '1969-12-31 23:59:59.999999'],
  ["TIMESTAMPTZ '2024-01-01 01:30:00+01'", 'timestamp with time zone', '2024-01-01 00:30:00.000 UTC'],
  ["TIME '10:20:30'", 'time', '10:20:30.000'],
  ['INTERVAL 26 HOUR', 'interval day to second', '1 02:00:00.000'],
  ["'abc'::BLOB", 'varbinary', '61 62 63'],
  ['[1, NULL, 3]', 'array', '[1, null, 3]'],
  ["['a', 'b, c']", 'array', '[a, b, c]'],
  ["MAP {'k': 1, 'l': NULL}", 'map', '{k=1, l=null}'],
  ["{'a': 1, 'b': {'c': [1.5::DOUBLE]}}", 'row', '{a=1, b={c=[1.5]}}'],
];

test('a row of several fields without names is refused, wherever it is', async () => {
  for (const sql of ["SELECT row(1, 'a')", "SELECT [row(1, 'a')]", "SELECT map([1], [row(1, 'a')])"])
    await assert.rejects(runUnchecked(sql, []), { code: 'refused', message: /fields have no names/ });
});

test('a number beyond the doubles is refused by name', async () => {
  await assert.rejects(engine.analyse({ sql: 'SELECT 1e400', catalogs: [] }), {
    code: 'refused',
    message: /number in the statement is out of range/,
  });
});

test('a damaged file is told as such, with the way out', async () => {
  const file = join(lake, 'damaged.parquet');
  const text = `SELECT 'text ' || range AS t FROM range(5000)`;
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(`COPY (${text}) TO '${file}' (FORMAT parquet)`);
  connection.disconnectSync();
  const whole = readFileSync(file);
  const damages: readonly ((bytes: Buffer) => Buffer)[] = [
    (bytes) => bytes.fill(0xff, 100, 400),
    (bytes) => bytes.subarray(0, bytes.length - 20),
    (bytes) => bytes.fill(0, bytes.length - 4),
    // The engine doesn't say whose footer it is.
    (bytes) => bytes.fill(0xff, bytes.length - 60, bytes.length - 8),
    () => Buffer.alloc(0),
  ];
  for (const [at, damage] of damages.entries()) {
    const path = join(lake, `damaged-${at}.parquet`);
    writeFileSync(path, damage(Buffer.from(whole)));
    const view = { database: 's', name: 'numbers', sql: `SELECT * FROM read_parquet(['${path}'])` };
    await assert.rejects(
      runUnchecked('SELECT max(t) FROM numbers', [view]),
      { message: at === 3 ? /^DATA_FILE_DAMAGED/ : /^DATA_FILE_DAMAGED: .*damaged-\d/, hint: /Restore/ },
      `damage ${at}`,
    );
  }
});

describe('values as Athena prints them', () => {
  for (const [sql, type, expected] of VALUES) {
    test(sql, async () => {
      const resultFile = join(results, `${randomUUID()}.csv`);
      const { columns } = await engine.run({
        kind: 'rows',
        unnamed: [0],
        sql: `SELECT ${sql}`,
        tables: [],
        resultFile,
        resultBytesMax: 1e6,
        smallBytesMax: 0,
      });
      assert.deepEqual(columns, [{ name: '_col0', type }]);
      const { rows } = await engine.readResult({ resultFile, firstRow: 0, rowsMax: 1, bytesMax: 1e6 });
      assert.deepEqual(rows, [[expected]]);
    });
  }
});

/** What would harm if it ran; none of it passes the analysis, and none does harm without it either. */
const ATTACKS = (): string[] => [
  `COPY (SELECT 1) TO '${join(root, 'out.csv')}'`,
  `COPY (SELECT 1) TO '${join(results, 'out.csv')}'`,
  `ATTACH '${join(root, 'other.db')}' AS other`,
  `ATTACH '${join(root, 'secret.csv')}' AS other (READ_ONLY)`,
  'INSTALL httpfs',
  'LOAD httpfs',
  "LOAD '/tmp/evil.duckdb_extension'",
  'SET enable_external_access = true',
  "SET GLOBAL allowed_directories = ['/']",
  'SET lock_configuration = false',
  'RESET lock_configuration',
  "SET memory_limit = '100GB'",
  `SELECT * FROM read_csv('${join(root, 'secret.csv')}')`,
  `SELECT * FROM read_csv('${join(lake, '..', 'secret.csv')}')`,
  `SELECT * FROM read_csv('${lake}/../secret.csv')`,
  `SELECT * FROM read_text('${lake}/../secret.csv')`,
  `SELECT * FROM '${join(root, 'secret.csv')}'`,
  "SELECT * FROM '/etc/passwd'",
  "SELECT * FROM read_text('/etc/passwd')",
  "SELECT * FROM read_blob('/proc/self/environ')",
  "SELECT * FROM glob('/etc/*')",
  "SELECT * FROM sniff_csv('/etc/passwd')",
  "SELECT * FROM parquet_metadata('/etc/passwd')",
  "SELECT * FROM read_json('http://127.0.0.1:1/x')",
  "SELECT getenv('HOME')",
  "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
  `EXPORT DATABASE '${join(root, 'export')}'`,
  `IMPORT DATABASE '${join(root, 'export')}'`,
];

describe('attacks', () => {
  test('are stopped by the analysis', async () => {
    const more = [
      "CALL enable_logging('QueryLog')",
      'PRAGMA enable_profiling',
      'PREPARE p AS SELECT 1',
      'EXECUTE p',
      "CREATE MACRO m() AS TABLE FROM read_csv('/etc/passwd')",
      'SELECT 1; SET memory_limit = 1',
      'SELECT 1;;; DROP TABLE x',
      '/* SELECT 1 */ SET threads = 1',
      '-- SELECT\nPRAGMA version',
      "SELECT\u00a0* FROM\u2003read_csv('/etc/passwd')",
      'SELECT * FROM "read_csv"(\'/etc/passwd\')',
      "SELECT * FROM main.read_csv('/etc/passwd')",
      "SELECT * FROM system.main.read_csv('/etc/passwd')",
      "SELECT (SELECT content FROM read_text('/etc/passwd'))",
      "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
      "SELECT * FROM range(1), LATERAL (SELECT * FROM read_text('/etc/passwd'))",
      "SELECT list_transform([1], x -> (SELECT content FROM read_text('/etc/passwd')))",
      "SELECT * FROM numbers PIVOT (max(current_setting('x')) FOR n IN (1))",
      "SELECT 1 ORDER BY (SELECT content FROM read_text('/etc/passwd'))",
      "SELECT 1 LIMIT (SELECT count(*) FROM glob('/*'))",
      'SELECT * FROM duckdb_databases()',
      'EXPLAIN ANALYZE SET threads = 1',
      "EXPLAIN COPY (SELECT 1) TO '/tmp/x'",
      "SELECT current_setting('allowed_directories')",
    ];
    for (const sql of [...ATTACKS(), ...more]) {
      const outcome = await engine.analyse({ sql, catalogs: ['hub'] }).then(
        // A text that names a file as a table is a reference to a table that the catalogue doesn't have.
        ({ tables }) =>
          sql.startsWith("SELECT * FROM '") && tables[0]!.table.includes('/') ? 'a table' : 'passed',
        (error: { code: string }) => error.code,
      );
      assert.match(outcome, /^(refused|syntax|a table)$/, sql);
    }
  });

  test('are stopped by the engine itself, if one passed the analysis', async () => {
    for (const sql of ATTACKS()) {
      await assert.rejects(
        runUnchecked(sql),
        (error: Error) => {
          assert.doesNotMatch(error.message, /statement_[0-9a-f]/, sql);
          return true;
        },
        sql,
      );
    }
    for (const made of ['out.csv', 'other.db', 'export'])
      assert.equal(existsSync(join(root, made)), false, made);
    assert.equal(await runUnchecked('SELECT max(n) AS m FROM numbers'), '"m"\n"9999"\n');
  });

  test('through a link in the lake are stopped by the engine', async () => {
    await assert.rejects(runUnchecked(`SELECT * FROM read_csv('${join(lake, 'link.csv')}')`));
  });

  test('find no secret in the environment', async () => {
    process.env['SLUICE_TEST_SECRET'] = 'hidden';
    const other = make();
    try {
      await runUnchecked('SELECT 1 AS one', [], other);
      const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
        .trim()
        .split(' ');
      const environments = children.map((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8'));
      assert.ok(environments.some((text) => text.includes('UV_THREADPOOL_SIZE=16')));
      assert.ok(environments.every((text) => !text.includes('hidden')));
    } finally {
      await other.close();
    }
  });

  test('find no name of another statement, nor anything that one left', async () => {
    await Promise.all(Array.from({ length: 4 }, () => runUnchecked('SELECT count(*) FROM numbers')));
    await assert.rejects(
      runUnchecked('CREATE TABLE memory.main.left_here AS SELECT 1; SELECT * FROM numbers WHERE bad'),
    );
    const left = () =>
      runUnchecked("SELECT count(*) AS c FROM duckdb_databases() WHERE database_name LIKE 'statement_%'", []);
    // Answers don't wait for the clearing up, which comes right after.
    let databases = await left();
    for (let asked = 1; databases !== '"c"\n"0"\n' && asked < 100; asked++) databases = await left();
    assert.equal(databases, '"c"\n"0"\n');
  });

  test('show no path and no inner name in errors and plans', async () => {
    const broken = { ...numbers, sql: `SELECT * FROM read_parquet(['${join(lake, 'gone.parquet')}'])` };
    await assert.rejects(runUnchecked('SELECT * FROM numbers', [broken]), (error: Error) => {
      assert.doesNotMatch(error.message, new RegExp(RegExp.escape(root)));
      return true;
    });
    const resultFile = join(results, `${randomUUID()}.csv`);
    const analysis = await engine.analyse({ sql: 'EXPLAIN ANALYZE SELECT * FROM numbers', catalogs: [] });
    await engine.run({
      ...analysis,
      database: 's',
      tables: [numbers],
      resultFile,
      resultBytesMax: 1e6,
      smallBytesMax: 0,
    });
    const plan = readFileSync(resultFile, 'utf8');
    assert.match(plan, /READ_PARQUET|TABLE_SCAN/);
    assert.doesNotMatch(plan, /statement_[0-9a-f]|lake|numbers\.parquet/);
  });
});

describe('the process of the engine', () => {
  test('is replaced when it was killed, and only what ran in it fails', async () => {
    const other = make();
    try {
      const running = runUnchecked(ENDLESS, [], other);
      const failed = assert.rejects(running, { code: 'engine-died', retry: 'backoff' });
      await runUnchecked('SELECT 1 AS one', [], other);
      const pid = newestChild();
      process.kill(pid, 'SIGKILL');
      await failed;
      assert.equal(await runUnchecked('SELECT 1 AS one', [], other), '"one"\n"1"\n');
    } finally {
      await other.close();
    }
  });

  test('gives an error and goes on when a statement needs more memory than it may', async () => {
    const other = make({ memoryBytesMax: 64 * 1_048_576, temporaryBytesMax: 16 * 1_048_576 });
    try {
      const greedy = 'SELECT list(i) AS l FROM range(20000000) r(i)';
      await assert.rejects(runUnchecked(greedy, [], other), {
        code: /^(out-of-memory|temporary-space|engine-died)$/,
      });
      assert.equal(await runUnchecked('SELECT 1 AS one', [], other), '"one"\n"1"\n');
    } finally {
      await other.close();
    }
  });

  test('is thrown away when a cancelled statement does not stop in time', async () => {
    // The bound on stopping passes at once; all others as ever.
    const hasty: Clock = {
      ...clock,
      timer: (ms, fn) => clock.timer(ms === 5_000 ? 0 : ms, fn),
    };
    const other = createDuckDbSql({
      clock: hasty,
      logger,
      dataDirectories: [lake],
      temporaryDirectory: join(root, `tmp-${randomUUID()}`),
    });
    try {
      await runUnchecked('SELECT 1 AS one', [], other);
      const [before, abort] = [newestChild(), new AbortController()];
      process.kill(before, 'SIGSTOP');
      const request = {
        kind: 'rows',
        unnamed: [],
        sql: ENDLESS,
        tables: [],
        resultBytesMax: 1e6,
        smallBytesMax: 0,
      } as const;
      const running = other.run({ ...request, resultFile: join(results, 'stuck.csv'), signal: abort.signal });
      await clock.sleep(1);
      abort.abort();
      await assert.rejects(running, { code: 'engine-died', message: /did not stop/ });
      assert.equal(await runUnchecked('SELECT 1 AS one', [], other), '"one"\n"1"\n');
      assert.notEqual(newestChild(), before);
    } finally {
      await other.close();
    }
  });

  test('ends by itself when its parent is killed', async () => {
    const script = `
      const { createDuckDbSql } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
      const logger = { warn() {} };
      const clock = { timer: () => ({ cancel() {} }), monotonicMs: () => 0 };
      const engine = createDuckDbSql({ clock, logger, dataDirectories: [${JSON.stringify(lake)}], temporaryDirectory: ${JSON.stringify(join(root, 'orphan'))} });
      await engine.analyse({ sql: 'SELECT 1', catalogs: [] });
      const { readFileSync } = await import('node:fs');
      console.log(readFileSync('/proc/' + process.pid + '/task/' + process.pid + '/children', 'utf8').trim());
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const worker = Number(output.toString().trim().split(' ').at(-1));
    assert.ok(isAlive(worker));
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    while (isAlive(worker)) await clock.sleep(20);
  });

  test('is gone after close, and is not started again', async () => {
    const other = make();
    await runUnchecked('SELECT 1 AS one', [], other);
    await other.close();
    await assert.rejects(runUnchecked('SELECT 1 AS one', [], other), { code: 'engine-died' });
  });

  test('tells why a statement failed after its first rows, and never calls a part of a result whole', async () => {
    const late = "SELECT CASE WHEN i < 4000000 THEN i ELSE error('late') END AS i FROM range(5000000) r(i)";
    await assert.rejects(runUnchecked(late), { code: 'failed', message: /late/ });
  });

  test('leaves no file of a failed result', async () => {
    const count = (): number => readdirSync(results).length;
    const before = count();
    await assert.rejects(
      runUnchecked("SELECT CASE WHEN i < 5000 THEN i ELSE error('late') END FROM range(10000) r(i)"),
    );
    assert.equal(count(), before);
  });
});

function isAlive(pid: number): boolean {
  try {
    // A process that has ended and waits for its parent is a zombie: not alive.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The newest child process of this one. */
function newestChild(): number {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .trim()
    .split(' ');
  return Math.max(...children.map(Number));
}
