/**
 * What changing a few rows of a large table costs, against DuckDB writing all of its rows anew in the same round: a
 * merge of keys from all over the table, with deletion vectors and by copying, commit included. Where delta-rs can be
 * had, it merges the same rows into a table of the same files, which it has to be without deletion vectors for. `node
 * bench/lake-merge.ts` runs it alone; `BENCH_MERGE_ROWS` makes the table smaller.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { DeltaTable, LocalStore, struct } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { installDeltaRs, type PythonParts } from '../../delta/test/foreign/install.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = 5;
const ROWS = Number(process.env['BENCH_MERGE_ROWS'] ?? 5_000_000);
const SOURCE_ROWS = Math.round(ROWS / 50);
const FILES = 8;
/** Of the source's keys, those that the table lacks: one in fifty. */
const KEYS = Math.round(ROWS * 1.02);
const SCHEMA = struct({
  id: 'long',
  at: 'timestamp',
  user: 'string',
  price: 'double',
  ok: 'boolean',
  page: 'string',
  n: 'integer',
});

/** Rows with the ids that `id` gives, an expression over `i`. */
function rowsSql(id: string, { from, count }: { from: number; count: number }): string {
  return (
    `SELECT CAST(${id} AS BIGINT) AS id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(i % 1000000) AS at, ` +
    `'user-' || (hash(i) % 9973) AS "user", (hash(i) % 100000) / 100 AS price, i % 2 = 0 AS ok, ` +
    `'/catalogue/products/' || (hash(i) % 100000) || '/details' AS page, CAST(i % 1000 AS INTEGER) AS n ` +
    `FROM range(${from}, ${from + count}) AS t(i)`
  );
}

export async function run(report: Report): Promise<void> {
  const directory = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'sluice-bench-merge-'));
  const engine = await DuckDbEngine.create();
  const installed = await installDeltaRs();
  const deltaRs = 'parts' in installed ? installed.parts : undefined;
  if ('missing' in installed) report.say(`  without delta-rs: ${installed.missing}`);
  try {
    await merges(report, { directory, engine, vectors: true, ratioMax: 0.15, deltaRs });
    await merges(report, { directory, engine, vectors: false, ratioMax: 1.2 });
  } finally {
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function merges(
  report: Report,
  world: {
    directory: string;
    engine: DuckDbEngine;
    vectors: boolean;
    ratioMax: number;
    deltaRs?: PythonParts | undefined;
  },
): Promise<void> {
  const { directory, engine, vectors, ratioMax, deltaRs } = world;
  const rewrites: number[] = [];
  const rounds: number[] = [];
  const foreign: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    // A table of its own for each round, so that no round meets the vectors of another.
    const root = `${vectors ? 'vectors' : 'copies'}-${round}`;
    const table = await filled(world, root, vectors);
    const { sql } = await (await table.snapshot()).scan();
    const copy = `COPY (${sql}) TO '${join(directory, 'all.parquet')}' (FORMAT parquet, COMPRESSION snappy)`;
    rewrites.push(await timeOf(() => engine.session((session) => session.run(copy))));
    const keys = `hash(i * 7919 + ${round}) % ${KEYS}`;
    const changes = join(directory, 'changes.parquet');
    const select = `SELECT DISTINCT ON (id) * FROM (${rowsSql(keys, { from: 0, count: SOURCE_ROWS })})`;
    await engine.session((session) => session.run(`COPY (${select}) TO '${changes}' (FORMAT parquet)`));
    const source = `SELECT * FROM read_parquet('${changes}')`;
    rounds.push(
      await timeOf(() =>
        table
          .merge({ source: { kind: 'sql', sql: source }, on: 'target.id = source.id' })
          .whenMatchedUpdate({ set: 'all' })
          .whenNotMatchedInsert({ values: 'all' })
          .execute(),
      ),
    );
    rmSync(join(directory, root), { recursive: true, force: true });
    if (deltaRs === undefined) continue;
    await filled(world, `${root}-rs`, false);
    foreign.push(await mergeOfDeltaRs(deltaRs, join(directory, `${root}-rs`), changes));
    rmSync(join(directory, `${root}-rs`), { recursive: true, force: true });
  }
  const work = `merge of ${SOURCE_ROWS.toLocaleString('en')} rows into ${ROWS.toLocaleString('en')}, ${vectors ? 'deletion vectors' : 'copy-on-write'}`;
  report.add(
    compare({
      bench: 'lake-merge',
      work,
      unit: 'ms',
      rounds,
      baseline: { name: 'DuckDB COPY of all rows', rounds: rewrites },
      goal: { text: `≤ ${ratioMax} × COPY`, met: (ratio) => ratio <= ratioMax },
      note: 'the source is a Parquet file; the commit is durable at the end of the time',
    }),
  );
  if (deltaRs === undefined) return;
  report.add(
    compare({
      bench: 'lake-merge',
      work,
      unit: 'ms',
      rounds,
      baseline: { name: 'delta-rs', rounds: foreign },
      goal: { text: 'faster than delta-rs', met: (ratio) => ratio < 1 },
    }),
  );
}

/** A table of some files with all rows. */
async function filled(
  { directory, engine }: { directory: string; engine: DuckDbEngine },
  root: string,
  vectors: boolean,
): Promise<DeltaTable> {
  const table = await DeltaTable.create({
    store: new LocalStore(directory),
    engine,
    root,
    schema: SCHEMA,
    properties: vectors ? { 'delta.enableDeletionVectors': 'true' } : {},
  });
  const each = Math.ceil(ROWS / FILES);
  for (let at = 0; at < FILES; at += 1) {
    await table.append({ source: { kind: 'sql', sql: rowsSql('i', { from: at * each, count: each }) } });
  }
  return table;
}

async function mergeOfDeltaRs(
  { python, packages }: PythonParts,
  table: string,
  changes: string,
): Promise<number> {
  const script = join(import.meta.dirname, '..', '..', 'delta', 'test', 'foreign', 'merge_speed.py');
  const { stdout } = await promisify(execFile)(python, [script, table, changes], {
    env: { ...process.env, PYTHONPATH: packages },
  });
  return (JSON.parse(stdout) as { ms: number }).ms;
}

async function timeOf(task: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await task();
  return performance.now() - startMs;
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
