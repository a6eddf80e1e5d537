import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  AddTagsToStreamCommand,
  CreateStreamCommand,
  DecreaseStreamRetentionPeriodCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  IncreaseStreamRetentionPeriodCommand,
  KinesisClient,
  ListShardsCommand,
  ListStreamsCommand,
  ListTagsForStreamCommand,
  PutRecordCommand,
  PutRecordsCommand,
  RemoveTagsFromStreamCommand,
  UpdateStreamWarmThroughputCommand,
  type GetShardIteratorCommandInput,
} from '@aws-sdk/client-kinesis';
import { createNodeDisk } from '../../adapters/node-disk/index.ts';
import { SeededRandom, SimClock } from '../../adapters/sim/index.ts';
import { openSqliteMetaStore } from '../../adapters/sqlite/index.ts';
import { createSystemClock } from '../../adapters/system/index.ts';
import { createStreams } from '../../modules/streams/index.ts';
import { quietLogger, quietMetrics } from '../../modules/streams/testing/quiet.ts';
import { createDevAuthenticate, createHttpServer } from '../http/index.ts';
import { createKinesisService } from './index.ts';

const clock = new SimClock(Date.now());
let client: KinesisClient;
let close: () => Promise<void>;

before(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-kinesis-'));
  const meta = await openSqliteMetaStore(':memory:');
  const parts = { logger: quietLogger, metrics: quietMetrics };
  const streams = await createStreams({
    disk: createNodeDisk(),
    directory,
    meta,
    clock,
    random: new SeededRandom(1),
    ...parts,
  });
  const server = await createHttpServer({
    host: '127.0.0.1',
    port: 0,
    services: [createKinesisService({ streams, clock })],
    routes: [],
    authenticate: createDevAuthenticate({ accountId: '000000000000', name: 'tester' }),
    clock: createSystemClock(),
    ...parts,
  });
  client = new KinesisClient({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
  await streams.create({ name: 'internal', shardCount: 1, mode: 'PROVISIONED', internal: true });
  close = async () => {
    client.destroy();
    await server.close();
    await streams.close();
    await meta.close();
    await rm(directory, { recursive: true });
  };
});
after(() => close());

const create = (name: string, shardCount = 1) =>
  client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shardCount }));
const put = (name: string, text: string, key = 'k') =>
  client.send(new PutRecordCommand({ StreamName: name, PartitionKey: key, Data: Buffer.from(text) }));
const SHARD = 'shardId-000000000000';
async function read(
  name: string,
  start: Partial<GetShardIteratorCommandInput>,
  shard = SHARD,
): Promise<string[]> {
  const input = { StreamName: name, ShardId: shard, ShardIteratorType: 'TRIM_HORIZON' as const, ...start };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(input));
  const { Records } = await client.send(new GetRecordsCommand({ ShardIterator }));
  return Records!.map((record) => Buffer.from(record.Data!).toString());
}
const refused = (work: Promise<unknown>, name: string, message: RegExp | string) =>
  assert.rejects(work, { name, message });

test('a stream is created, described, listed and deleted', async () => {
  await create('life', 3);
  const { StreamDescription: stream } = await client.send(
    new DescribeStreamCommand({ StreamName: 'life', Limit: 2 }),
  );
  assert.equal(stream!.StreamARN, 'arn:aws:kinesis:eu-central-1:000000000000:stream/life');
  assert.deepEqual(
    [stream!.StreamStatus, stream!.HasMoreShards, stream!.Shards!.length, stream!.RetentionPeriodHours],
    ['ACTIVE', true, 2, 24],
  );
  assert.equal(stream!.StreamCreationTimestamp!.getTime(), clock.nowMs());
  const rest = await client.send(
    new DescribeStreamCommand({
      StreamARN: stream!.StreamARN,
      ExclusiveStartShardId: stream!.Shards![1]!.ShardId,
    }),
  );
  assert.equal(rest.StreamDescription!.Shards![0]!.HashKeyRange!.EndingHashKey, String((1n << 128n) - 1n));
  const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName: 'life' }));
  assert.equal(summary.StreamDescriptionSummary!.OpenShardCount, 3);
  await create('life-2');
  const page = await client.send(new ListStreamsCommand({ Limit: 1 }));
  assert.deepEqual([page.StreamNames, page.HasMoreStreams], [['life'], true]);
  const next = await client.send(new ListStreamsCommand({ NextToken: page.NextToken }));
  assert.deepEqual([next.StreamNames, next.StreamSummaries![0]!.StreamStatus], [['life-2'], 'ACTIVE']);
  await refused(
    create('life'),
    'ResourceInUseException',
    'Stream life under account 000000000000 already exists.',
  );
  for (const name of ['life', 'life-2']) await client.send(new DeleteStreamCommand({ StreamName: name }));
  await refused(
    put('life', 'x'),
    'ResourceNotFoundException',
    'Stream life under account 000000000000 not found.',
  );
});

test('shards are listed by pages, filters and tokens that belong to their stream', async () => {
  await create('shards', 5);
  const list = async (input: object) => client.send(new ListShardsCommand(input));
  const first = await list({ StreamName: 'shards', MaxResults: 2 });
  const second = await list({ NextToken: first.NextToken, MaxResults: 2 });
  const third = await list({ NextToken: second.NextToken });
  const ids = [first, second, third].flatMap((page) => page.Shards!.map((shard) => shard.ShardId));
  assert.deepEqual(
    ids,
    [0, 1, 2, 3, 4].map((index) => `shardId-00000000000${index}`),
  );
  assert.equal(third.NextToken, undefined);
  const filtered = await list({
    StreamName: 'shards',
    ShardFilter: { Type: 'AFTER_SHARD_ID', ShardId: ids[3] },
  });
  assert.deepEqual(
    filtered.Shards!.map((shard) => shard.ShardId),
    [ids[4]],
  );
  assert.equal((await list({ StreamName: 'shards', ShardFilter: { Type: 'AT_LATEST' } })).Shards!.length, 5);
  await refused(
    list({ StreamName: 'shards', NextToken: first.NextToken }),
    'InvalidArgumentException',
    /cannot be provided together/,
  );
  await refused(list({ NextToken: 'bm9uc2Vuc2U=' }), 'InvalidArgumentException', 'Invalid NextToken.');
  clock.advance(301_000);
  await refused(list({ NextToken: first.NextToken }), 'ExpiredNextTokenException', /expired/);
});

test('records are read from each type of position', async () => {
  await create('types');
  const sent = [];
  for (const text of ['a', 'b', 'c', 'd']) {
    sent.push(await put('types', text));
    clock.advance(1_000);
  }
  const numbers = sent.map((answer) => answer.SequenceNumber!);
  assert.deepEqual(numbers, numbers.toSorted());
  assert.deepEqual(await read('types', {}), ['a', 'b', 'c', 'd']);
  assert.deepEqual(
    await read('types', { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: numbers[1] }),
    ['b', 'c', 'd'],
  );
  assert.deepEqual(
    await read('types', { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: numbers[1] }),
    ['c', 'd'],
  );
  assert.deepEqual(await read('types', { ShardIteratorType: 'LATEST' }), []);
  const timestamp = new Date(clock.nowMs() - 2_000);
  assert.deepEqual(await read('types', { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: timestamp }), [
    'c',
    'd',
  ]);
  await refused(
    read('types', { ShardIteratorType: 'AT_SEQUENCE_NUMBER' }),
    'InvalidArgumentException',
    /and no StartingSequenceNumber/,
  );
  await refused(
    read('types', { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: '12345' }),
    'InvalidArgumentException',
    /is invalid because it did not come from this stream/,
  );
  await refused(
    read('types', { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(clock.nowMs() + 60_000) }),
    'InvalidArgumentException',
    /cannot be greater than the currentTimestampInMillis/,
  );
  await refused(
    read('types', {}, 'shardId-000000000007'),
    'ResourceNotFoundException',
    'Shard shardId-000000000007 in stream types under account 000000000000 does not exist',
  );
});

test('iterators go on, report the lag, are checked and expire', async () => {
  await create('iterators');
  for (const text of ['a', 'b', 'c']) await put('iterators', text);
  clock.advance(5_000);
  const start = await client.send(
    new GetShardIteratorCommand({
      StreamName: 'iterators',
      ShardId: SHARD,
      ShardIteratorType: 'TRIM_HORIZON',
    }),
  );
  const first = await client.send(new GetRecordsCommand({ ShardIterator: start.ShardIterator, Limit: 2 }));
  assert.deepEqual([first.Records!.length, first.MillisBehindLatest], [2, 5_000]);
  const second = await client.send(new GetRecordsCommand({ ShardIterator: first.NextShardIterator }));
  assert.deepEqual([second.Records!.length, second.MillisBehindLatest], [1, 0]);
  const third = await client.send(new GetRecordsCommand({ ShardIterator: second.NextShardIterator }));
  assert.deepEqual([third.Records!.length, third.MillisBehindLatest], [0, 0]);
  const forged = start.ShardIterator!.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  for (const ShardIterator of [forged, 'x', 'AAAA', `${start.ShardIterator}AAAA`])
    await refused(
      client.send(new GetRecordsCommand({ ShardIterator })),
      'InvalidArgumentException',
      'Invalid ShardIterator.',
    );
  clock.advance(300_001);
  await refused(
    client.send(new GetRecordsCommand({ ShardIterator: third.NextShardIterator })),
    'ExpiredIteratorException',
    /^Iterator expired\. The iterator was created at time .* further in the future than the tolerated delay of 300000 milliseconds\.$/,
  );
});

test('PutRecords keeps order and answers for each record', async () => {
  await create('many', 4);
  const Records = Array.from({ length: 500 }, (_, index) => ({
    PartitionKey: `schlüssel-"${index % 40}"`,
    Data: Buffer.from(`record ${index}`),
    ...(index % 50 === 0 && { ExplicitHashKey: '0' }),
  }));
  const answer = await client.send(new PutRecordsCommand({ StreamName: 'many', Records }));
  assert.equal(answer.FailedRecordCount, 0);
  const expected = new Map<string, string[]>();
  for (const [index, { ShardId }] of answer.Records!.entries()) {
    const texts = expected.get(ShardId!) ?? [];
    expected.set(ShardId!, [...texts, `record ${index}`]);
  }
  for (const [shard, texts] of expected) assert.deepEqual(await read('many', {}, shard), texts);
  assert.equal(answer.Records![0]!.ShardId, SHARD);
});

test('limits of puts', async () => {
  await create('limits');
  const many = (Records: { PartitionKey: string; Data: Buffer }[]) =>
    client.send(new PutRecordsCommand({ StreamName: 'limits', Records }));
  const record = (bytes: number, PartitionKey = 'k') => ({ PartitionKey, Data: Buffer.alloc(bytes) });
  const MIB = 1_048_576;
  await many([record(MIB - 1)]);
  await refused(many([record(MIB)]), 'InvalidArgumentException', /has 1048577 bytes with its partition key/);
  await refused(
    many([record(MIB + 1)]),
    'ValidationException',
    /1 validation error detected: .*records.1.member.data/i,
  );
  await refused(
    many(Array.from({ length: 12 }, () => record(900_000))),
    'InvalidArgumentException',
    'Records size exceeds 10 MB limit',
  );
  await refused(
    many(Array.from({ length: 501 }, () => record(1))),
    'ValidationException',
    /1 validation error detected/,
  );
  await refused(many([]), 'ValidationException', /1 validation error detected/);
  const explicit = (ExplicitHashKey: string) =>
    client.send(
      new PutRecordCommand({
        StreamName: 'limits',
        PartitionKey: 'k',
        Data: Buffer.from('x'),
        ExplicitHashKey,
      }),
    );
  await refused(
    explicit(String(1n << 128n)),
    'InvalidArgumentException',
    /must be in the range: \[0, 2\^128-1\]/,
  );
  await refused(explicit('01'), 'ValidationException', /Value '01' at 'explicitHashKey'/);
  await refused(
    put('internal', 'x'),
    'ResourceNotFoundException',
    'Stream internal under account 000000000000 not found.',
  );
  await refused(
    read('internal', {}),
    'ResourceNotFoundException',
    'Stream internal under account 000000000000 not found.',
  );
});

test('retention goes up by one operation and down by the other', async () => {
  await create('retention');
  const increase = (hours: number) =>
    client.send(
      new IncreaseStreamRetentionPeriodCommand({ StreamName: 'retention', RetentionPeriodHours: hours }),
    );
  const decrease = (hours: number) =>
    client.send(
      new DecreaseStreamRetentionPeriodCommand({ StreamName: 'retention', RetentionPeriodHours: hours }),
    );
  await increase(48);
  await refused(
    increase(24),
    'InvalidArgumentException',
    /can not be shorter than existing retention period \(48 hours\)/,
  );
  await refused(
    increase(8_761),
    'InvalidArgumentException',
    /^Maximum allowed retention period is 8760 hours/,
  );
  await refused(
    decrease(72),
    'InvalidArgumentException',
    /can not be longer than existing retention period \(48 hours\)/,
  );
  await refused(decrease(23), 'InvalidArgumentException', /^Minimum allowed retention period is 24 hours/);
  await decrease(24);
  const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName: 'retention' }));
  assert.equal(summary.StreamDescriptionSummary!.RetentionPeriodHours, 24);
});

test('tags are added, listed by pages and removed', async () => {
  await create('tags');
  const add = (Tags: Record<string, string>) =>
    client.send(new AddTagsToStreamCommand({ StreamName: 'tags', Tags }));
  await add({ b: '2', a: '1' });
  await add({ c: '3', a: 'one' });
  const page = await client.send(new ListTagsForStreamCommand({ StreamName: 'tags', Limit: 2 }));
  assert.deepEqual(
    [page.Tags, page.HasMoreTags],
    [
      [
        { Key: 'a', Value: 'one' },
        { Key: 'b', Value: '2' },
      ],
      true,
    ],
  );
  await client.send(new RemoveTagsFromStreamCommand({ StreamName: 'tags', TagKeys: ['a', 'x'] }));
  const rest = await client.send(
    new ListTagsForStreamCommand({ StreamName: 'tags', ExclusiveStartTagKey: 'b' }),
  );
  assert.deepEqual(rest.Tags, [{ Key: 'c', Value: '3' }]);
  await refused(
    add(Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`t${index}`, '']))),
    'InvalidArgumentException',
    /more than 50 tags/,
  );
  await refused(add({ 'no\u0007bell': '' }), 'InvalidArgumentException', /invalid characters/);
});

test('what this version does not have says so', async () => {
  const warm = new UpdateStreamWarmThroughputCommand({ StreamName: 'x', WarmThroughputMiBps: 8 });
  await refused(
    client.send(warm),
    'InvalidArgumentException',
    'UpdateStreamWarmThroughput is not supported by this version of Sluice',
  );
});
