/**
 * The Kinesis Client Library for Java, as it comes: two workers share a stream, by polling and by enhanced fan-out, while
 * a shard is split, two are merged and one worker is killed. Its leases are in DynamoDB Local.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CreateStreamCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  SplitShardCommand,
  waitUntilStreamExists,
} from '@aws-sdk/client-kinesis';
import { environmentOf } from './client-tools.ts';
import { javaAbsent, javaProgram, type RunningProgram, runProgram, startDynamoDb } from './java-programs.ts';
import { freshName, kinesisClient, openTarget } from './target.ts';

const KEYS = 16;
/** A first worker waits up to half a minute, by chance, before it makes leases. */
const STEP_MS_MAX = 90_000;
const END_MS_MAX = 20_000;

const absent = await javaAbsent('kcl', 'dynamodb-local');

suite('the Kinesis Client Library for Java', { skip: absent, concurrency: true }, () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  let dynamodb: Awaited<ReturnType<typeof startDynamoDb>>;
  let kinesis: KinesisClient;
  let classPath: string;
  before(async () => {
    classPath = await javaProgram('kcl', 'KclWorker');
    dynamodb = await startDynamoDb();
    target = await openTarget();
    kinesis = kinesisClient(target, 'AWS JSON');
  });
  after(async () => {
    kinesis?.destroy();
    await dynamodb?.stop();
    await target?.stop();
  });

  for (const mode of ['polling', 'fan-out'] as const)
    test(`${mode}: every record is processed, each key's in order, parents before children`, async () => {
      const stream = freshName(`kcl_${mode}`);
      await kinesis.send(new CreateStreamCommand({ StreamName: stream, ShardCount: 2 }));
      await waitUntilStreamExists({ client: kinesis, maxWaitTime: 20 }, { StreamName: stream });
      const application = freshName(`app_${mode}`);
      const workers: RunningProgram[] = [];
      const start = (name: string): RunningProgram => {
        const args = [
          '-cp',
          classPath,
          'KclWorker',
          target.url,
          dynamodb.url,
          stream,
          application,
          mode,
          name,
        ];
        const worker = runProgram('java', ['-XX:TieredStopAtLevel=1', ...args], environmentOf(target));
        workers.push(worker);
        return worker;
      };
      const waves = new Waves(kinesis, stream);
      try {
        const [one, other] = [start('one'), start('other')];
        await waves.put(5);
        await until('both workers have a shard', workers, () =>
          [one, other].every(({ lines }) => lines.some((line) => line.startsWith('start '))),
        );
        await waves.split();
        await waves.put(5);
        await until('the parent that was split is at its end', workers, () => endsOf(workers).size >= 1);
        await waves.put(5);
        await waves.merge();
        await one.kill();
        await waves.put(5);
        await until('all parents are at their end', workers, () => endsOf(workers).size >= 3);
        await waves.put(5);
        await until(
          'all records are processed',
          workers,
          () => processedBy(workers).size === waves.sent.size,
        );
        assert.deepEqual(problemsOf(waves.sent, workers), []);
        const code = await other.end(END_MS_MAX);
        assert.equal(code, 0, 'the worker shuts down in order');
      } finally {
        await Promise.all(workers.map((worker) => worker.kill()));
      }
    });
});

/** Records of all keys, wave by wave: the text says which wave. */
class Waves {
  /** Sequence numbers by text. */
  readonly sent = new Map<string, string>();
  readonly #kinesis: KinesisClient;
  readonly #stream: string;
  #wave = 0;

  constructor(kinesis: KinesisClient, stream: string) {
    this.#kinesis = kinesis;
    this.#stream = stream;
  }

  async put(waves: number): Promise<void> {
    for (const end = this.#wave + waves; this.#wave < end; this.#wave++) {
      const texts = Array.from({ length: KEYS }, (_, key) => ({
        PartitionKey: `key-${key}`,
        Data: Buffer.from(`key-${key}:${this.#wave}`),
      }));
      const { Records } = await this.#kinesis.send(
        new PutRecordsCommand({ StreamName: this.#stream, Records: texts }),
      );
      Records!.forEach(({ SequenceNumber }, index) =>
        this.sent.set(texts[index]!.Data.toString(), SequenceNumber!),
      );
    }
  }

  async split(): Promise<void> {
    const [first] = await this.#open();
    const { StartingHashKey, EndingHashKey } = first!.HashKeyRange!;
    const middle = (BigInt(StartingHashKey!) + BigInt(EndingHashKey!)) / 2n;
    await this.#kinesis.send(
      new SplitShardCommand({
        StreamName: this.#stream,
        ShardToSplit: first!.ShardId,
        NewStartingHashKey: String(middle),
      }),
    );
    await this.#active();
  }

  async merge(): Promise<void> {
    const [, second, third] = await this.#open();
    await this.#kinesis.send(
      new MergeShardsCommand({
        StreamName: this.#stream,
        ShardToMerge: second!.ShardId,
        AdjacentShardToMerge: third!.ShardId,
      }),
    );
    await this.#active();
  }

  async #open() {
    const { Shards = [] } = await this.#kinesis.send(
      new ListShardsCommand({ StreamName: this.#stream, ShardFilter: { Type: 'AT_LATEST' } }),
    );
    const startOf = (shard: (typeof Shards)[number]) => BigInt(shard.HashKeyRange!.StartingHashKey!);
    return Shards.toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
  }

  async #active(): Promise<void> {
    await waitUntilStreamExists(
      { client: this.#kinesis, maxWaitTime: 20, minDelay: 1, maxDelay: 1 },
      { StreamName: this.#stream },
    );
  }
}

function endsOf(workers: readonly RunningProgram[]): Set<string> {
  return new Set(workers.flatMap(({ lines }) => lines.filter((line) => line.startsWith('end '))));
}

function recordsOf({ lines }: RunningProgram): { key: string; sequenceNumber: string; text: string }[] {
  return lines
    .filter((line) => line.startsWith('record '))
    .map((line) => line.split(' '))
    .map(([, , sequenceNumber, , key, text]) => ({
      key: key!,
      sequenceNumber: sequenceNumber!,
      text: text!,
    }));
}

function processedBy(workers: readonly RunningProgram[]): Set<string> {
  return new Set(workers.flatMap((worker) => recordsOf(worker).map(({ text }) => text)));
}

/**
 * What is wrong with what the workers processed. Within one worker, the records of a key rise, but for those that a lease
 * brings again; what comes again was there before.
 */
function problemsOf(sent: ReadonlyMap<string, string>, workers: readonly RunningProgram[]): string[] {
  const problems: string[] = [];
  for (const worker of workers) {
    const latest = new Map<string, bigint>();
    const seen = new Set<string>();
    for (const { key, text, sequenceNumber } of recordsOf(worker)) {
      if (sent.get(text) !== sequenceNumber) problems.push(`${text} came with the number ${sequenceNumber}`);
      if (seen.has(text)) continue;
      seen.add(text);
      if (BigInt(sequenceNumber) < (latest.get(key) ?? -1n)) problems.push(`${text} came after a later one`);
      latest.set(key, BigInt(sequenceNumber));
    }
  }
  const processed = processedBy(workers);
  for (const text of sent.keys()) if (!processed.has(text)) problems.push(`${text} was skipped`);
  return problems;
}

async function until(
  what: string,
  workers: readonly RunningProgram[],
  condition: () => boolean,
): Promise<void> {
  const endMs = performance.now() + STEP_MS_MAX;
  while (!condition()) {
    if (performance.now() > endMs) {
      const said = workers.map(
        ({ lines, errors }) => `${lines.slice(-20).join('\n')}\n${errors().slice(-8_000)}`,
      );
      assert.fail(`not in time: ${what}\n${said.join('\n--\n')}`);
    }
    await pause(50);
  }
}
