/** (a) PutRecords, PutRecord, GetRecords and put-to-get latency, against the limit server and kinesalite in the same run. */
import {
  createStream,
  call,
  putRecordsBodies,
  runLoad,
  startKinesalite,
  startLimit,
  startTarget,
  type Target,
} from './support/load-run.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 2);
const STREAM = 'bench';
const SHARDS = 4;

interface Work {
  readonly name: string;
  readonly operation: string;
  readonly connections: number;
  readonly recordsPerRequest: number;
  readonly bodies: readonly string[];
  /** Of the limit server and of kinesalite. */
  readonly goals: { readonly limit: number; readonly kinesalite: number };
}

const WORKS: readonly Work[] = [
  {
    name: 'PutRecords 500 × 200 B, 4 connections',
    operation: 'PutRecords',
    connections: 4,
    recordsPerRequest: 500,
    bodies: putRecordsBodies(STREAM, { records: 500, bytes: 200, bodies: 16 }),
    goals: { limit: 0.6, kinesalite: 10 },
  },
  {
    name: 'PutRecords 500 × 1 KB, 4 connections',
    operation: 'PutRecords',
    connections: 4,
    recordsPerRequest: 500,
    bodies: putRecordsBodies(STREAM, { records: 500, bytes: 1_000, bodies: 16 }),
    goals: { limit: 0.6, kinesalite: 10 },
  },
  {
    name: 'PutRecord 200 B, 32 connections',
    operation: 'PutRecord',
    connections: 32,
    recordsPerRequest: 1,
    bodies: Array.from({ length: 256 }, (_, index) =>
      JSON.stringify({
        StreamName: STREAM,
        PartitionKey: `device-${index}`,
        Data: Buffer.alloc(200, index).toString('base64'),
      }),
    ),
    goals: { limit: 0.6, kinesalite: 4 },
  },
];

export async function run(report: Report): Promise<void> {
  const [sluice, limit, kinesalite] = [await startTarget(), await startLimit(), await startKinesalite()];
  try {
    await createStream(sluice.port, STREAM, SHARDS);
    if (kinesalite) await createStream(kinesalite.port, STREAM, SHARDS);
    else report.say('  without kinesalite: BENCH_KINESALITE does not name where it is installed');
    for (const work of WORKS) await puts(report, work, { sluice, limit, kinesalite });
    await gets(report, sluice, limit);
    await putToGet(report, sluice);
  } finally {
    for (const target of [sluice, limit, kinesalite]) await target?.stop();
  }
}

async function puts(
  report: Report,
  work: Work,
  targets: { sluice: Target; limit: Target; kinesalite: Target | undefined },
): Promise<void> {
  const rate = async ({ port }: Target) => {
    const { operation, bodies, connections } = work;
    const result = await runLoad({ port, operation, bodies, connections, seconds: SECONDS });
    return (result.requests * work.recordsPerRequest) / result.seconds;
  };
  const ours: number[] = [];
  const limit: number[] = [];
  const kinesalite: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await rate(targets.sluice));
    limit.push(await rate(targets.limit));
    if (targets.kinesalite) kinesalite.push(await rate(targets.kinesalite));
  }
  const row = (name: string, rounds: readonly number[], goal: number) =>
    compare({
      bench: 'ingest',
      work: work.name,
      unit: 'records/s',
      rounds: ours,
      baseline: { name, rounds },
      goal: { text: `≥ ${goal} × ${name}`, met: (ratio) => ratio >= goal },
    });
  report.add(row('limit server', limit, work.goals.limit));
  if (kinesalite.length > 0) report.add(row('kinesalite', kinesalite, work.goals.kinesalite));
}

/** Reads the same 10,000 newest records again and again, from memory on both sides. */
async function gets(report: Report, sluice: Target, limit: Target): Promise<void> {
  const name = 'bench-read';
  await createStream(sluice.port, name, 1);
  const bodies = putRecordsBodies(name, { records: 500, bytes: 200, bodies: 20 });
  for (const body of bodies) await call(sluice.port, 'PutRecords', JSON.parse(body) as object);
  const { ShardIterator } = await call(sluice.port, 'GetShardIterator', {
    StreamName: name,
    ShardId: 'shardId-000000000000',
    ShardIteratorType: 'TRIM_HORIZON',
  });
  const rate = async ({ port }: Target, body: object) => {
    const result = await runLoad({
      port,
      operation: 'GetRecords',
      bodies: [JSON.stringify(body)],
      connections: 2,
      seconds: SECONDS,
    });
    return (result.requests * 10_000) / result.seconds;
  };
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await rate(sluice, { ShardIterator }));
    theirs.push(await rate(limit, { From: 0 }));
  }
  report.add(
    compare({
      bench: 'ingest',
      work: 'GetRecords of 10,000, 2 connections',
      unit: 'records/s',
      rounds: ours,
      baseline: { name: 'limit server', rounds: theirs },
    }),
  );
}

async function putToGet(report: Report, { port }: Target): Promise<void> {
  const name = 'bench-latency';
  await createStream(port, name, 1);
  let { ShardIterator: iterator } = await call(port, 'GetShardIterator', {
    StreamName: name,
    ShardId: 'shardId-000000000000',
    ShardIteratorType: 'LATEST',
  });
  const times: number[] = [];
  for (let index = 0; index < 500; index++) {
    const startMs = performance.now();
    await call(port, 'PutRecord', { StreamName: name, PartitionKey: 'k', Data: 'YWJj' });
    const answer = await call(port, 'GetRecords', { ShardIterator: iterator });
    if ((answer['Records'] as unknown[]).length !== 1)
      throw new Error('a record was not there right after its put');
    times.push(performance.now() - startMs);
    iterator = answer['NextShardIterator'];
  }
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)]!;
  report.add({
    bench: 'ingest',
    work: 'put, then get, p50',
    unit: 'ms',
    value: times[times.length >> 1]!,
    rounds: [],
    note: `p99 ${p99.toFixed(2)} ms; through fetch, one after another`,
  });
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
