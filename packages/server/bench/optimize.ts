/**
 * OPTIMIZE of many small files against one COPY of the same files by the same DuckDB, in turn. `node bench/optimize.ts
 * [files] [rows a file]` runs it alone.
 *
 * Both read every row and write it once into one file; OPTIMIZE also plans, collects statistics, syncs and commits.
 * What is not measured: stores other than a disk, and reading the log.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeltaTable, LocalStore, quoteText, struct } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { compare, createReport, type Report } from './support/report.ts';

const FILES = 200;
const ROWS_PER_FILE = 25_000;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7);
const RATIO_MAX = 1.1;
const GOAL = { text: `≤ ${RATIO_MAX} × one COPY`, met: (ratio: number) => ratio <= RATIO_MAX };
const SCHEMA = struct({
  id: 'long',
  at: 'timestamp',
  origin: 'string',
  delay: 'integer',
  price: 'decimal(12,2)',
});

export async function run(report: Report, files = FILES, rowsPerFile = ROWS_PER_FILE): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-optimize-'));
  const engine = await DuckDbEngine.create();
  try {
    const options = { store: new LocalStore(directory), engine, root: 't' };
    const table = await DeltaTable.create({ ...options, schema: SCHEMA });
    report.say(`  writing ${files} files of ${rowsPerFile.toLocaleString('en')} rows`);
    for (let at = 0; at < files; at++) {
      await table.append({ source: { kind: 'sql', sql: rowsSql(at * rowsPerFile, rowsPerFile) } });
    }
    const { version } = await table.snapshot();
    const scan = (await (await table.snapshot({ version })).scan()).sql;
    const target = quoteText(join(directory, 'copy.parquet'));
    const copies: number[] = [];
    const optimized: number[] = [];
    const ordered: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const copyMs = await timed(() =>
        engine.session((session) =>
          session.run(`COPY (${scan}) TO ${target} (FORMAT parquet, COMPRESSION snappy)`),
        ),
      );
      copies.push(copyMs);
      optimized.push(await timed(async () => assert.equal((await table.optimize()).filesRemoved, files)));
      await table.restore({ version });
      ordered.push(await timed(() => table.optimize({ zOrderBy: ['origin', 'delay'] })));
      await table.restore({ version });
    }
    const rows = `${(files * rowsPerFile).toLocaleString('en')} rows in ${files} files`;
    const baseline = { name: 'one COPY', rounds: copies };
    const shared = { bench: 'optimize', unit: 'ms', baseline };
    report.add(compare({ ...shared, work: `OPTIMIZE of ${rows}`, rounds: optimized, goal: GOAL }));
    report.add(compare({ ...shared, work: `OPTIMIZE ZORDER BY 2 columns of ${rows}`, rounds: ordered }));
  } finally {
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function rowsSql(first: number, count: number): string {
  return (
    `SELECT range AS id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(range::INTEGER) AS at, ` +
    `'A' || hash(range) % 500 AS origin, (hash(range + 1) % 600)::INTEGER AS delay, ` +
    `((hash(range + 2) % 100000) / 100)::DECIMAL(12, 2) AS price FROM range(${first}, ${first + count})`
  );
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await task();
  return performance.now() - began;
}

if (import.meta.main) {
  const [files, rowsPerFile] = process.argv.slice(2).map(Number);
  const report = createReport();
  await run(report, files, rowsPerFile);
  report.finish();
}
