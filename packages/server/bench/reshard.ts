/** What resharding costs: a split in a stream of 1,000 shards against one of 4, and twice as many shards at once. */
import { call, createStream, startTarget } from './support/load-run.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 15);
const SCALING_ROUNDS = 3;
const [FEW, MANY] = [4, 1_000];

interface Shard {
  readonly ShardId: string;
  readonly HashKeyRange: { readonly StartingHashKey: string; readonly EndingHashKey: string };
}

export async function run(report: Report): Promise<void> {
  const { port, stop } = await startTarget();
  try {
    const few: number[] = [];
    const many: number[] = [];
    for (const shards of [FEW, MANY]) await createStream(port, `split-${shards}`, shards);
    for (let round = 0; round < ROUNDS; round += 1) {
      few.push(await splitOne(port, `split-${FEW}`));
      many.push(await splitOne(port, `split-${MANY}`));
    }
    report.add(
      compare({
        bench: 'reshard',
        work: `SplitShard until the stream is ACTIVE, ${MANY.toLocaleString('en')} shards`,
        unit: 'ms',
        rounds: many,
        baseline: { name: `${FEW} shards`, rounds: few },
      }),
    );
    const doubled: number[] = [];
    const halved: number[] = [];
    await createStream(port, 'scaled', MANY);
    for (let round = 0; round < SCALING_ROUNDS; round += 1) {
      doubled.push(await scale(port, 2 * MANY));
      halved.push(await scale(port, MANY));
    }
    for (const [work, rounds] of [
      [`UpdateShardCount ${MANY} → ${2 * MANY}, until ACTIVE`, doubled],
      [`UpdateShardCount ${2 * MANY} → ${MANY}, until ACTIVE`, halved],
    ] as const) {
      report.add({ bench: 'reshard', work, unit: 'ms', value: rounds.toSorted((a, b) => a - b)[1]!, rounds });
    }
  } finally {
    await stop();
  }
}

/** Splits the stream's last open shard in the middle. Listing the shards is not part of the time. */
async function splitOne(port: number, stream: string): Promise<number> {
  const shards: Shard[] = [];
  let next: string | undefined;
  do {
    const input = next === undefined ? { StreamName: stream } : { NextToken: next };
    const page = await call(port, 'ListShards', input);
    shards.push(...(page['Shards'] as Shard[]));
    next = page['NextToken'] as string | undefined;
  } while (next !== undefined);
  const shard = shards.at(-1)!;
  const [low, high] = [BigInt(shard.HashKeyRange.StartingHashKey), BigInt(shard.HashKeyRange.EndingHashKey)];
  const startMs = performance.now();
  await call(port, 'SplitShard', {
    StreamName: stream,
    ShardToSplit: shard.ShardId,
    NewStartingHashKey: String((low + high) / 2n + 1n),
  });
  await active(port, stream);
  return performance.now() - startMs;
}

async function scale(port: number, shards: number): Promise<number> {
  const startMs = performance.now();
  await call(port, 'UpdateShardCount', {
    StreamName: 'scaled',
    TargetShardCount: shards,
    ScalingType: 'UNIFORM_SCALING',
  });
  await active(port, 'scaled');
  return performance.now() - startMs;
}

async function active(port: number, stream: string): Promise<void> {
  for (;;) {
    const answer = await call(port, 'DescribeStreamSummary', { StreamName: stream });
    const { StreamStatus } = answer['StreamDescriptionSummary'] as { StreamStatus: string };
    if (StreamStatus === 'ACTIVE') return;
  }
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
