/**
 * What reading through the table format costs, against raw DuckDB over the same Parquet files in the same rounds: whole
 * scans, a point query over many files, files with deletion vectors. `node bench/lake-scan.ts` runs it alone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { compare as compareColumn, DeltaTable, field, LocalStore, struct } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = 21;
const ROWS = 4_000_000;
const FILES = 16;
const POINT_FILES = 2_000;
const SCHEMA = struct([
  field('id', 'long'),
  field('carrier', 'string'),
  field('delay', 'integer'),
  field('distance', 'double'),
]);
const rowsSql = (from: number, count: number): string =>
  `SELECT i AS id, 'C' || (hash(i) % 14) AS carrier, CAST(hash(i + 1) % 90 AS INTEGER) AS delay, ` +
  `(hash(i + 2) % 30000) / 10.0 AS distance FROM range(${from}, ${from + count}) AS t(i)`;
const QUERY =
  'SELECT carrier, count(*), sum(delay), avg(distance), min(delay), max(distance) FROM $ GROUP BY ALL ORDER BY 1';

interface World {
  readonly root: string;
  readonly engine: DuckDbEngine;
  readonly connection: DuckDBConnection;
}

export async function run(report: Report): Promise<void> {
  const root = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'sluice-bench-scan-'));
  const engine = await DuckDbEngine.create();
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run(`SET TimeZone = 'UTC'`);
  const world = { root, engine, connection };
  try {
    const table = await createTable(world, { name: 'plain', files: FILES, rows: ROWS });
    await scans(report, world, table);
    await pointQuery(report, world);
    await vectors(report, world, { share: 0.1, ratioMax: 1.15, name: 'in 10 % of the files' });
    await vectors(report, world, { share: 1, ratioMax: 1.6, name: 'in all files' });
  } finally {
    connection.closeSync();
    await engine.close();
    rmSync(root, { recursive: true, force: true });
  }
}

async function createTable(
  { root, engine }: World,
  {
    name,
    files,
    rows,
    properties = {},
  }: { name: string; files: number; rows: number; properties?: Record<string, string> },
): Promise<DeltaTable> {
  const table = await DeltaTable.create({
    store: new LocalStore(root),
    engine,
    root: name,
    schema: SCHEMA,
    properties: { 'delta.checkpointInterval': '100', ...properties },
  });
  const each = Math.ceil(rows / files);
  for (let at = 0; at < files; at += 1) {
    await table.append({ source: { kind: 'sql', sql: rowsSql(at * each, each) } });
  }
  return table;
}

const timeOf = async (task: () => Promise<unknown>): Promise<number> => {
  const startMs = performance.now();
  await task();
  return performance.now() - startMs;
};

async function scans(report: Report, world: World, table: DeltaTable): Promise<void> {
  const { connection, root, engine } = world;
  const files = `read_parquet('${join(root, 'plain')}/*.parquet')`;
  const raw: number[] = [];
  const warm: number[] = [];
  const cold: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    raw.push(await timeOf(() => connection.runAndReadAll(QUERY.replace('$', files))));
    warm.push(
      await timeOf(async () => {
        const { sql } = await (await table.snapshot()).scan();
        await connection.runAndReadAll(QUERY.replace('$', `(${sql})`));
      }),
    );
    cold.push(
      await timeOf(async () => {
        const opened = await DeltaTable.open({ store: new LocalStore(root), engine, root: 'plain' });
        const { sql } = await (await opened.snapshot()).scan();
        await connection.runAndReadAll(QUERY.replace('$', `(${sql})`));
      }),
    );
  }
  for (const [work, rounds, ratioMax] of [
    ['scan, table open', warm, 1.05],
    ['scan, table opened for it', cold, 1.15],
  ] as const) {
    report.add(
      compare({
        bench: 'lake-scan',
        work: `${work}: ${ROWS.toLocaleString('en')} rows, ${FILES} files`,
        unit: 'ms',
        rounds,
        baseline: { name: 'raw DuckDB', rounds: raw },
        goal: { text: `≤ ${ratioMax} × raw DuckDB`, met: (ratio) => ratio <= ratioMax },
      }),
    );
  }
}

async function pointQuery(report: Report, world: World): Promise<void> {
  const { connection } = world;
  const table = await createTable(world, { name: 'points', files: POINT_FILES, rows: POINT_FILES * 500 });
  const snapshot = await table.snapshot();
  const pruned: number[] = [];
  const whole: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = 500 * ((round * 7919) % POINT_FILES) + 3;
    const query = (sql: string) => connection.runAndReadAll(`SELECT * FROM (${sql}) WHERE id = ${id}`);
    whole.push(await timeOf(async () => query((await snapshot.scan()).sql)));
    pruned.push(
      await timeOf(async () => {
        const predicate = compareColumn('id', '=', { type: 'integer', value: BigInt(id) });
        await query((await snapshot.scan({ predicate })).sql);
      }),
    );
  }
  report.add(
    compare({
      bench: 'lake-scan',
      work: `one row by its key, ${POINT_FILES.toLocaleString('en')} files`,
      unit: 'ms',
      rounds: pruned,
      baseline: { name: 'without pruning', rounds: whole },
      goal: { text: '≤ 0.1 × without pruning', met: (ratio) => ratio <= 0.1 },
    }),
  );
}

/** Two of a hundred rows are deleted in a share of the files. */
async function vectors(
  report: Report,
  world: World,
  { share, ratioMax, name }: { share: number; ratioMax: number; name: string },
): Promise<void> {
  const { connection, root } = world;
  const directory = `vectors-${share * 100}`;
  const properties = { 'delta.enableDeletionVectors': 'true' };
  const files = FILES + 4;
  const table = await createTable(world, { name: directory, files, rows: ROWS, properties });
  await table.delete({ where: `id < ${ROWS * share} AND id % 50 = 7` });
  const raw: number[] = [];
  const ours: number[] = [];
  const parquet = `read_parquet('${join(root, directory)}/*.parquet')`;
  for (let round = 0; round < ROUNDS; round += 1) {
    raw.push(await timeOf(() => connection.runAndReadAll(QUERY.replace('$', parquet))));
    ours.push(
      await timeOf(async () => {
        const { sql } = await (await table.snapshot()).scan();
        await connection.runAndReadAll(QUERY.replace('$', `(${sql})`));
      }),
    );
  }
  report.add(
    compare({
      bench: 'lake-scan',
      work: `scan with deletion vectors ${name}: ${files} files, 2 % of their rows deleted`,
      unit: 'ms',
      rounds: ours,
      baseline: { name: 'without vectors', rounds: raw },
      goal: { text: `≤ ${ratioMax} × without vectors`, met: (ratio) => ratio <= ratioMax },
    }),
  );
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
