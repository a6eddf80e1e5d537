/**
 * What encryption at rest costs ingest: an encrypted stream and one in the clear, in turn, on one log and disk. Once for
 * puts over HTTP, which the goal is about, and once for the module alone, where nothing else hides the cost.
 */
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
import { call, createStream, putRecordsBodies, runLoad, startTarget } from './support/load-run.ts';
import { compare, createReport, type Report } from './support/report.ts';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);
const MS_PER_ROUND = 1_000 * Number(process.env['BENCH_SECONDS'] ?? 2);
const RECORDS = 500;
const RECORD_BYTES = 200;
const WRITERS = 4;
const SHARDS = 4;
const COST_MAX = 0.15;
const ALIAS = 'alias/aws/kinesis';

const NAMES = ['encrypted', 'clear'] as const;
type Rounds = Record<(typeof NAMES)[number], number[]>;

export async function run(report: Report): Promise<void> {
  await overHttp(report);
  await inTheModule(report);
}

/** Records a second of each; the first round is for the compiler, and the order changes for what one leaves to the disk. */
async function inTurn(rate: (name: string) => Promise<number>): Promise<Rounds> {
  const rounds: Rounds = { encrypted: [], clear: [] };
  for (let round = -1; round < ROUNDS; round++)
    for (const name of round % 2 === 0 ? NAMES : NAMES.toReversed()) {
      const perSecond = await rate(name);
      if (round >= 0) rounds[name].push(perSecond);
    }
  return rounds;
}

const row = (work: string, rounds: Rounds, goal?: number) =>
  compare({
    bench: 'encryption',
    work: `${work}, encrypted`,
    unit: 'records/s',
    rounds: rounds.encrypted,
    baseline: { name: 'in the clear', rounds: rounds.clear },
    ...(goal !== undefined && {
      goal: { text: `cost ≤ ${goal * 100} %`, met: (ratio: number) => ratio >= 1 - goal },
    }),
  });

async function overHttp(report: Report): Promise<void> {
  const { port, stop } = await startTarget();
  try {
    for (const name of NAMES) await createStream(port, name, SHARDS);
    await call(port, 'StartStreamEncryption', {
      StreamName: 'encrypted',
      EncryptionType: 'KMS',
      KeyId: ALIAS,
    });
    const puts = (name: string) =>
      putRecordsBodies(name, { records: RECORDS, bytes: RECORD_BYTES, bodies: 16 });
    const put = (StreamName: string) =>
      Array.from({ length: 256 }, (_, index) =>
        JSON.stringify({
          StreamName,
          PartitionKey: `device-${index}`,
          Data: Buffer.alloc(RECORD_BYTES, index).toString('base64'),
        }),
      );
    const works = [
      { operation: 'PutRecords', connections: WRITERS, records: RECORDS, bodies: puts, goal: COST_MAX },
      { operation: 'PutRecord', connections: 32, records: 1, bodies: put, goal: COST_MAX },
    ];
    for (const { operation, connections, records, bodies, goal } of works) {
      const prepared = new Map(NAMES.map((name) => [name as string, bodies(name)]));
      const rounds = await inTurn(async (name) => {
        const seconds = MS_PER_ROUND / 1_000;
        const load = { port, operation, bodies: prepared.get(name)!, connections, seconds };
        const result = await runLoad(load);
        return (result.requests * records) / result.seconds;
      });
      const size = records === 1 ? `${RECORD_BYTES} B` : `${records} × ${RECORD_BYTES} B`;
      report.add(row(`${operation} ${size}, ${SHARDS} shards, ${connections} connections`, rounds, goal));
    }
  } finally {
    await stop();
  }
}

async function inTheModule(report: Report): Promise<void> {
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
    for (const name of NAMES) await streams.create({ name, shardCount: SHARDS, mode: 'PROVISIONED' });
    await streams.startEncryption('encrypted', { key: ALIAS, named: ALIAS });
    const data = Buffer.alloc(RECORD_BYTES, 'x').toString('base64');
    const records = {
      partitionKeys: Array.from({ length: RECORDS }, (_, index) => `key-${index}`),
      data: Array.from({ length: RECORDS }, () => data),
    };
    const rounds = await inTurn((name) => ingest(streams, name, records));
    report.add(
      row(
        `append ${RECORDS} × ${RECORD_BYTES} B, ${SHARDS} shards, ${WRITERS} writers, module alone`,
        rounds,
      ),
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
