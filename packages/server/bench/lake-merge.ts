/**
 * What changing a few rows of a large table costs, against DuckDB writing all of its rows anew in the same round: a
 * merge of keys from all over the table, with deletion vectors and by copying, commit included. `node
 * bench/lake-merge.ts` runs it alone; `BENCH_MERGE_ROWS` makes the table smaller.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DeltaTable, LocalStore, struct } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
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
  try {
    for (const { vectors, ratioMax } of [
      { vectors: true, ratioMax: 0.15 },
      { vectors: false, ratioMax: 1.2 },
    ]) {
      await merges(report, { directory, engine, vectors, ratioMax });
    }
  } finally {
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function merges(
  report: Report,
  world: { directory: string; engine: DuckDbEngine; vectors: boolean; ratioMax: number },
): Promise<void> {
  const { directory, engine, vectors, ratioMax } = world;
  const rewrites: number[] = [];
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    // A table of its own for each round, so that no round meets the vectors of another.
    const root = `${vectors ? 'vectors' : 'copies'}-${round}`;
    const table = await DeltaTable.create({
      store: new LocalStore(directory),
      engine,
      root,
      schema: SCHEMA,
      properties: { 'delta.enableDeletionVectors': String(vectors) },
    });
    const each = Math.ceil(ROWS / FILES);
    for (let at = 0; at < FILES; at += 1) {
      await table.append({ source: { kind: 'sql', sql: rowsSql('i', { from: at * each, count: each }) } });
    }
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
  }
  report.add(
    compare({
      bench: 'lake-merge',
      work: `merge of ${SOURCE_ROWS.toLocaleString('en')} rows into ${ROWS.toLocaleString('en')}, ${vectors ? 'deletion vectors' : 'copy-on-write'}`,
      unit: 'ms',
      rounds,
      baseline: { name: 'DuckDB COPY of all rows', rounds: rewrites },
      goal: { text: `≤ ${ratioMax} × COPY`, met: (ratio) => ratio <= ratioMax },
      note: 'the source is a Parquet file; the commit is durable at the end of the time',
    }),
  );
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
