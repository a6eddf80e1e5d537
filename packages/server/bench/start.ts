/**
 * Time from the command to `ready`, and resident memory when idle: on an empty directory, and on one with 10 GB of
 * segments. Both starts are measured in turn.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as settle } from 'node:timers/promises';
import { startSluice } from '../test/sluice-process.ts';
import { awsCall } from './support/aws-call.ts';
import { compare, createReport, median, type Report } from './support/report.ts';

const ROUNDS = 7;
const FILL_BYTES = Number(process.env['BENCH_FILL_BYTES'] ?? 10 * 2 ** 30);
const RECORD_BYTES = 1_000_000;
const RECORDS_PER_CALL = 5;
const CONNECTIONS = 4;
const START_MS_GOAL = 500;
const IDLE_MB_GOAL = 200;
/** Garbage of the start is collected and memory given back before idle memory is read. */
const SETTLE_MS = 3_000;

export async function run(report: Report): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'sluice-bench-start-'));
  try {
    const full = join(root, 'full');
    report.say(`  writing ${(FILL_BYTES / 2 ** 30).toFixed(1)} GiB of records`);
    await fill(full);
    const empty: number[] = [];
    const filled: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      empty.push(await startMs(join(root, `empty-${round}`)));
      filled.push(await startMs(full));
    }
    report.add({
      bench: 'start',
      work: 'start on an empty directory',
      unit: 'ms',
      value: median(empty),
      rounds: empty,
      goal: { text: `< ${START_MS_GOAL} ms`, met: median(empty) < START_MS_GOAL },
    });
    report.add(
      compare({
        bench: 'start',
        work: `start with ${(FILL_BYTES / 2 ** 30).toFixed(0)} GiB of segments`,
        unit: 'ms',
        rounds: filled,
        baseline: { name: 'empty', rounds: empty },
        goal: { text: 'does not grow with data: ≤ 2 × empty', met: (ratio) => ratio <= 2 },
        note: 'The last, unsealed segment is scanned at each start; its size is bounded, the number of sealed ones is not.',
      }),
    );
    await idle(report, 'idle memory, empty directory', join(root, 'empty-0'));
    await idle(report, 'idle memory, with the segments', full);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function fill(data: string): Promise<void> {
  const server = await startSluice(data, '--dev');
  await awsCall(server.url, 'kinesis', 'CreateStream', { StreamName: 'fill', ShardCount: 4 });
  const payload = Buffer.alloc(RECORD_BYTES, 'x').toString('base64');
  const records = Array.from({ length: RECORDS_PER_CALL }, (_, i) => ({
    PartitionKey: `key-${i}`,
    Data: payload,
  }));
  const body = JSON.stringify({ StreamName: 'fill', Records: records });
  let left = Math.ceil(FILL_BYTES / (RECORD_BYTES * RECORDS_PER_CALL));
  const connection = async () => {
    while (left-- > 0) await awsCall(server.url, 'kinesis', 'PutRecords', body);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  await server.stop();
}

async function startMs(data: string): Promise<number> {
  const began = performance.now();
  const server = await startSluice(data, '--dev');
  const ms = performance.now() - began;
  await server.stop();
  return ms;
}

async function idle(report: Report, work: string, data: string): Promise<void> {
  const server = await startSluice(data, '--dev');
  await settle(SETTLE_MS);
  const megabytes = residentBytes(server.pid) / 1e6;
  await server.stop();
  report.add({
    bench: 'start',
    work,
    unit: 'MB',
    value: megabytes,
    rounds: [megabytes],
    goal: { text: `≤ ${IDLE_MB_GOAL} MB`, met: megabytes <= IDLE_MB_GOAL },
    note: 'Before the first query: the SQL process is started by it and then takes about 100 MB of its own.',
  });
}

/** Of one process, as Linux counts it (VmRSS). */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`no VmRSS of process ${pid}`);
  return Number(kilobytes) * 1024;
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
