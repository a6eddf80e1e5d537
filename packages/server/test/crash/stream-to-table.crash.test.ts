/**
 * Streams with the real SDK while the server is killed with SIGKILL at random moments and started again, and then
 * compares what was acknowledged with what is in the stream and in the tables. All the while shards are split and
 * merged, so that kills come in the middle of that, too.
 *
 * The SDK's own retries are off: a record that was not acknowledged is never sent again, so it may be there once or
 * not at all.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CreateDeliveryStreamCommand,
  type CreateDeliveryStreamCommandInput,
  FirehoseClient,
  PutRecordBatchCommand,
} from '@aws-sdk/client-firehose';
import { CreateDatabaseCommand, CreateTableCommand, GlueClient } from '@aws-sdk/client-glue';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  type Shard,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis';
import { type SluiceProcess, startSluice } from '../sluice-process.ts';
import { lakeRows } from './lake-rows.ts';

const KILLS = Number(process.env['SLUICE_CRASH_KILLS'] ?? 24);
const PRODUCERS = 4;
const KEYS_PER_PRODUCER = 8;
const BATCH = 40;
const OPEN_SHARDS_MAX = 12;
const UP_MS_MAX = 900;
const DELIVERED_WITHIN_MS = 60_000;

interface Sent {
  readonly id: string;
  readonly key: string;
  readonly n: number;
  /** Undefined while nobody answered. */
  sequenceNumber?: string;
}

function clients(server: SluiceProcess) {
  const config = {
    endpoint: server.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  return {
    kinesis: new KinesisClient(config),
    firehose: new FirehoseClient(config),
    glue: new GlueClient(config),
  };
}
type Clients = ReturnType<typeof clients>;

async function define({ kinesis, firehose, glue }: Clients): Promise<void> {
  await kinesis.send(new CreateStreamCommand({ StreamName: 'events', ShardCount: 4 }));
  await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: 'lake' } }));
  const columns = [
    { Name: 'id', Type: 'string' },
    { Name: 'key', Type: 'string' },
    { Name: 'n', Type: 'bigint' },
  ];
  for (const table of ['streamed', 'direct']) {
    await glue.send(
      new CreateTableCommand({
        DatabaseName: 'lake',
        TableInput: {
          Name: table,
          StorageDescriptor: { Columns: columns },
          Parameters: { table_type: 'DELTA' },
        },
      }),
    );
    await firehose.send(new CreateDeliveryStreamCommand(deliveryInto(table)));
  }
}

function deliveryInto(table: string): CreateDeliveryStreamCommandInput {
  const RoleARN = 'arn:aws:iam::000000000000:role/delivery';
  return {
    DeliveryStreamName: table,
    ...(table === 'direct'
      ? { DeliveryStreamType: 'DirectPut' }
      : {
          DeliveryStreamType: 'KinesisStreamAsSource',
          KinesisStreamSourceConfiguration: {
            KinesisStreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/events',
            RoleARN,
          },
        }),
    ExtendedS3DestinationConfiguration: {
      RoleARN,
      BucketARN: 'arn:aws:s3:::lake',
      BufferingHints: { IntervalInSeconds: 0, SizeInMBs: 64 },
      DataFormatConversionConfiguration: {
        Enabled: true,
        SchemaConfiguration: { DatabaseName: 'lake', TableName: table, RoleARN },
        InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
        OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
      },
    },
  };
}

/** Sends batches until a call fails; each key's numbers rise, and a batch is sent only after the one before was answered. */
async function produce(
  producer: number,
  sdk: Clients,
  sent: { streamed: Sent[]; direct: Sent[] },
  next: () => number,
): Promise<void> {
  const batch = (table: string): Sent[] =>
    Array.from({ length: BATCH }, (_, i) => {
      const n = next();
      const key = `p${producer}k${i % KEYS_PER_PRODUCER}`;
      return { id: `${table}-${key}-${n}`, key, n };
    });
  try {
    for (;;) {
      const streamed = batch('streamed');
      sent.streamed.push(...streamed);
      const answer = await sdk.kinesis.send(
        new PutRecordsCommand({
          StreamName: 'events',
          Records: streamed.map((record) => ({ PartitionKey: record.key, Data: encode(record) })),
        }),
      );
      for (const [i, { SequenceNumber }] of answer.Records!.entries())
        if (SequenceNumber) streamed[i]!.sequenceNumber = SequenceNumber;

      const direct = batch('direct');
      sent.direct.push(...direct);
      const put = await sdk.firehose.send(
        new PutRecordBatchCommand({
          DeliveryStreamName: 'direct',
          Records: direct.map((record) => ({ Data: encode(record) })),
        }),
      );
      for (const [i, { RecordId }] of put.RequestResponses!.entries())
        if (RecordId) direct[i]!.sequenceNumber = RecordId;
    }
  } catch {
    // The server was killed under the call: nobody knows whether its records were kept.
  }
}

/** Splits and merges shards, one after another, until a call fails. */
async function reshard({ kinesis }: Clients, done: () => void): Promise<void> {
  try {
    for (;;) {
      const open = await openShards({ kinesis } as Clients);
      const at = Math.floor(Math.random() * open.length);
      const [shard, next] = [open[at]!, open[at + 1]];
      const { StartingHashKey: start, EndingHashKey: end } = shard.HashKeyRange!;
      if (open.length >= OPEN_SHARDS_MAX && next !== undefined) {
        const pair = { ShardToMerge: shard.ShardId, AdjacentShardToMerge: next.ShardId };
        await kinesis.send(new MergeShardsCommand({ StreamName: 'events', ...pair }));
      } else if (open.length < OPEN_SHARDS_MAX) {
        const NewStartingHashKey = String((BigInt(start!) + BigInt(end!)) / 2n);
        await kinesis.send(
          new SplitShardCommand({ StreamName: 'events', ShardToSplit: shard.ShardId, NewStartingHashKey }),
        );
      } else continue;
      done();
    }
  } catch {
    // The server was killed under the call: it happened whole or not at all.
  }
}

/** By their hash keys. */
async function openShards({ kinesis }: Clients): Promise<Shard[]> {
  const { Shards: shards } = await kinesis.send(
    new ListShardsCommand({ StreamName: 'events', ShardFilter: { Type: 'AT_LATEST' } }),
  );
  const start = ({ HashKeyRange: range }: Shard): bigint => BigInt(range!.StartingHashKey!);
  return shards!.sort((a, b) => (start(a) < start(b) ? -1 : 1));
}

function assertCovered(shards: readonly Shard[]): void {
  let next = 0n;
  for (const { ShardId: shard, HashKeyRange: range } of shards) {
    assert.equal(BigInt(range!.StartingHashKey!), next, `${shard} begins where the one before ends`);
    next = BigInt(range!.EndingHashKey!) + 1n;
  }
  assert.equal(next, 2n ** 128n, 'open shards cover all hash keys');
}

const encode = ({ id, key, n }: Sent) => Buffer.from(JSON.stringify({ id, key, n }));

async function readStream({
  kinesis,
}: Clients): Promise<{ id: string; key: string; n: number; sequenceNumber: string }[]> {
  const found = [];
  const { Shards, NextToken } = await kinesis.send(
    new ListShardsCommand({ StreamName: 'events', MaxResults: 10_000 }),
  );
  assert.equal(NextToken, undefined);
  // Oldest first: parents before their children.
  for (const { ShardId } of Shards!) {
    let { ShardIterator: iterator } = await kinesis.send(
      new GetShardIteratorCommand({ StreamName: 'events', ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    while (iterator !== undefined) {
      const page = await kinesis.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: 10_000 }));
      for (const { Data, SequenceNumber } of page.Records!) {
        found.push({
          ...(JSON.parse(Buffer.from(Data!).toString()) as Sent),
          sequenceNumber: SequenceNumber!,
        });
      }
      if (page.Records!.length === 0 && page.MillisBehindLatest === 0) break;
      iterator = page.NextShardIterator;
    }
  }
  return found;
}

/** Waits until the tables hold `counts` rows or more; the assertions tell what is wrong when they don't in time. */
async function delivered(data: string, counts: { streamed: number; direct: number }) {
  const deadline = Date.now() + DELIVERED_WITHIN_MS;
  for (;;) {
    const rows = {
      streamed: await lakeRows(join(data, 'lake/lake/streamed')),
      direct: await lakeRows(join(data, 'lake/lake/direct')),
    };
    const complete = rows.streamed.length >= counts.streamed && rows.direct.length >= counts.direct;
    if (complete || Date.now() > deadline) return rows;
    await pause(100);
  }
}

function assertOnce(name: string, sent: readonly Sent[], found: readonly { id: string }[]): void {
  const times = new Map<string, number>();
  for (const { id } of found) times.set(id, (times.get(id) ?? 0) + 1);
  const doubled = [...times].filter(([, count]) => count > 1);
  assert.deepEqual(doubled, [], `${name}: records that are there more than once`);
  const lost = sent.filter(({ id, sequenceNumber }) => sequenceNumber !== undefined && !times.has(id));
  assert.deepEqual(lost, [], `${name}: acknowledged records that are lost`);
  const known = new Set(sent.map(({ id }) => id));
  assert.deepEqual(
    found.filter(({ id }) => !known.has(id)),
    [],
    `${name}: records that nobody sent`,
  );
}

function assertOrder(name: string, found: readonly { key: string; n: number | bigint }[]): void {
  const last = new Map<string, bigint>();
  for (const { key, n } of found) {
    assert.ok(BigInt(n) > (last.get(key) ?? -1n), `${name}: ${key} has ${n} after ${last.get(key)}`);
    last.set(key, BigInt(n));
  }
}

test(`${KILLS} kills lose nothing and double nothing`, { timeout: 600_000 }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'sluice-crash-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const sent = { streamed: [] as Sent[], direct: [] as Sent[] };
  let counter = 0;
  let reshardings = 0;

  let server = await startSluice(data, '--dev');
  await define(clients(server));
  for (let kill = 0; kill < KILLS; kill++) {
    const sdk = clients(server);
    const producers = Array.from({ length: PRODUCERS }, (_, i) => produce(i, sdk, sent, () => counter++));
    const resharding = reshard(sdk, () => reshardings++);
    // A moment chosen by chance is what is tested here; nothing is waited for.
    await pause(Math.random() * UP_MS_MAX);
    await server.kill();
    await Promise.all([...producers, resharding]);
    server = await startSluice(data, '--dev');
  }
  t.after(() => server.stop());

  assertCovered(await openShards(clients(server)));
  const inStream = await readStream(clients(server));
  assertOnce('stream', sent.streamed, inStream);
  assertOrder('stream', inStream);
  const numbers = new Map(inStream.map((record) => [record.id, record.sequenceNumber]));
  for (const { id, sequenceNumber } of sent.streamed) {
    if (sequenceNumber !== undefined)
      assert.equal(numbers.get(id), sequenceNumber, `${id} has another sequence number than was told`);
  }

  const acknowledgedDirect = sent.direct.filter(({ sequenceNumber }) => sequenceNumber !== undefined).length;
  const rows = await delivered(data, { streamed: inStream.length, direct: acknowledgedDirect });
  const streamed = rows.streamed as unknown as { id: string; key: string; n: bigint }[];
  assertOnce('table', sent.streamed, streamed);
  assertOrder('table', streamed);
  assert.equal(streamed.length, inStream.length, 'the table has what the stream has');
  const direct = rows.direct as unknown as { id: string; key: string; n: bigint }[];
  assertOnce('direct table', sent.direct, direct);
  const acknowledged = sent.streamed.filter(({ sequenceNumber }) => sequenceNumber !== undefined).length;
  t.diagnostic(
    `${acknowledged} of ${sent.streamed.length} streamed and ${acknowledgedDirect} of ${sent.direct.length} direct records were acknowledged`,
  );
  t.diagnostic(`${reshardings} splits and merges were answered`);
  // A busy machine answers few before each kill.
  assert.ok(reshardings > KILLS / 8, 'enough was resharded for the test to mean something');
  assert.ok(acknowledged > KILLS * BATCH, 'enough was acknowledged for the test to mean something');
});
