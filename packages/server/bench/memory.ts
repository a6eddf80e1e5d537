/** Resident memory while ten million records go in and are delivered: it must be flat after the first million. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSluice } from '../test/sluice-process.ts';
import { awsCall } from './support/aws-call.ts';
import { createReport, type Report } from './support/report.ts';
import { residentBytes } from './start.ts';

const RECORDS = Number(process.env['BENCH_MEMORY_RECORDS'] ?? 10_000_000);
const RECORDS_PER_CALL = 500;
const CONNECTIONS = 4;
const SAMPLES = 20;
const GROWTH_MAX = 1.15;

export async function run(report: Report): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'sluice-bench-memory-'));
  const server = await startSluice(data, '--dev');
  try {
    await awsCall(server.url, 'kinesis', 'CreateStream', { StreamName: 'load', ShardCount: 4 });
    const samples = await samplesUnderLoad(server.url, server.pid, report);
    const early = Math.max(...samples.slice(2, SAMPLES / 2));
    const late = Math.max(...samples.slice(SAMPLES / 2));
    report.add({
      bench: 'memory',
      work: `resident memory over ${RECORDS.toLocaleString('en')} records of 200 B`,
      unit: 'MB',
      value: late,
      rounds: samples,
      baseline: { name: 'the first half', value: early, rounds: samples.slice(2, SAMPLES / 2) },
      ratio: late / early,
      goal: { text: `flat: second half ≤ ${GROWTH_MAX} × first`, met: late / early <= GROWTH_MAX },
    });
  } finally {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

async function samplesUnderLoad(url: string, pid: number, report: Report): Promise<number[]> {
  const payload = Buffer.alloc(200, 'x').toString('base64');
  const records = Array.from({ length: RECORDS_PER_CALL }, (_, i) => ({
    PartitionKey: `key-${i}`,
    Data: payload,
  }));
  const body = JSON.stringify({ StreamName: 'load', Records: records });
  const calls = Math.ceil(RECORDS / RECORDS_PER_CALL);
  const samples: number[] = [];
  let called = 0;
  const connection = async () => {
    while (called < calls) {
      if (++called % Math.ceil(calls / SAMPLES) === 0) {
        samples.push(residentBytes(pid) / 1e6);
        report.say(
          `  ${(called * RECORDS_PER_CALL).toLocaleString('en')} records: ${samples.at(-1)!.toFixed(0)} MB`,
        );
      }
      await awsCall(url, 'kinesis', 'PutRecords', body);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  return samples;
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
