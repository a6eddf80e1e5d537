/** Starts the servers of the ingest benches and runs loads against them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSluice } from '../../test/sluice-process.ts';
import type { Load, LoadResult } from './load.ts';

export interface Target {
  readonly port: number;
  stop(): Promise<void>;
}

/** `sluice start --dev` on a directory of its own; BENCH_HARNESS=1 takes the streams and their edge alone. */
export async function startTarget(): Promise<Target> {
  const directory = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'sluice-bench-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  if (process.env['BENCH_HARNESS'] !== undefined) {
    const harness = await startScript('./ingest-harness.ts', [directory]);
    return { port: harness.port, stop: () => harness.stop().then(remove) };
  }
  const sluice = await startSluice(directory, '--dev');
  return { port: Number(new URL(sluice.url).port), stop: () => sluice.stop().then(remove) };
}

export function startLimit(): Promise<Target> {
  return startScript('./limit-server.ts', []);
}

/** kinesalite, when BENCH_KINESALITE names where it is installed. */
export async function startKinesalite(): Promise<Target | undefined> {
  const path = process.env['BENCH_KINESALITE'];
  if (path === undefined) return undefined;
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const child = spawn(
    process.execPath,
    [join(path, 'cli.js'), '--port', String(port), '--createStreamMs', '0'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(child.stdout, 'data');
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function startScript(script: string, args: readonly string[]): Promise<Target> {
  const path = fileURLToPath(import.meta.resolve(script));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(/ready http:\/\/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]);
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

export async function runLoad(load: Load): Promise<LoadResult> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve('./load.ts'))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(load));
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  await once(child, 'close');
  const result = JSON.parse(output) as LoadResult;
  if (result.failed > 0)
    throw new Error(`${result.failed} of ${result.requests} requests of ${load.operation} failed`);
  return result;
}

export async function call(port: number, operation: string, input: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-amz-json-1.1',
      'X-Amz-Target': `Kinesis_20131202.${operation}`,
      Authorization:
        'AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0',
      'X-Amz-Date': '20260101T000000Z',
    },
    body: JSON.stringify(input),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${operation}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** Waits until the stream takes records: other servers make streams in the background. */
export async function createStream(port: number, name: string, shards: number): Promise<void> {
  await call(port, 'CreateStream', { StreamName: name, ShardCount: shards });
  for (;;) {
    const { StreamDescription } = await call(port, 'DescribeStream', { StreamName: name });
    if ((StreamDescription as { StreamStatus: string }).StreamStatus === 'ACTIVE') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Bodies of PutRecords, with keys that spread over all shards. */
export function putRecordsBodies(
  stream: string,
  sizes: { records: number; bytes: number; bodies: number },
): string[] {
  let key = 0;
  return Array.from({ length: sizes.bodies }, () =>
    JSON.stringify({
      StreamName: stream,
      Records: Array.from({ length: sizes.records }, () => ({
        Data: Buffer.alloc(sizes.bytes, key++ % 251).toString('base64'),
        PartitionKey: `device-${key * 7919}`,
      })),
    }),
  );
}
