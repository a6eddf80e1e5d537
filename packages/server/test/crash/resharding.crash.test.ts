/**
 * Kills the server with SIGKILL before, in the middle of and after splits and merges, while producers put records, and
 * holds the whole history against the log checker: nothing is lost or doubled, keys stay in order from parents to
 * children, and a resharding that nobody answered happened whole or not at all.
 *
 * The SDK's own retries are off: what was not answered is never sent again.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
  type Shard,
  SplitShardCommand,
  SubscribeToShardCommand,
  type _Record as KinesisRecord,
} from '@aws-sdk/client-kinesis';
import { SeededRandom } from '../../src/adapters/sim/index.ts';
import {
  checkLog,
  type AcknowledgedPut,
  type SeenRecord,
  type SeenRun,
} from '../../src/edge/kinesis/testing/log-checker.ts';
import { type SluiceProcess, startSluice } from '../sluice-process.ts';

const KILLS = Number(process.env['SLUICE_CRASH_KILLS'] ?? 24);
const STREAM = 'events';
const STREAM_ARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${STREAM}`;
const PRODUCERS = 3;
const KEYS_PER_PRODUCER = 6;
const BATCH = 24;
const OPEN_SHARDS = { min: 2, max: 6 };
const RESHARDINGS_PER_LIFE_MAX = 3;
/** Of the time that a resharding took: a kill so long after it was sent comes at any of its steps. */
const KILL_WITHIN = 1.3;

/** What was sent and never answered, and where the shards went. */
interface Told {
  readonly puts: AcknowledgedPut[];
  readonly attempts: Map<string, { readonly key: string; readonly value: string }>;
  /** Parents of reshardings that were answered: they must be closed ever after. */
  readonly closed: Set<string>;
  moment: number;
  answered: number;
  /** How long a resharding took last. */
  tookMs: number;
  /** Reshardings that a kill left without an answer, by what became of them. */
  happened: number;
  vanished: number;
}

function clientOf({ url }: SluiceProcess): KinesisClient {
  return new KinesisClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
}

/** Puts until a call fails. A key belongs to one producer, which puts its next record when the one before was answered. */
async function produce(client: KinesisClient, producer: number, told: Told): Promise<void> {
  for (;;) {
    const sentAt = told.moment++;
    const records = Array.from({ length: BATCH }, (_, index) => ({
      key: `p${producer}k${index % KEYS_PER_PRODUCER}`,
      value: `${producer}/${sentAt}/${index}`,
    }));
    for (const record of records) told.attempts.set(record.value, record);
    const input = {
      StreamName: STREAM,
      Records: records.map(({ key, value }) => ({ PartitionKey: key, Data: Buffer.from(value) })),
    };
    const answer = await client.send(new PutRecordsCommand(input)).catch(() => undefined);
    // The server was killed under the call: nobody knows whether its records were kept.
    if (answer === undefined) return;
    const answeredAt = told.moment++;
    for (const [index, { ShardId: shard, SequenceNumber: number }] of answer.Records!.entries()) {
      const { key, value } = records[index]!;
      told.attempts.delete(value);
      told.puts.push({
        shard: shard!,
        number: BigInt(number!),
        key,
        value,
        sentAt,
        answeredAt,
        arrivalMs: 0,
      });
    }
  }
}

async function shardsOf(client: KinesisClient): Promise<Shard[]> {
  const { Shards, NextToken } = await client.send(
    new ListShardsCommand({ StreamName: STREAM, MaxResults: 10_000 }),
  );
  assert.equal(NextToken, undefined);
  return Shards!;
}

const startOf = ({ HashKeyRange: range }: Shard): bigint => BigInt(range!.StartingHashKey!);
const openOf = (shards: readonly Shard[]): Shard[] =>
  shards
    .filter(({ SequenceNumberRange: range }) => range!.EndingSequenceNumber === undefined)
    .sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));

/** Sends a split or a merge; gives the shards that it closes, and whether it was answered. */
function reshard(
  client: KinesisClient,
  open: readonly Shard[],
  random: SeededRandom,
): { readonly parents: readonly string[]; readonly answered: Promise<boolean> } {
  const splits = open.length <= OPEN_SHARDS.min || (open.length < OPEN_SHARDS.max && random.chance(0.5));
  const at = random.below(splits ? open.length : open.length - 1);
  const [shard, next] = [open[at]!, open[at + 1]];
  const middle = (startOf(shard) + BigInt(shard.HashKeyRange!.EndingHashKey!)) / 2n;
  const sent = splits
    ? client.send(
        new SplitShardCommand({
          StreamName: STREAM,
          ShardToSplit: shard.ShardId,
          NewStartingHashKey: String(middle),
        }),
      )
    : client.send(
        new MergeShardsCommand({
          StreamName: STREAM,
          ShardToMerge: shard.ShardId,
          AdjacentShardToMerge: next!.ShardId,
        }),
      );
  return {
    parents: splits ? [shard.ShardId!] : [shard.ShardId!, next!.ShardId!],
    answered: sent.then(
      () => true,
      () => false,
    ),
  };
}

/** Open shards cover all hash keys once, and who was closed has children that cover its own. */
function checkShards(shards: readonly Shard[], told: Told): void {
  let next = 0n;
  const open = openOf(shards);
  for (const shard of open) {
    assert.equal(startOf(shard), next, `${shard.ShardId} begins where the one before ends`);
    next = BigInt(shard.HashKeyRange!.EndingHashKey!) + 1n;
  }
  assert.equal(next, 2n ** 128n, 'open shards cover all hash keys');
  const isOpen = new Set(open.map(({ ShardId }) => ShardId!));
  for (const id of told.closed) assert.ok(!isOpen.has(id), `${id} was closed, and is open`);
  for (const { ShardId: id } of shards) {
    const children = shards.filter(
      ({ ParentShardId, AdjacentParentShardId }) => ParentShardId === id || AdjacentParentShardId === id,
    );
    assert.equal(
      children.length === 0,
      isOpen.has(id!),
      `${id} has children when it is closed, and only then`,
    );
  }
}

/**
 * One life of the server: reshardings one after another, and a kill before, in or after the last one. Gives the shards
 * that one without an answer closes, if it happened.
 */
async function live(
  server: SluiceProcess,
  told: Told,
  random: SeededRandom,
): Promise<readonly string[] | undefined> {
  const client = clientOf(server);
  const producers = Array.from({ length: PRODUCERS }, (_, producer) => produce(client, producer, told));
  let unanswered: readonly string[] | undefined;
  // Moments chosen by chance are what is tested here; nothing is waited for.
  for (let left = random.below(RESHARDINGS_PER_LIFE_MAX + 1); left > 0; left--) {
    const open = openOf(await shardsOf(client));
    const sentMs = performance.now();
    const { parents, answered } = reshard(client, open, random);
    if (left === 1 && random.chance(0.7)) {
      await pause(random.below(Math.ceil(KILL_WITHIN * told.tookMs)));
      await server.kill();
    }
    if (await answered) {
      told.answered++;
      if (left > 1) told.tookMs = performance.now() - sentMs;
      for (const id of parents) told.closed.add(id);
    } else unanswered = parents;
  }
  if (unanswered === undefined) {
    await pause(random.below(60));
    await server.kill();
  }
  await Promise.all(producers);
  client.destroy();
  return unanswered;
}

const seen = ({ SequenceNumber, PartitionKey, Data }: KinesisRecord): SeenRecord => ({
  number: BigInt(SequenceNumber!),
  key: PartitionKey!,
  value: Buffer.from(Data!).toString(),
});

async function polled(client: KinesisClient, shard: string, at: number): Promise<SeenRun> {
  const records: SeenRecord[] = [];
  const start = { StreamName: STREAM, ShardId: shard, ShardIteratorType: 'TRIM_HORIZON' } as const;
  let { ShardIterator: iterator } = await client.send(new GetShardIteratorCommand(start));
  while (iterator !== undefined) {
    const page = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
    records.push(...page.Records!.map(seen));
    if (page.Records!.length === 0 && page.MillisBehindLatest === 0) break;
    iterator = page.NextShardIterator;
  }
  return { shard, records, from: 0n, ended: iterator === undefined, complete: { keptFromMs: 0, at } };
}

/** By a subscription: of a closed shard to its end, of an open one to as many records as others saw. */
async function pushed(client: KinesisClient, consumer: string, other: SeenRun): Promise<SeenRun> {
  const { shard } = other;
  const records: SeenRecord[] = [];
  const { EventStream } = await client.send(
    new SubscribeToShardCommand({
      ConsumerARN: consumer,
      ShardId: shard,
      StartingPosition: { Type: 'TRIM_HORIZON' },
    }),
  );
  for await (const { SubscribeToShardEvent: event } of EventStream!) {
    records.push(...event!.Records!.map(seen));
    if (event!.ChildShards !== undefined) return { shard, records, from: 0n, ended: true };
    if (other.ended !== true && records.length >= other.records.length) break;
  }
  assert.notEqual(other.ended, true, `the subscription to ${shard} ended without its children`);
  return { shard, records, from: 0n };
}

test('kills around splits and merges lose nothing and double nothing', { timeout: 300_000 }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'sluice-reshard-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const seed = Number(process.env['SLUICE_CRASH_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`SLUICE_CRASH_SEED=${seed}`);
  const random = new SeededRandom(seed);
  const told: Told = {
    puts: [],
    attempts: new Map(),
    closed: new Set(),
    moment: 0,
    answered: 0,
    tookMs: 8,
    happened: 0,
    vanished: 0,
  };
  let server = await startSluice(data, '--dev');
  t.after(() => server.kill());
  await clientOf(server).send(new CreateStreamCommand({ StreamName: STREAM, ShardCount: 2 }));
  // When a kill meets a resharding is chance: a few more kills, at the most, until enough did.
  const hasMet = (): boolean => told.happened + told.vanished > KILLS / 6;
  for (let kill = 0; kill < KILLS || (kill < 3 * KILLS && !hasMet()); kill++) {
    const unanswered = await live(server, told, random);
    server = await startSluice(data, '--dev');
    const client = clientOf(server);
    const shards = await shardsOf(client);
    checkShards(shards, told);
    if (unanswered !== undefined) {
      const isOpen = new Set(openOf(shards).map(({ ShardId }) => ShardId));
      if (unanswered.some((id) => isOpen.has(id))) told.vanished++;
      else told.happened++;
    }
    client.destroy();
  }
  const client = clientOf(server);
  for (let after = 0; after < 2; after++) {
    const { answered } = reshard(client, openOf(await shardsOf(client)), random);
    assert.ok(await answered, 'a resharding after the last kill');
    told.answered++;
  }
  await check(client, told);
  client.destroy();
  t.diagnostic(
    `${told.puts.length} records were acknowledged and ${told.attempts.size} not; ${told.answered} reshardings were answered, of ${told.happened + told.vanished} without an answer ${told.happened} happened`,
  );
  assert.ok(told.answered > KILLS / 2, 'enough was resharded for the test to mean something');
  assert.ok(hasMet(), 'enough kills came in the middle of a resharding');
  assert.ok(told.puts.length > KILLS * BATCH, 'enough was acknowledged for the test to mean something');
});

async function check(client: KinesisClient, told: Told): Promise<void> {
  const shards = await shardsOf(client);
  checkShards(shards, told);
  const { Consumer } = await client.send(
    new RegisterStreamConsumerCommand({ StreamARN: STREAM_ARN, ConsumerName: 'checker' }),
  );
  const runs: SeenRun[] = [];
  for (const { ShardId } of shards) {
    const run = await polled(client, ShardId!, told.moment);
    runs.push(run, await pushed(client, Consumer!.ConsumerARN!, run));
  }
  const lineage = shards.map(({ ShardId, ParentShardId, AdjacentParentShardId }) => ({
    id: ShardId!,
    parents: [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined),
  }));
  const attempts = [...told.attempts.values()];
  assert.deepEqual(checkLog({ puts: told.puts, attempts, runs, shards: lineage }), []);
}
