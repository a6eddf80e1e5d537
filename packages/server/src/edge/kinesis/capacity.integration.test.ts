import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  PutRecordsCommand,
  UpdateShardCountCommand,
  UpdateStreamModeCommand,
} from '@aws-sdk/client-kinesis';
import { openKinesis, SHARD, type Kinesis } from './testing/open-kinesis.ts';

const MIB = 2 ** 20;
let kinesis: Kinesis;
before(async () => (kinesis = await openKinesis({ limits: 'aws' })));
after(() => kinesis.close());

const many = (name: string, count: number, bytes: number, key = 'k') =>
  kinesis.client.send(
    new PutRecordsCommand({
      StreamName: name,
      Records: Array.from({ length: count }, () => ({ PartitionKey: key, Data: Buffer.alloc(bytes, 'x') })),
    }),
  );
const summary = async (name: string) =>
  (await kinesis.client.send(new DescribeStreamSummaryCommand({ StreamName: name })))
    .StreamDescriptionSummary!;
const exceeded = (shard: string, stream: string) => ({
  name: 'ProvisionedThroughputExceededException',
  message: `Rate exceeded for shard ${shard} in stream ${stream} under account 000000000000.`,
});

test('a shard takes 1,000 records a second, and fails the rest of a request one by one', async () => {
  await kinesis.create('records', 2);
  await many('records', 500, 1);
  await many('records', 490, 1);
  const part = await many('records', 20, 1);
  assert.equal(part.FailedRecordCount, 10);
  const shard = part.Records![0]!.ShardId!;
  const { name: ErrorCode, message: ErrorMessage } = exceeded(shard, 'records');
  assert.deepEqual(
    part.Records!.slice(10),
    Array.from({ length: 10 }, () => ({ ErrorCode, ErrorMessage })),
  );
  await assert.rejects(kinesis.put('records', 'x'), exceeded(shard, 'records'));
  // The other shard has all of its own.
  const other = await kinesis.put('records', 'x', 'another key 3');
  assert.notEqual(other.shard, shard);
  kinesis.clock.advance(100);
  assert.equal((await many('records', 150, 1)).FailedRecordCount, 50);
  // A read gives what was taken, and none of what was refused.
  kinesis.clock.advance(1_000);
  const read = await kinesis.get(await kinesis.iterator('records', { ShardId: shard }));
  assert.equal(read.Records!.length, 1_100);
});

test('a shard takes 1 MiB a second', async () => {
  await kinesis.create('bytes');
  assert.equal((await many('bytes', 3, 400_000)).FailedRecordCount, 1);
  kinesis.clock.advance(1_000);
  assert.equal((await many('bytes', 1, MIB - 1)).FailedRecordCount, 0);
  assert.equal((await many('bytes', 1, 1)).FailedRecordCount, 1);
});

test('the readers of a shard share 5 reads and 2 MiB a second', async () => {
  await kinesis.create('reads');
  for (let round = 0; round < 3; round++) {
    await many('reads', 1, MIB - 1);
    kinesis.clock.advance(1_000);
  }
  const start = await kinesis.iterator('reads');
  const { NextShardIterator: end } = await kinesis.get(start);
  await assert.rejects(kinesis.get(start), exceeded(SHARD, 'reads'));
  kinesis.clock.advance(490);
  await assert.rejects(kinesis.get(start), exceeded(SHARD, 'reads'));
  kinesis.clock.advance(11);
  await kinesis.get(end!);
  kinesis.clock.advance(2_000);
  for (let read = 0; read < 5; read++) await kinesis.get(end!);
  await assert.rejects(kinesis.get(end!), exceeded(SHARD, 'reads'));
  kinesis.clock.advance(200);
  await kinesis.get(end!);
});

test('an on-demand stream grows to double its busiest second', async () => {
  await kinesis.client.send(
    new CreateStreamCommand({ StreamName: 'grows', StreamModeDetails: { StreamMode: 'ON_DEMAND' } }),
  );
  assert.equal((await summary('grows')).OpenShardCount, 4);
  const spread = (count: number, bytes: number) =>
    kinesis.client.send(
      new PutRecordsCommand({
        StreamName: 'grows',
        Records: Array.from({ length: count }, (_, n) => ({
          PartitionKey: String(n),
          Data: Buffer.alloc(bytes, 'x'),
        })),
      }),
    );
  assert.equal((await spread(15, 100_000)).FailedRecordCount, 0);
  assert.equal((await summary('grows')).OpenShardCount, 4);
  kinesis.clock.advance(1_000);
  await spread(30, 100_000);
  // The growth runs beside the put that asked for it.
  for (let looks = 0; (await summary('grows')).OpenShardCount !== 6; looks++) assert.ok(looks < 100);
  const all = await kinesis.shards({ StreamName: 'grows' });
  assert.ok(all.some((shard) => shard.ParentShardId !== undefined));
});

test('a stream is scaled 10 times a day and changes its mode twice', async () => {
  await kinesis.create('often', 2);
  const scale = (target: number) =>
    kinesis.client.send(
      new UpdateShardCountCommand({
        StreamName: 'often',
        TargetShardCount: target,
        ScalingType: 'UNIFORM_SCALING',
      }),
    );
  for (let times = 0; times < 10; times++) await scale(1 + (times % 2));
  await assert.rejects(scale(1), {
    name: 'LimitExceededException',
    message: /10 times .* in the past 24 hours/,
  });
  const mode = (StreamMode: 'ON_DEMAND' | 'PROVISIONED') =>
    kinesis.client.send(
      new UpdateStreamModeCommand({
        StreamARN: 'arn:aws:kinesis:eu-central-1:000000000000:stream/often',
        StreamModeDetails: { StreamMode },
      }),
    );
  await mode('ON_DEMAND');
  assert.equal((await summary('often')).StreamModeDetails!.StreamMode, 'ON_DEMAND');
  await mode('PROVISIONED');
  await assert.rejects(mode('ON_DEMAND'), { name: 'LimitExceededException', message: /changed 2 times/ });
  kinesis.clock.advance(25 * 3_600_000);
  await mode('ON_DEMAND');
  await mode('PROVISIONED');
  await scale(1);
});
