/** (b) Whether throughput holds as shards grow: 4, 64 and 1,000 shards in turn on one server. */
import { createStream, putRecordsBodies, runLoad, startTarget } from './support/load-run.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 2);
const SHARDS = [4, 64, 1_000] as const;
const GOALS: Readonly<Record<number, number>> = { 64: 0.7, 1_000: 0.7 };

export async function run(report: Report): Promise<void> {
  const { port, stop } = await startTarget();
  try {
    const rounds = new Map<number, number[]>(SHARDS.map((shards) => [shards, []]));
    for (const shards of SHARDS) await createStream(port, `bench-${shards}`, shards);
    const bodies = new Map(
      SHARDS.map((shards) => [
        shards,
        putRecordsBodies(`bench-${shards}`, { records: 500, bytes: 200, bodies: 16 }),
      ]),
    );
    for (let round = 0; round < ROUNDS; round++) {
      for (const shards of SHARDS) {
        const load = {
          port,
          operation: 'PutRecords',
          bodies: bodies.get(shards)!,
          connections: 4,
          seconds: SECONDS,
        };
        const result = await runLoad(load);
        rounds.get(shards)!.push((result.requests * 500) / result.seconds);
      }
    }
    for (const shards of SHARDS.slice(1)) {
      const goal = GOALS[shards]!;
      report.add(
        compare({
          bench: 'shards',
          work: `PutRecords 500 × 200 B, ${shards} shards`,
          unit: 'records/s',
          rounds: rounds.get(shards)!,
          baseline: { name: '4 shards', rounds: rounds.get(4)! },
          goal: { text: `≥ ${goal} × 4 shards`, met: (ratio) => ratio >= goal },
        }),
      );
    }
  } finally {
    await stop();
  }
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
