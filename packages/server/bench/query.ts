/**
 * (d) Queries through the query module against the same SQL on raw DuckDB over the same files, with the same threads,
 * interleaved. `node bench/query.ts [rows]` runs it alone.
 *
 * Through Sluice a query is analysed, planned, run in the query process, and its rows are written durably; raw DuckDB
 * runs it in this process and reads the rows. What is not measured: HTTP.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { LocalStore } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { createDuckDbSql } from '../src/adapters/duckdb-sql/index.ts';
import { createMetrics } from '../src/adapters/prometheus/index.ts';
import { openSqliteMetaStore } from '../src/adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../src/adapters/system/index.ts';
import { createCatalog, createDeltaTables, type Catalog } from '../src/modules/catalog/index.ts';
import { createQuery, type Query } from '../src/modules/query/index.ts';
import type { Logger } from '../src/ports/observe.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROWS = 3_000_000;
const FILES = 12;
const ROUNDS = 9;
const THREADS = 2;
const RATIO_MAX = 1.1;
const GOAL = { text: `≤ ${RATIO_MAX} × raw DuckDB`, met: (ratio: number) => ratio <= RATIO_MAX };

const SCANS: Readonly<Record<string, string>> = {
  'group by 3 columns, 6 aggregates':
    'SELECT origin, carrier, hour, count(*), sum(delay), avg(delay), min(delay), max(distance), avg(distance * 1.6) FROM departures GROUP BY ALL ORDER BY 4 DESC LIMIT 20',
  'filter and sum':
    "SELECT sum(distance * delay) AS s FROM departures WHERE delay BETWEEN 5 AND 25 AND origin <> 'A3'",
  'top 10 of routes':
    'SELECT origin, destination, count(*) AS n FROM departures GROUP BY ALL ORDER BY n DESC, 1, 2 LIMIT 10',
  'distinct count': 'SELECT count(DISTINCT id % 500000) AS n FROM departures',
};

const logger: Logger = {
  debug() {},
  info() {},
  warn: console.warn,
  error: console.error,
  child: () => logger,
};
const principal = { accountId: '000000000000', name: 'bench' };

export async function run(report: Report, rows = ROWS): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'sluice-bench-query-'));
  const lake = join(root, 'lake');
  const resultsDirectory = join(root, 'results');
  for (const directory of [lake, resultsDirectory]) mkdirSync(directory);
  const [clock, random] = [createSystemClock(), createSystemRandom()];
  const delta = await DuckDbEngine.create();
  const meta = await openSqliteMetaStore(join(root, 'meta.db'));
  const tables = createDeltaTables({
    engine: delta,
    storeFor: (path) => new LocalStore(path),
    clock,
    random,
    logger,
  });
  const catalog = await createCatalog({ meta, clock, logger, dataDirectory: lake, tables });
  const engine = createDuckDbSql({
    clock,
    logger,
    dataDirectories: [lake],
    temporaryDirectory: join(root, 'tmp'),
    limits: { threads: THREADS },
  });
  const query = await createQuery({
    meta,
    catalog,
    clock,
    random,
    engine,
    resultsDirectory,
    logger,
    metrics: createMetrics(),
  });
  const connection = await (await DuckDBInstance.create(':memory:', { threads: String(THREADS) })).connect();
  try {
    report.say(`  writing ${rows.toLocaleString('en')} rows in ${FILES} commits`);
    await createTable(catalog, connection, { rows, root });
    const snapshot = await (await catalog.open('bench', 'departures')).snapshot();
    await connection.run(`SET TimeZone = 'UTC'; CREATE VIEW departures AS ${(await snapshot.scan()).sql}`);
    const pair = { query, connection };
    for (const [work, sql] of Object.entries(SCANS)) await measure(report, pair, { work, sql, goal: true });
    await measure(report, pair, { work: 'select 42', sql: 'SELECT 42', goal: false });
    await measure(report, pair, {
      work: 'one row by its key',
      sql: 'SELECT * FROM departures WHERE id = 1234567',
      goal: false,
    });
    await measure(report, pair, {
      work: '100,000 rows as CSV',
      sql: 'SELECT * FROM departures WHERE id < 100000',
      goal: false,
    });
  } finally {
    await query.close();
    await engine.close();
    await meta.close();
    await delta.close();
    connection.disconnectSync();
    rmSync(root, { recursive: true });
  }
}

async function createTable(
  catalog: Catalog,
  connection: DuckDBConnection,
  { rows, root }: { rows: number; root: string },
): Promise<void> {
  await catalog.createDatabase({ name: 'bench' });
  const columns = [
    ['id', 'bigint'],
    ['origin', 'string'],
    ['destination', 'string'],
    ['carrier', 'string'],
    ['hour', 'int'],
    ['delay', 'int'],
    ['distance', 'double'],
    ['moment', 'timestamp'],
  ].map(([name, type]) => ({ name: name!, type: type! }));
  await catalog.createTable('bench', {
    name: 'departures',
    columns,
    partitionKeys: [],
    parameters: { table_type: 'DELTA' },
  });
  const { delta } = await catalog.open('bench', 'departures');
  const file = join(root, 'rows.ndjson');
  const each = Math.ceil(rows / FILES);
  for (let from = 0; from < rows; from += each) {
    await connection.run(`
      COPY (SELECT i AS id, 'A' || (hash(i) % 300) AS origin, 'A' || (hash(i + 1) % 300) AS destination,
              'C' || (hash(i + 2) % 14) AS carrier, (hash(i + 3) % 24)::INT AS hour, (hash(i + 4) % 90)::INT - 20 AS delay,
              (hash(i + 5) % 30000) / 10.0 AS distance, strftime(TIMESTAMP '2024-01-01' + to_seconds(i), '%Y-%m-%dT%H:%M:%SZ') AS moment
            FROM range(${from}, ${Math.min(from + each, rows)}) r(i)) TO '${file}' (FORMAT json)`);
    await delta.append({ source: { kind: 'ndjson', file } });
  }
}

async function measure(
  report: Report,
  { query, connection }: { query: Query; connection: DuckDBConnection },
  { work, sql, goal }: { work: string; sql: string; goal: boolean },
): Promise<void> {
  const [ours, raw]: [number[], number[]] = [[], []];
  let overhead = 0;
  const throughSluice = async (): Promise<number> => {
    const start = performance.now();
    const execution = await query.ended(await query.start({ sql, principal, database: 'bench' }));
    const took = performance.now() - start;
    if (execution.state !== 'SUCCEEDED') throw new Error(execution.reason);
    overhead = took - execution.engineMs;
    return took;
  };
  const onDuckDb = async (): Promise<number> => {
    const start = performance.now();
    (await connection.runAndReadAll(sql)).getRowsJS();
    return performance.now() - start;
  };
  for (let round = -2; round < ROUNDS; round += 1) {
    const pair =
      round % 2 === 0
        ? [await throughSluice(), await onDuckDb()]
        : [await onDuckDb(), await throughSluice()].reverse();
    if (round < 0) continue;
    ours.push(pair[0]!);
    raw.push(pair[1]!);
  }
  report.add(
    compare({
      bench: 'query',
      work,
      unit: 'ms',
      rounds: ours,
      baseline: { name: 'raw DuckDB', rounds: raw },
      ...(goal && { goal: GOAL }),
      note: `${overhead.toFixed(1)} ms of the last round outside of the engine`,
    }),
  );
}

if (import.meta.main) {
  const report = createReport();
  await run(report, Number(process.argv[2] ?? ROWS));
  report.finish();
}
