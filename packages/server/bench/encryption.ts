/** What encryption at rest costs ingest: an encrypted stream and one in the clear, in turn, on one log and disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalKeys } from '../src/adapters/local-keys/index.ts';
import { createNodeDisk } from '../src/adapters/node-disk/index.ts';
import { createSecretFile } from '../src/adapters/node-secret-file/index.ts';
import { openSqliteMetaStore } from '../src/adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../src/adapters/system/index.ts';
import { createStreams, type RecordsIn, type Streams } from '../src/modules/streams/index.ts';
import { quietLogger, quietMetrics } from '../src/modules/streams/testing/quiet.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);
const MS_PER_ROUND = 1_000 * Number(process.env['BENCH_SECONDS'] ?? 2);
const RECORDS = 500;
const RECORD_BYTES = 200;
const WRITERS = 4;
const COST_MAX = 0.15;
const ALIAS = 'alias/aws/kinesis';

export async function run(report: Report): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-encryption-'));
  const meta = await openSqliteMetaStore(join(directory, 'meta.db'));
  const streams = await createStreams({
    disk: createNodeDisk(),
    directory,
    meta,
    clock: createSystemClock(),
    random: createSystemRandom(),
    logger: quietLogger,
    metrics: quietMetrics,
    keys: createLocalKeys({ file: createSecretFile(join(directory, 'master-keys.json')) }),
  });
  try {
    for (const name of ['encrypted', 'clear'])
      await streams.create({ name, shardCount: 4, mode: 'PROVISIONED' });
    await streams.startEncryption('encrypted', { key: ALIAS, named: ALIAS });
    const data = Buffer.alloc(RECORD_BYTES, 'x').toString('base64');
    const records = {
      partitionKeys: Array.from({ length: RECORDS }, (_, index) => `key-${index}`),
      data: Array.from({ length: RECORDS }, () => data),
    };
    const rounds = { encrypted: [] as number[], clear: [] as number[] };
    for (let round = -1; round < ROUNDS; round++)
      // The order changes, so that what one leaves to the disk meets both.
      for (const name of round % 2 === 0
        ? (['encrypted', 'clear'] as const)
        : (['clear', 'encrypted'] as const)) {
        const perSecond = await ingest(streams, name, records);
        // The first round is for the compiler.
        if (round >= 0) rounds[name].push(perSecond);
      }
    report.add(
      compare({
        bench: 'encryption',
        work: `append ${RECORDS} × ${RECORD_BYTES} B, 4 shards, ${WRITERS} writers, encrypted`,
        unit: 'records/s',
        rounds: rounds.encrypted,
        baseline: { name: 'in the clear', rounds: rounds.clear },
        goal: { text: `cost ≤ ${COST_MAX * 100} %`, met: (ratio) => ratio >= 1 - COST_MAX },
      }),
    );
  } finally {
    await streams.close();
    await meta.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function ingest(streams: Streams, name: string, records: RecordsIn): Promise<number> {
  const startMs = performance.now();
  let appended = 0;
  const writer = async () => {
    while (performance.now() - startMs < MS_PER_ROUND) {
      await streams.append(name, records);
      appended += records.data.length;
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  return (appended / (performance.now() - startMs)) * 1_000;
}

if (import.meta.main) {
  const report = createReport();
  await run(report);
  report.finish();
}
