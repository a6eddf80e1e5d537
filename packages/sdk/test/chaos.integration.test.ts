/** Three worker processes, killed and started again at random, across a split and a merge of shards. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  SplitShardCommand,
  waitUntilStreamExists,
} from '@aws-sdk/client-kinesis';
import { FileLeaseStore } from '../src/index.ts';
import { checkProcessed, type Processed } from './delivery-checker.ts';
import { clientOf, type SluiceServer, startServer } from './sluice-server.ts';
import { until } from './until.ts';

const WORKERS = 3;
const KEYS = 24;
const WAVES = 60;
/** Waves that the producer is ahead of the workers at most, so that they live through the reshard. */
const AHEAD_WAVES_MAX = 8;
/** How long a worker has to come to a batch in which it dies. */
const MID_BATCH_MS_MAX = 1_000;
const DONE_MS_MAX = 40_000;
const APPLICATION = 'chaos';

suite('workers that are killed across a reshard', () => {
  let server: SluiceServer;
  let kinesis: KinesisClient;
  before(async () => {
    server = await startServer();
    kinesis = clientOf(server.url);
  });
  after(async () => {
    kinesis.destroy();
    await server.stop();
  });

  for (const { mode, kills } of [
    { mode: 'polling', kills: 4 },
    { mode: 'fan-out', kills: 2 },
  ] as const)
    test(`${mode}: nothing is skipped, and each key's records are in order`, async () => {
      const stream = `chaos_${mode}`;
      await kinesis.send(new CreateStreamCommand({ StreamName: stream, ShardCount: 3 }));
      await waitUntilStreamExists({ client: kinesis, maxWaitTime: 20 }, { StreamName: stream });
      const output = join(server.folder, `${mode}.ndjson`);
      const leaseFile = join(server.folder, `${mode}.db`);
      await writeFile(output, '');
      const fleet = new Fleet([server.url, stream, leaseFile, output, mode]);
      try {
        await fleet.start();
        const produced = produce(kinesis, stream, output);
        await fleet.killAtRandom(kills, output);
        const sent = await produced;
        const processed = await allOf(output, sent.size);
        assert.deepEqual(checkProcessed(sent, processed), []);
        assert.ok(new Set(processed.map(({ shardId }) => shardId)).size >= 6, 'a shard took no part');
        assert.ok(new Set(processed.map(({ pid }) => pid)).size >= WORKERS, 'a worker took no part');
        await parentsEnded(leaseFile, stream);
      } finally {
        await fleet.stop();
      }
    });
});

class Fleet {
  readonly #arguments: readonly string[];
  readonly #workers: ChildProcess[] = [];

  constructor(args: readonly string[]) {
    this.#arguments = args;
  }

  async start(): Promise<void> {
    for (let index = 0; index < WORKERS; index++) this.#workers[index] = this.#spawn();
    await Promise.all(this.#workers.map(started));
  }

  /** Each dies at some moment of its work, and another takes its place. */
  async killAtRandom(kills: number, output: string): Promise<void> {
    for (let kill = 0; kill < kills; kill++) {
      await processedAtLeast(output, ((kill + Math.random()) / kills) * WAVES * KEYS);
      const index = kill % WORKERS;
      const victim = this.#workers[index]!;
      // Its end would be waited for in vain.
      assert.ok(victim.exitCode === null && victim.signalCode === null, 'a worker ended by itself');
      const exited = once(victim, 'exit');
      // The half of them where it hurts most: between two records of a batch, which one without shards never comes to.
      if (kill % 2 === 0) victim.kill('SIGUSR2');
      await Promise.race([exited, pause(kill % 2 === 0 ? MID_BATCH_MS_MAX : 0)]);
      victim.kill('SIGKILL');
      await exited;
      this.#workers[index] = this.#spawn();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        if (worker.exitCode !== null || worker.signalCode !== null) return;
        const exited = once(worker, 'exit');
        worker.kill('SIGTERM');
        await Promise.race([exited, pause(5_000).then(() => worker.kill('SIGKILL'))]);
      }),
    );
  }

  #spawn(): ChildProcess {
    const program = join(import.meta.dirname, 'worker-process.ts');
    return spawn(process.execPath, [program, ...this.#arguments], { stdio: ['ignore', 'pipe', 'inherit'] });
  }
}

async function started(worker: ChildProcess): Promise<void> {
  const ended = once(worker, 'exit').then(() => assert.fail('a worker ended before it had started'));
  await Promise.race([once(worker.stdout!, 'data'), ended]);
  // When it ends later, that is what the test wants.
  ended.catch(() => {});
}

/** Waves of records, one of each key, with a split and a merge on the way. Gives each text's sequence number. */
async function produce(kinesis: KinesisClient, stream: string, output: string): Promise<Map<string, string>> {
  const sent = new Map<string, string>();
  for (let wave = 0; wave < WAVES; wave++) {
    if (wave === 20) await split(kinesis, stream);
    if (wave === 40) await merge(kinesis, stream);
    const texts = Array.from({ length: KEYS }, (_, key) => ({
      key: `key-${key}`,
      text: `key-${key}:${wave}`,
    }));
    const { Records } = await kinesis.send(
      new PutRecordsCommand({
        StreamName: stream,
        Records: texts.map(({ key, text }) => ({ PartitionKey: key, Data: Buffer.from(text) })),
      }),
    );
    Records!.forEach(({ SequenceNumber }, index) => {
      assert.ok(SequenceNumber !== undefined, 'a record was not taken');
      sent.set(texts[index]!.text, SequenceNumber);
    });
    await processedAtLeast(output, (wave - AHEAD_WAVES_MAX) * KEYS);
  }
  return sent;
}

async function openShards(kinesis: KinesisClient, stream: string) {
  const { Shards } = await kinesis.send(new ListShardsCommand({ StreamName: stream }));
  return Shards!
    .filter(({ SequenceNumberRange }) => SequenceNumberRange!.EndingSequenceNumber === undefined)
    .map(({ ShardId, HashKeyRange }) => ({
      ShardId: ShardId!,
      start: BigInt(HashKeyRange!.StartingHashKey!),
      end: BigInt(HashKeyRange!.EndingHashKey!),
    }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
}

async function split(kinesis: KinesisClient, stream: string): Promise<void> {
  const [{ ShardId, start, end } = assert.fail('no shard is open')] = await openShards(kinesis, stream);
  const NewStartingHashKey = String((start + end) / 2n);
  await kinesis.send(
    new SplitShardCommand({ StreamName: stream, ShardToSplit: ShardId, NewStartingHashKey }),
  );
  await active(kinesis, stream);
}

async function merge(kinesis: KinesisClient, stream: string): Promise<void> {
  const [, second, third] = await openShards(kinesis, stream);
  await kinesis.send(
    new MergeShardsCommand({
      StreamName: stream,
      ShardToMerge: second!.ShardId,
      AdjacentShardToMerge: third!.ShardId,
    }),
  );
  await active(kinesis, stream);
}

function active(kinesis: KinesisClient, StreamName: string): Promise<void> {
  return until(async () => {
    const { StreamDescriptionSummary } = await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }));
    return StreamDescriptionSummary!.StreamStatus === 'ACTIVE' || `${StreamName} is not active`;
  }, DONE_MS_MAX);
}

async function allOf(output: string, count: number): Promise<Processed[]> {
  await processedAtLeast(output, count);
  return linesOf(output);
}

/** Waits until as many different records were processed. */
function processedAtLeast(output: string, count: number): Promise<void> {
  return until(async () => {
    const different = new Set((await linesOf(output)).map(({ text }) => text)).size;
    return different >= count || `${different} of ${count} records were processed`;
  }, DONE_MS_MAX);
}

/** A line that a kill cut short was not processed. */
async function linesOf(output: string): Promise<Processed[]> {
  const lines = (await readFile(output, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as Processed];
    } catch {
      return [];
    }
  });
}

/** The three shards that were split or merged are consumed for good. */
async function parentsEnded(path: string, stream: string): Promise<void> {
  const store = new FileLeaseStore({ path });
  const scope = { application: APPLICATION, stream };
  try {
    await until(async () => {
      const leases = await store.list(scope);
      const parents = new Set(leases.flatMap((lease) => lease.parents));
      const ended = leases.filter(
        ({ checkpoint, shardId }) => checkpoint.kind === 'end' && parents.has(shardId),
      );
      const isOver = parents.size >= 3 && ended.length === parents.size;
      return isOver || `${ended.length} of ${parents.size} parents are consumed`;
    }, DONE_MS_MAX);
  } finally {
    store.close();
  }
}
