import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LocalStore } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { createDuckDbSql } from '../../adapters/duckdb-sql/index.ts';
import { createMetrics } from '../../adapters/prometheus/index.ts';
import { openSqliteMetaStore } from '../../adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../../adapters/system/index.ts';
import type { MetaStore } from '../../ports/meta-store.ts';
import type { Logger } from '../../ports/observe.ts';
import type { SqlEngine } from '../../ports/sql-engine.ts';
import { createCatalog, createDeltaTables, type Catalog } from '../catalog/index.ts';
import { createQuery, type Query, type QueryExecution, type QueryLimits } from './index.ts';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const [clock, random] = [createSystemClock(), createSystemRandom()];
const principal = { accountId: '000000000000', name: 'root' };
const root = mkdtempSync(join(tmpdir(), 'sluice-query-'));
const [lake, resultsDirectory] = [join(root, 'lake'), join(root, 'results')];
const ENDLESS = 'SELECT count(*) FROM range(10000000000) a, range(1000) b WHERE a.range * b.range % 7 = 3';

let delta: DuckDbEngine;
let engine: SqlEngine;
let meta: MetaStore;
let catalog: Catalog;
let query: Query;

function make(limits: Partial<QueryLimits> = {}, on = engine): Promise<Query> {
  return createQuery({
    meta,
    catalog,
    clock,
    random,
    engine: on,
    resultsDirectory,
    logger,
    metrics: createMetrics(),
    limits,
  });
}

before(async () => {
  for (const directory of [lake, resultsDirectory]) mkdirSync(directory);
  delta = await DuckDbEngine.create();
  meta = await openSqliteMetaStore(join(root, 'meta.db'));
  const tables = createDeltaTables({
    engine: delta,
    storeFor: (path) => new LocalStore(path),
    clock,
    random,
    logger,
  });
  catalog = await createCatalog({ meta, clock, logger, dataDirectory: lake, tables });
  engine = createDuckDbSql({
    clock,
    logger,
    dataDirectories: [lake],
    temporaryDirectory: join(root, 'tmp'),
    limits: { memoryBytesMax: 512 * 1_048_576, threads: 2 },
  });
  query = await make();
  await catalog.createDatabase({ name: 'sales' });
  await catalog.createDatabase({ name: 'Other Db' });
  await createOrders();
});
after(async () => {
  await query.close();
  await engine.close();
  await meta.close();
  await delta.close();
  rmSync(root, { recursive: true });
});

const FILES = 40;
const FILE_ROWS = 25;

/** 40 files with neighbouring values in each; NULLs, NaN and awkward strings among them. */
async function createOrders(): Promise<void> {
  const columns = [
    { name: 'id', type: 'bigint' },
    { name: 'Name', type: 'string' },
    { name: 'price', type: 'decimal(10,2)' },
    { name: 'ratio', type: 'double' },
    { name: 'placed', type: 'timestamp' },
    { name: 'paid', type: 'boolean' },
    { name: 'small', type: 'smallint' },
    { name: 'single', type: 'float' },
  ];
  for (const [name, partitionKeys] of [
    ['orders', [{ name: 'day', type: 'date' }]],
    ['flat', []],
  ] as const) {
    const plain = name === 'flat' ? [...columns, { name: 'day', type: 'date' }] : columns;
    await catalog.createTable('sales', {
      name,
      columns: plain,
      partitionKeys,
      parameters: { table_type: 'DELTA' },
    });
    const table = await catalog.open('sales', name);
    for (let file = 0; file < FILES; file += 1) {
      const rows = Array.from({ length: FILE_ROWS }, (_, at) => orderOf(file, file * FILE_ROWS + at));
      const result = await table.delta.append({ source: { kind: 'rows', rows } });
      assert.equal(result.kind, 'committed');
    }
  }
}

function orderOf(file: number, id: number): Record<string, unknown> {
  return {
    id,
    Name: id % 13 === 0 ? null : `na'me ${String(id).padStart(5, '0')}`,
    price: (id / 4).toFixed(2),
    ratio: id % 17 === 0 ? Number.NaN : id / 3,
    placed: new Date(Date.UTC(2024, 0, 1) + id * 3_600_000),
    paid: file % 2 === 0,
    small: id % 100,
    single: id / 10,
    day: new Date(Date.UTC(2024, 0, 1 + file)).toISOString().slice(0, 10),
  };
}

async function run(sql: string, on = query, database = 'sales'): Promise<QueryExecution> {
  return on.ended(await on.start({ sql, principal, database }));
}

async function rows(sql: string, on = query): Promise<readonly (readonly (string | undefined)[])[]> {
  const execution = await run(sql, on);
  assert.equal(execution.state, 'SUCCEEDED', execution.reason ?? sql);
  return (await on.results(execution.id, { limit: 1_000 })).rows;
}

describe('a query', () => {
  test('sees tables as row changes left them, whatever their features', async () => {
    await catalog.createTable('sales', {
      name: 'changed',
      columns: [
        { name: 'id', type: 'bigint' },
        { name: 'region', type: 'string' },
        { name: 'amount', type: 'double' },
      ],
      partitionKeys: [],
      parameters: {
        table_type: 'DELTA',
        'delta.enableDeletionVectors': 'true',
        'delta.columnMapping.mode': 'name',
      },
    });
    const { delta: table } = await catalog.open('sales', 'changed');
    const source =
      'SELECT range AS id, CAST(range % 7 AS VARCHAR) AS region, range / 2 AS amount FROM range(1000)';
    await table.append({ source: { kind: 'sql', sql: source } });
    await table.delete({ where: 'id % 10 = 3' });
    await table.alter.renameColumn({ column: 'amount', to: 'the "price"' });
    const changes = [
      { id: 5, region: 'x' },
      { id: 5000, region: 'y' },
    ];
    await table
      .merge({ source: { kind: 'rows', rows: changes }, on: 'target.id = source.id' })
      .whenMatchedUpdate({ set: { region: 'source.region' } })
      .whenNotMatchedInsert({ values: { id: 'source.id', region: 'source.region' } })
      .execute();
    const sql = `SELECT count(*), sum(id), count("the ""price""") AS p, count(*) FILTER (region = 'x') AS x FROM changed`;
    assert.deepEqual(await rows(sql), [['901', '454700', '900', '1']]);
    assert.deepEqual(await rows('SELECT * FROM changed WHERE id IN (3, 5)'), [['5', 'x', '2.5']]);
  });

  test('reads tables by any form of their names, one version of each', async () => {
    const sql =
      'SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM SALES.ORDERS), (SELECT count(*) FROM "AwsDataCatalog".sales.orders) AS c';
    const execution = await run(sql);
    assert.equal(execution.state, 'SUCCEEDED', execution.reason ?? sql);
    assert.deepEqual(execution.tables, [{ name: 'sales.orders', version: FILES }]);
    const page = await query.results(execution.id, { limit: 10 });
    assert.deepEqual(
      page.columns.map((column) => [column.name, column.type]),
      [
        ['_col0', 'bigint'],
        ['_col1', 'bigint'],
        ['c', 'bigint'],
      ],
    );
    assert.deepEqual(page.rows, [['1000', '1000', '1000']]);
  });

  test('tells what it cost', async () => {
    const execution = await run('SELECT count(*) FROM flat');
    const snapshot = await (await catalog.open('sales', 'flat')).snapshot();
    assert.equal(execution.bytesScanned, snapshot.sizeBytes);
    assert.ok(execution.engineMs > 0 && execution.planningMs > 0);
    assert.ok(execution.submittedMs <= execution.startedMs! && execution.startedMs! <= execution.endedMs!);
    assert.equal(execution.rows, 1);
    assert.ok(existsSync(execution.resultFile));
  });

  test('gives its rows page by page', async () => {
    const execution = await run('SELECT id, "name" FROM flat ORDER BY id');
    const seen: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const page = await query.results(execution.id, { limit: 300, ...(token !== undefined && { token }) });
      assert.ok(page.rows.length <= 300);
      seen.push(...page.rows.map(([id]) => id));
      token = page.next;
    } while (token !== undefined);
    assert.deepEqual(
      seen,
      Array.from({ length: 1_000 }, (_, id) => String(id)),
    );
    await assert.rejects(query.results(execution.id, { limit: 10, token: 'nonsense' }), { code: 'invalid' });
    const other = await run('SELECT 1');
    const first = await query.results(execution.id, { limit: 10 });
    await assert.rejects(query.results(other.id, { limit: 10, token: first.next! }), { code: 'invalid' });
  });

  test('fails with a reason for the user', async () => {
    const reasons: Readonly<Record<string, RegExp>> = {
      'SELECT * FROM none': /^TABLE_NOT_FOUND: the table "sales.none" does not exist/,
      'SELECT * FROM none.t': /^SCHEMA_NOT_FOUND: the database "none" does not exist/,
      'SELECT nothing FROM orders': /^COLUMN_NOT_FOUND: .*"nothing"[^]*LINE 1: SELECT nothing FROM/,
      'SELECT 1 +': /^SYNTAX_ERROR: line 1:/,
      'SELECT * FROM other_catalog.sales.orders':
        /^NOT_SUPPORTED: there is no data catalogue "other_catalog"/,
      'SELECT * FROM information_schema.tables': /^NOT_SUPPORTED: tables of "information_schema"/,
      'SELECT * FROM pg_catalog.pg_class': /^NOT_SUPPORTED/,
      'SELECT * FROM system.tables': /^NOT_SUPPORTED/,
      'SELECT * FROM sqlite_master': /^TABLE_NOT_FOUND/,
      'SELECT * FROM duckdb_settings': /^TABLE_NOT_FOUND/,
      "SELECT * FROM '/etc/passwd'": /^TABLE_NOT_FOUND/,
      "SELECT CAST('x' AS int)": /^INVALID_CAST_ARGUMENT/,
      "SELECT * FROM read_text('/etc/passwd')": /^NOT_SUPPORTED: the table function read_text/,
    };
    for (const [sql, reason] of Object.entries(reasons)) {
      const execution = await run(sql);
      assert.equal(execution.state, 'FAILED', sql);
      assert.match(execution.reason!, reason, sql);
      assert.ok(!execution.reason!.includes(root), execution.reason!);
      await assert.rejects(query.results(execution.id, { limit: 1 }), { code: 'not-succeeded' });
    }
    assert.match((await run('SELECT * FROM orders', query, '')).reason!, /^SCHEMA_NOT_SET/);
  });

  test('is refused at once when it is no query, or too long', async () => {
    for (const [sql, code] of [
      ['DROP TABLE orders', 'unsupported'],
      ['nonsense', 'invalid'],
      [`SELECT '${'x'.repeat(262_144)}'`, 'invalid'],
    ] as const) {
      await assert.rejects(query.start({ sql, principal }), { code });
    }
    await assert.rejects(query.execution('none'), { code: 'execution-not-found' });
    await assert.rejects(query.stop('none'), { code: 'execution-not-found' });
  });

  test('is the same query when its token is the same', async () => {
    const request = {
      sql: 'SELECT 7',
      principal,
      database: 'sales',
      clientRequestToken: 'token-of-32-characters-or-more-01',
    };
    const ids = await Promise.all([query.start(request), query.start(request)]);
    assert.equal(ids[0], ids[1]);
    await query.ended(ids[0]);
    assert.equal(await query.start(request), ids[0]);
    await assert.rejects(query.start({ ...request, sql: 'SELECT 8' }), { code: 'invalid' });
    const stranger = { ...request, principal: { accountId: '111111111111', name: 'x' } };
    assert.notEqual(await query.start(stranger), ids[0]);
  });

  test('is listed, newest first', async () => {
    const ids = [];
    for (let at = 0; at < 5; at += 1) ids.push((await run(`SELECT ${at}`)).id);
    const first = await query.list({ limit: 3 });
    const second = await query.list({ limit: 2, token: first.next! });
    assert.deepEqual([...first.ids, ...second.ids], ids.reverse());
    await assert.rejects(query.list({ limit: 2, token: 'x' }), { code: 'invalid' });
  });
});

describe('statements about the catalogue', () => {
  test('are answered from it', async () => {
    assert.deepEqual(await rows('SHOW DATABASES'), [['other db'], ['sales']]);
    assert.deepEqual(await rows("SHOW TABLES IN sales 'or*'"), [['orders']]);
    assert.deepEqual(await rows('SHOW TABLES IN `other db`'), []);
    assert.deepEqual((await rows('SHOW COLUMNS IN orders')).flat(), [
      'id',
      'Name',
      'price',
      'ratio',
      'placed',
      'paid',
      'small',
      'single',
      'day',
    ]);
    assert.deepEqual((await rows('DESCRIBE sales.orders')).slice(-2), [
      ['# col_name', 'data_type', 'comment'],
      ['day', 'date', ''],
    ]);
    const execution = await run('DESCRIBE sales.none');
    assert.deepEqual([execution.state, execution.statementType], ['FAILED', 'UTILITY']);
    assert.match(execution.reason!, /^TABLE_NOT_FOUND/);
  });

  test('EXPLAIN shows a plan without paths', async () => {
    const plan = (await rows('EXPLAIN SELECT count(*) FROM orders WHERE id = 5')).flat().join('\n');
    assert.match(plan, /READ_PARQUET|PARQUET_SCAN|UNION/);
    assert.ok(!plan.includes(root));
  });
});

const CONDITIONS = [
  'id = 333',
  'id IN (5, 501, 999)',
  'id BETWEEN 95 AND 105',
  'id = 1 OR id = 998',
  'id > 990 OR paid',
  'NOT paid AND id < 60',
  "name = 'na''me 00333'",
  "name LIKE 'na''me 001%'",
  'name IS NULL AND id < 100',
  'name IS NOT NULL AND id > 940',
  'price = 83.25',
  'price >= 249.50',
  'ratio > 330.0',
  'ratio = 5.0',
  "ratio = 'nan'::DOUBLE AND id < 200",
  'isnan(ratio)',
  "placed >= TIMESTAMP '2024-02-10 00:00:00'",
  "placed = TIMESTAMPTZ '2024-01-05 04:00:00+00'",
  "placed::DATE = DATE '2024-01-20'",
  "date_trunc('day', placed) = TIMESTAMP '2024-01-20'",
  "day = DATE '2024-01-07'",
  "day IN (DATE '2024-01-02', DATE '2024-01-19') AND id % 2 = 0",
  "day > DATE '2024-01-15' AND small < 10",
  'small = 7',
  'single = 33.3::FLOAT',
  'single = 0.1',
  'id <> 5 AND id < 10',
  'id IS DISTINCT FROM 5 AND id < 10',
  'id + 1 = 500',
  'id = 1.0',
  'id = -1',
  'false',
  'id = 5 AND id = 6',
];

const SHAPES: readonly ((condition: string) => string)[] = [
  (condition) => `SELECT count(*), sum(id), min(name) FROM TABLE_NAME WHERE ${condition}`,
  (condition) => `SELECT count(*) FROM TABLE_NAME WHERE NOT (${condition})`,
  (condition) =>
    `WITH c AS (SELECT * FROM TABLE_NAME WHERE ${condition}) SELECT count(*), (SELECT count(*) FROM c AS d WHERE id > 500) FROM c`,
  (condition) =>
    `SELECT count(*) FROM TABLE_NAME AS a LEFT JOIN (SELECT * FROM TABLE_NAME WHERE ${condition}) AS b USING (id)`,
  (condition) =>
    `SELECT count(*) FROM TABLE_NAME AS a FULL JOIN (SELECT id AS other FROM TABLE_NAME WHERE ${condition}) AS b ON a.id = b.other + 1`,
  (condition) =>
    `SELECT count(*) FROM TABLE_NAME WHERE ${condition} UNION ALL SELECT sum(id) FROM TABLE_NAME WHERE id = 7 ORDER BY 1`,
  (condition) =>
    `SELECT count(*) FROM TABLE_NAME AS o WHERE EXISTS (SELECT 1 FROM TABLE_NAME AS i WHERE i.id = o.id AND (${condition.replaceAll(/\b(id|name|price|ratio|placed|paid|small|single|day)\b(?!')/g, 'i.$1')}))`,
];

describe('pruning', () => {
  test('never changes an answer', async () => {
    const unpruned = await make(
      {},
      { ...engine, conditions: async ({ tables }) => tables.map(() => undefined) },
    );
    let [skipped, total] = [0, 0];
    for (const condition of CONDITIONS) {
      for (const shape of SHAPES) {
        const sql = shape(condition).replaceAll('TABLE_NAME', total % 2 === 0 ? 'orders' : 'flat');
        const [with_, without] = await Promise.all([run(sql), run(sql, unpruned)]);
        assert.equal(with_.state, 'SUCCEEDED', `${sql}: ${with_.reason}`);
        const [left, right] = await Promise.all(
          [with_, without].map((one) => query.results(one.id, { limit: 10 })),
        );
        assert.deepEqual(left!.rows, right!.rows, sql);
        total += 1;
        if (with_.bytesScanned < without.bytesScanned) skipped += 1;
      }
    }
    assert.ok(skipped > total / 4, `${skipped} of ${total} were pruned`);
    await unpruned.close();
  });

  test('reads only files that can hold a row', async () => {
    const all = (await run('SELECT count(*) FROM flat')).bytesScanned;
    for (const condition of [
      'id = 333',
      "name = 'na''me 00333'",
      "day = DATE '2024-01-07'",
      'price = 83.25',
      "placed = TIMESTAMPTZ '2024-01-05 04:00:00+00'",
    ]) {
      const { bytesScanned } = await run(`SELECT * FROM flat WHERE ${condition}`);
      assert.ok(bytesScanned < (all / FILES) * 2, `${condition}: ${bytesScanned} of ${all}`);
    }
  });
});

describe('queues and limits', () => {
  test('queries wait, can be stopped while they wait and while they run, and are refused beyond the bound', async () => {
    const narrow = await make({ runningMax: 1, queuedMax: 2 });
    const running = await narrow.start({ sql: ENDLESS, principal });
    const [first, second] = [
      await narrow.start({ sql: 'SELECT 1', principal }),
      await narrow.start({ sql: 'SELECT 2', principal }),
    ];
    await assert.rejects(narrow.start({ sql: 'SELECT 3', principal }), {
      code: 'too-many-queued',
      retry: 'backoff',
    });
    assert.equal((await narrow.execution(running)).state, 'RUNNING');
    assert.equal((await narrow.execution(first)).state, 'QUEUED');
    await assert.rejects(narrow.results(first, { limit: 1 }), { code: 'not-succeeded', retry: 'backoff' });
    await narrow.stop(first);
    assert.equal((await narrow.execution(first)).state, 'CANCELLED');
    await narrow.stop(running);
    assert.equal((await narrow.ended(running)).state, 'CANCELLED');
    assert.equal((await narrow.ended(second)).state, 'SUCCEEDED');
    await narrow.stop(second);
    assert.equal((await narrow.execution(second)).state, 'SUCCEEDED');
    await narrow.close();
  });

  test('a query that runs too long, or gives too much, fails', async () => {
    const strict = await make({ runMsMax: 200, resultBytesMax: 1_000 });
    assert.match((await run(ENDLESS, strict)).reason!, /^EXCEEDED_TIME_LIMIT/);
    assert.match((await run('SELECT * FROM range(1000)', strict)).reason!, /larger than 1000 bytes/);
    await strict.close();
  });

  test('waiting for an end can be given up', async () => {
    const id = await query.start({ sql: ENDLESS, principal });
    await assert.rejects(query.ended(id, AbortSignal.timeout(50)), { name: 'TimeoutError' });
    await query.stop(id);
    assert.equal((await query.ended(id)).state, 'CANCELLED');
  });
});

describe('ends of the process', () => {
  test('a close fails what is open, and a query after it is refused', async () => {
    const closing = await make({ runningMax: 1 });
    const ids = [
      await closing.start({ sql: ENDLESS, principal }),
      await closing.start({ sql: 'SELECT 1', principal }),
    ];
    await closing.close();
    for (const id of ids) {
      const execution = await query.execution(id);
      assert.deepEqual([execution.state, /server stopped/.test(execution.reason!)], ['FAILED', true]);
    }
    await assert.rejects(closing.start({ sql: 'SELECT 1', principal }), { code: 'too-many-queued' });
  });

  test('what a crash left open is failed by the next start, and its file is removed', async () => {
    const crashed = await make();
    const id = await crashed.start({ sql: ENDLESS, principal });
    await crashed.ended(id, AbortSignal.timeout(100)).catch(() => {});
    const { resultFile } = await crashed.execution(id);
    writeFileSync(resultFile, 'half');
    const next = await make();
    const execution = await next.execution(id);
    assert.equal(execution.state, 'FAILED');
    assert.match(execution.reason!, /server stopped/);
    assert.ok(!readdirSync(resultsDirectory).some((name) => name.startsWith(id)));
    await crashed.close();
    await next.close();
  });

  test('a small result is as durable as its execution, whatever becomes of its file', async () => {
    const { id, resultFile } = await run("SELECT 1 AS n, 'a\"b' AS t UNION ALL SELECT 2, NULL ORDER BY n");
    assert.ok(existsSync(resultFile));
    // What a crash of the machine does to a file that was never synced.
    writeFileSync(resultFile, '');
    const next = await make();
    const page = await next.results(id, { limit: 10 });
    assert.deepEqual(page.rows, [
      ['1', 'a"b'],
      ['2', undefined],
    ]);
    assert.deepEqual(
      page.columns.map(({ name, type }) => [name, type]),
      [
        ['n', 'integer'],
        ['t', 'varchar'],
      ],
    );
    const first = await next.results(id, { limit: 1 });
    assert.equal(first.rows.length, 1);
    assert.deepEqual((await next.results(id, { limit: 1, token: first.next! })).rows, [['2', undefined]]);
    await next.close();
  });

  test('what SHOW answers is kept in the same way', async () => {
    const { id, resultFile } = await run('SHOW DATABASES');
    const before = await query.results(id, { limit: 100 });
    rmSync(resultFile);
    assert.deepEqual(await query.results(id, { limit: 100 }), before);
  });

  test('a large result whose file is gone says so', async () => {
    const { id, resultFile } = await run('SELECT * FROM range(10000)');
    rmSync(`${resultFile}.metadata.json`);
    await assert.rejects(query.results(id, { limit: 1 }), { code: 'result-missing' });
  });
});
