/**
 * (f) Push: from a put to its event for 1, 5 and 20 consumers of a shard, and the rate at which 1 and 20 of them read.
 * `BENCH_ROUNDS`, `BENCH_PUTS` and `BENCH_FILL_MB` set how much is done.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request, Agent } from 'node:http';
import { fileURLToPath } from 'node:url';
import { openSubscription, type Subscribers, type SubscribersResult } from './support/fan-out-subscribers.ts';
import { call, createStream, putRecordsBodies, startTarget } from './support/load-run.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const PUTS = Number(process.env['BENCH_PUTS'] ?? 300);
const FILL_MB = Number(process.env['BENCH_FILL_MB'] ?? 64);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 2);
const SHARD = 'shardId-000000000000';
const CONSUMERS = [1, 5, 20] as const;
const MANY = 20;
const LATENCY_GOAL = 2;
const RATE_GOAL = 10;
/** What a shard takes on AWS. */
const PACED_BYTES = 2 ** 20;

export async function run(report: Report): Promise<void> {
  const { port, stop } = await startTarget();
  try {
    for (const consumers of CONSUMERS) await latency(report, port, consumers);
    await pacedRate(report, port);
    for (const version of [2, 1] as const) await catchUpRate(report, port, version);
  } finally {
    await stop();
  }
}

async function register(port: number, stream: string, count: number): Promise<string[]> {
  const StreamARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${stream}`;
  const arns: string[] = [];
  for (let index = 0; index < count; index++) {
    const input = { StreamARN, ConsumerName: `app-${index}` };
    const { Consumer } = await call(port, 'RegisterStreamConsumer', input);
    arns.push((Consumer as { ConsumerARN: string }).ConsumerARN);
  }
  return arns;
}

/** Puts one after another, each only when all consumers have the one before. */
async function latency(report: Report, port: number, consumers: number): Promise<void> {
  const stream = `push-${consumers}`;
  await createStream(port, stream, 1);
  const arns = await register(port, stream, consumers);
  let waiting = { left: 0, times: [] as number[], done: () => {} };
  const arrived = (): void => {
    waiting.times.push(performance.now());
    if (--waiting.left === 0) waiting.done();
  };
  const round = (): Promise<number[]> =>
    new Promise((resolve) => (waiting = { left: consumers, times: [], done: () => resolve(waiting.times) }));
  const opened = round();
  const leaving = arns.map((arn) =>
    openSubscription(
      { port, arn, shardId: SHARD, position: 'LATEST', version: 2 },
      { data: arrived, end: () => {}, failed: (error) => console.error(error.message) },
    ),
  );
  await opened;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = JSON.stringify({ StreamName: stream, PartitionKey: 'k', Data: 'YWJj'.repeat(50) });
  const puts: number[][] = [];
  const pushes: number[][] = [];
  for (let index = 0; index < ROUNDS; index++) {
    puts.push([]);
    pushes.push([]);
    for (let put = 0; put < PUTS; put++) {
      const all = round();
      const startMs = performance.now();
      await putRecord(port, agent, body);
      puts[index]!.push(performance.now() - startMs);
      for (const atMs of await all) pushes[index]!.push(atMs - startMs);
    }
  }
  for (const leave of leaving) leave();
  agent.destroy();
  const goal = { text: `≤ ${LATENCY_GOAL} × put`, met: (ratio: number) => ratio <= LATENCY_GOAL };
  for (const [name, part] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const)
    report.add(
      compare({
        bench: 'fan-out',
        work: `put → event ${name}, ${consumers} consumers of a shard`,
        unit: 'ms',
        rounds: pushes.map((times) => quantile(times, part)),
        baseline: { name: `put ${name}`, rounds: puts.map((times) => quantile(times, part)) },
        ...(name === 'p50' && { goal }),
        note: 'each consumer counts; the next put waits for all of them; SDK parsing is not in it',
      }),
    );
}

async function putRecord(port: number, agent: Agent, body: string): Promise<void> {
  const put = request({
    port,
    host: '127.0.0.1',
    agent,
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'content-length': body.length,
      'x-amz-target': 'Kinesis_20131202.PutRecord',
      authorization:
        'AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0',
    },
  });
  put.end(body);
  const [response] = (await once(put, 'response')) as [import('node:http').IncomingMessage];
  response.resume();
  await once(response, 'end');
}

/** A shard that takes what it may on AWS, read by 1 and by 20 consumers as it comes. */
async function pacedRate(report: Report, port: number): Promise<void> {
  const rates = new Map<number, number[]>([1, MANY].map((count) => [count, []]));
  for (let index = 0; index < ROUNDS; index++) {
    for (const count of [1, MANY]) {
      const stream = `paced-${count}-${index}`;
      await createStream(port, stream, 1);
      const arns = await register(port, stream, count);
      const [body] = putRecordsBodies(stream, { records: 100, bytes: 1_000, bodies: 1 });
      const everyMs = (100 * 1_000 * 1_000) / PACED_BYTES;
      const timer = setInterval(() => void call(port, 'PutRecords', JSON.parse(body!) as object), everyMs);
      const result = await subscribers({
        port,
        arns,
        shardId: SHARD,
        position: 'LATEST',
        version: 2,
        seconds: SECONDS,
      });
      clearInterval(timer);
      rates.get(count)!.push(result.bytes / result.seconds / 1e6);
    }
  }
  addRate(report, 'at 1 MB/s of puts, over HTTP/2', rates);
}

/** A closed shard, from its beginning to its end, as fast as it goes. */
async function catchUpRate(report: Report, port: number, version: 1 | 2): Promise<void> {
  const stream = `catch-up-${version}`;
  await createStream(port, stream, 1);
  const arns = await register(port, stream, MANY);
  const bodies = putRecordsBodies(stream, { records: 500, bytes: 1_000, bodies: 4 });
  for (let index = 0; index < FILL_MB * 2; index++)
    await call(port, 'PutRecords', JSON.parse(bodies[index % bodies.length]!) as object);
  const split = { StreamName: stream, ShardToSplit: SHARD, NewStartingHashKey: String(2n ** 127n) };
  await call(port, 'SplitShard', split);
  const rates = new Map<number, number[]>([1, MANY].map((count) => [count, []]));
  for (let index = 0; index < ROUNDS; index++) {
    for (const count of [1, MANY]) {
      const result = await subscribers({
        port,
        arns: arns.slice(0, count),
        shardId: SHARD,
        position: 'TRIM_HORIZON',
        version,
      });
      if (result.leastBytes < FILL_MB * 1e6)
        throw new Error(`a consumer got only ${result.leastBytes} bytes`);
      rates.get(count)!.push(result.bytes / result.seconds / 1e6);
    }
  }
  addRate(report, `of ${FILL_MB} MB behind, over HTTP/${version}`, rates);
}

function addRate(report: Report, work: string, rates: ReadonlyMap<number, readonly number[]>): void {
  report.add(
    compare({
      bench: 'fan-out',
      work: `${MANY} consumers of a shard ${work}`,
      unit: 'MB/s together',
      rounds: rates.get(MANY)!,
      baseline: { name: '1 consumer', rounds: rates.get(1)! },
      goal: { text: `≥ ${RATE_GOAL} × one`, met: (ratio) => ratio >= RATE_GOAL },
      note: 'bytes of the event stream; all consumers in one other process, which shares the machine',
    }),
  );
}

async function subscribers(work: Subscribers): Promise<SubscribersResult> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.resolve('./support/fan-out-subscribers.ts'))],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  child.stdin.end(JSON.stringify(work));
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  await once(child, 'close');
  return JSON.parse(output) as SubscribersResult;
}

function quantile(times: readonly number[], part: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * part)]!;
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
