/**
 * What the log costs: opening a table by its commits or from a checkpoint, planning over many files, durable commits and
 * small durable batches. `node bench/lake-log.ts` runs it alone. Logs are generated; no data file is behind them.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { DeltaTable, field, LocalStore, schemaToJson, struct } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { createReport, median, type Report } from './support/report.ts';
import type { Opening, OpeningResult } from './support/table-opener.ts';

const ROUNDS = 5;
const SCHEMA = struct([field('id', 'long'), field('name', 'string'), field('value', 'double')]);
const BATCH_ROWS = 10_000;

export async function run(report: Report): Promise<void> {
  const root = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'sluice-bench-lake-'));
  const engine = await DuckDbEngine.create();
  try {
    for (const [commits, limitMs] of [
      [10_000, 250],
      [100_000, 3_000],
    ] as const) {
      const table = `commits-${commits}`;
      writeCommits(join(root, table), commits);
      opening(report, { work: `open by ${commits.toLocaleString('en')} commits`, limitMs, root, table });
    }
    for (const [files, limitMs] of [
      [100_000, 400],
      [1_000_000, 1_000],
    ] as const) {
      const table = `checkpoint-${files}`;
      await writeCheckpoint(join(root, table), files);
      const work = `open from a checkpoint of ${files.toLocaleString('en')} files`;
      opening(report, { work, limitMs, root, table });
      planning(report, { root, table, files });
    }
    await commits(report, { root, engine });
    await batches(report, { root, engine });
  } finally {
    await engine.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** Each time in a process of its own: what one leaves in memory is neither the next one's cost nor its gain. */
function opening(
  report: Report,
  { work, limitMs, ...at }: { work: string; limitMs: number; root: string; table: string },
): void {
  const results: OpeningResult[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    results.push(openApart({ ...at, plans: 0, wholeScans: 0 }));
  }
  const rounds = results.map(({ openMs }) => openMs);
  const value = median(rounds);
  const goal = { text: `≤ ${limitMs} ms`, met: value <= limitMs };
  const cpuMs = Math.round(median(results.map(({ openCpuMs }) => openCpuMs)));
  const megabytes = Math.round(median(results.map(({ peakMegabytes }) => peakMegabytes)));
  const note = `${cpuMs} ms of CPU; at most ${megabytes} MB resident`;
  report.add({ bench: 'lake-log', work, unit: 'ms', value, rounds, goal, note });
}

/** The first plan of a process looks through every file's statistics; the ones after it have the bounds at hand. */
function planning(report: Report, at: { root: string; table: string; files: number }): void {
  const { files, ...opening } = at;
  const results: OpeningResult[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    results.push(openApart({ ...opening, plans: 6, wholeScans: files <= 100_000 ? 3 : 0 }));
  }
  const limitMs = 5 + (10 * files) / 10_000;
  const many = files.toLocaleString('en');
  const first = (costs: readonly number[]): number => costs[0] ?? Number.NaN;
  const add = (work: string, rounds: number[], cpu: number[]): void => {
    const value = median(rounds);
    const goal = { text: `≤ ${limitMs} ms`, met: value <= limitMs };
    const note = `${Math.round(median(cpu))} ms of CPU`;
    report.add({ bench: 'lake-log', work, unit: 'ms', value, rounds, goal, note });
  };
  add(
    `first plan of a point query over ${many} files`,
    results.map(({ planMs }) => first(planMs)),
    results.map(({ planCpuMs }) => first(planCpuMs)),
  );
  add(
    `next plans of a point query over ${many} files`,
    results.map(({ planMs }) => median(planMs.slice(1))),
    results.map(({ planCpuMs }) => median(planCpuMs.slice(1))),
  );
  const texts = results.flatMap(({ textMs }) => (textMs.length === 0 ? [] : [median(textMs)]));
  if (texts.length === 0) return;
  const work = `text of a scan of all ${many} files`;
  report.add({ bench: 'lake-log', work, unit: 'ms', value: median(texts), rounds: texts });
}

function openApart(opening: Opening): OpeningResult {
  const program = fileURLToPath(import.meta.resolve('./support/table-opener.ts'));
  const output = execFileSync(process.execPath, [program], {
    input: JSON.stringify(opening),
    stdio: ['pipe', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  return JSON.parse(output) as OpeningResult;
}

/** Commits of one tiny metadata change each: what the log alone allows. */
async function commits(report: Report, at: { root: string; engine: DuckDbEngine }): Promise<void> {
  const table = await DeltaTable.create({
    store: new LocalStore(at.root),
    engine: at.engine,
    root: 'commits',
    schema: SCHEMA,
    properties: { 'delta.checkpointInterval': '100' },
  });
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    for (let count = 0; count < 100; count += 1) {
      await table.append({
        source: { kind: 'rows', rows: [] },
        txns: [{ appId: 'bench', version: round * 100 + count }],
      });
    }
    rounds.push(100 / ((performance.now() - startMs) / 1000));
  }
  const value = median(rounds);
  const goal = { text: '≥ 300 commits/s', met: value >= 300 };
  report.add({
    bench: 'lake-log',
    work: 'durable commits, one writer',
    unit: 'commits/s',
    value,
    rounds,
    goal,
  });
}

async function batches(report: Report, at: { root: string; engine: DuckDbEngine }): Promise<void> {
  const table = await DeltaTable.create({
    store: new LocalStore(at.root),
    engine: at.engine,
    root: 'batches',
    schema: SCHEMA,
  });
  const file = join(at.root, 'batch.ndjson');
  const line = (at: number): string => `{"id":${at},"name":"name ${at}","value":${at / 3}}\n`;
  writeFileSync(file, Array.from({ length: BATCH_ROWS }, (_, at) => line(at)).join(''));
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    for (let count = 0; count < 10; count += 1) await table.append({ source: { kind: 'ndjson', file } });
    rounds.push((10 * BATCH_ROWS) / ((performance.now() - startMs) / 1000));
  }
  const value = median(rounds);
  report.add({
    bench: 'lake-log',
    work: 'batches of 10,000 rows of NDJSON, each durable',
    unit: 'rows/s',
    value,
    rounds,
    goal: { text: '≥ 250,000 rows/s', met: value >= 250_000 },
  });
}

const protocol = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } };
const metaData = {
  metaData: {
    id: 'bench',
    format: { provider: 'parquet', options: {} },
    schemaString: schemaToJson(SCHEMA),
    partitionColumns: [],
    configuration: {},
    createdTime: 0,
  },
};

function writeCommits(table: string, count: number): void {
  const log = join(table, '_delta_log');
  mkdirSync(log, { recursive: true });
  const lines = (actions: readonly object[]): string =>
    actions.map((action) => `${JSON.stringify(action)}\n`).join('');
  for (let version = 0; version < count; version += 1) {
    const commitInfo = { commitInfo: { timestamp: version, operation: 'WRITE' } };
    const actions = version === 0 ? [commitInfo, protocol, metaData] : [commitInfo, { add: addOf(version) }];
    writeFileSync(join(log, `${String(version).padStart(20, '0')}.json`), lines(actions));
  }
}

function addOf(at: number): object {
  const stats = JSON.stringify({
    numRecords: 1000,
    minValues: { id: at * 1000, name: `name ${at}`, value: 0 },
    maxValues: { id: at * 1000 + 999, name: `name ${at}9`, value: 1 },
    nullCount: { id: 0, name: 0, value: 0 },
  });
  const path = `part-00000-${String(at).padStart(12, '0')}-c000.snappy.parquet`;
  return { path, partitionValues: {}, size: 12_345, modificationTime: 0, dataChange: true, stats };
}

/** Made by DuckDB itself, since a million objects are not the subject. */
async function writeCheckpoint(table: string, files: number): Promise<void> {
  const log = join(table, '_delta_log');
  mkdirSync(log, { recursive: true });
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const struct = (text: string): string => `CAST(${text} AS STRUCT(`;
  const stats =
    `format('{{"numRecords":1000,"minValues":{{"id":{},"name":"name {}","value":0}},` +
    `"maxValues":{{"id":{},"name":"name {}9","value":1}},"nullCount":{{"id":0,"name":0,"value":0}}}}', ` +
    'i * 1000, i, i * 1000 + 999, i)';
  const add =
    struct(
      `{'path': format('part-00000-{:012d}-c000.snappy.parquet', i), 'partitionValues': MAP {}, 'size': 12345, ` +
        `'modificationTime': 0, 'dataChange': false, 'stats': ${stats}}`,
    ) +
    'path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR))';
  const meta =
    `${struct(
      `{'id': 'bench', 'format': {'provider': 'parquet', 'options': MAP {}}, 'schemaString': '${metaData.metaData.schemaString}', ` +
        `'partitionColumns': [], 'configuration': MAP {}, 'createdTime': 0}`,
    )}id VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, ` +
    `partitionColumns VARCHAR[], configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT))`;
  const proto = `${struct(`{'minReaderVersion': 1, 'minWriterVersion': 2}`)}minReaderVersion INTEGER, minWriterVersion INTEGER))`;
  await connection.run(`
    COPY (
      SELECT ${proto} AS protocol, NULL AS metaData, NULL AS add
      UNION ALL SELECT NULL, ${meta}, NULL
      UNION ALL SELECT NULL, NULL, ${add} FROM range(${files}) AS t(i)
    ) TO '${join(log, '00000000000000000010.checkpoint.parquet')}' (FORMAT parquet)`);
  connection.closeSync();
  writeFileSync(join(log, '_last_checkpoint'), JSON.stringify({ version: 10, size: files + 2 }));
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
