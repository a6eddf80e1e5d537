import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  CreateStreamCommand,
  DeleteResourcePolicyCommand,
  DeleteStreamCommand,
  DeregisterStreamConsumerCommand,
  DescribeAccountSettingsCommand,
  DescribeLimitsCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  DisableEnhancedMonitoringCommand,
  EnableEnhancedMonitoringCommand,
  GetRecordsCommand,
  GetResourcePolicyCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  ListStreamConsumersCommand,
  ListTagsForResourceCommand,
  MergeShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  PutResourcePolicyCommand,
  RegisterStreamConsumerCommand,
  SplitShardCommand,
  SubscribeToShardCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAccountSettingsCommand,
  UpdateMaxRecordSizeCommand,
  UpdateShardCountCommand,
  UpdateStreamModeCommand,
  waitUntilStreamExists,
  type KinesisClient,
  type Shard,
} from '@aws-sdk/client-kinesis';
import { eventually, refusedWith } from './refusal.ts';
import { freshName, kinesisClient, KINESIS_PROTOCOLS, openTarget } from './target.ts';

const FIRST = 'shardId-000000000000';
const SECOND = 'shardId-000000000001';
const bytes = (...values: number[]) => Uint8Array.from(values);

for (const protocol of KINESIS_PROTOCOLS)
  suite(`operations of Kinesis over ${protocol}`, () => {
    let target: Awaited<ReturnType<typeof openTarget>>;
    let kinesis: KinesisClient;
    before(async () => {
      target = await openTarget();
      kinesis = kinesisClient(target, protocol);
    });
    after(async () => {
      kinesis.destroy();
      await target.stop();
    });
    const create = async (ShardCount = 1) => {
      const StreamName = freshName('operations');
      await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount }));
      await active(StreamName);
      const { StreamDescriptionSummary } = await kinesis.send(
        new DescribeStreamSummaryCommand({ StreamName }),
      );
      return { StreamName, StreamARN: StreamDescriptionSummary!.StreamARN! };
    };
    const active = (StreamName: string) =>
      waitUntilStreamExists({ client: kinesis, maxWaitTime: 20, minDelay: 1 }, { StreamName });
    const open = async (StreamName: string): Promise<Shard[]> => {
      const { Shards = [] } = await kinesis.send(
        new ListShardsCommand({ StreamName, ShardFilter: { Type: 'AT_LATEST' } }),
      );
      return Shards;
    };

    test('SplitShard, MergeShards, UpdateShardCount', async () => {
      const { StreamName } = await create();
      const middle = '170141183460469231731687303715884105728';
      await kinesis.send(new PutRecordCommand({ StreamName, PartitionKey: 'a', Data: bytes(1) }));
      await kinesis.send(
        new SplitShardCommand({ StreamName, ShardToSplit: FIRST, NewStartingHashKey: middle }),
      );
      await active(StreamName);
      const halves = await open(StreamName);
      assert.deepEqual(
        halves.map(({ ParentShardId, HashKeyRange }) => [ParentShardId, HashKeyRange?.StartingHashKey]),
        [
          [FIRST, '0'],
          [FIRST, middle],
        ],
      );
      const [lower, upper] = halves.map(({ ShardId }) => ShardId!);
      await refusedWith(
        kinesis.send(
          new MergeShardsCommand({ StreamName, ShardToMerge: lower, AdjacentShardToMerge: FIRST }),
        ),
        'InvalidArgumentException',
      );
      await kinesis.send(
        new MergeShardsCommand({ StreamName, ShardToMerge: lower, AdjacentShardToMerge: upper }),
      );
      await active(StreamName);
      const [merged, ...others] = await open(StreamName);
      assert.deepEqual(others, []);
      assert.deepEqual([merged?.ParentShardId, merged?.AdjacentParentShardId], [lower, upper]);
      const { ShardIterator } = await kinesis.send(
        new GetShardIteratorCommand({ StreamName, ShardId: FIRST, ShardIteratorType: 'TRIM_HORIZON' }),
      );
      const last = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
      assert.deepEqual(
        last.Records?.map(({ Data }) => [...Data!]),
        [[1]],
      );
      const end =
        last.NextShardIterator === undefined
          ? last
          : await kinesis.send(new GetRecordsCommand({ ShardIterator: last.NextShardIterator }));
      assert.equal(end.NextShardIterator, undefined);
      assert.deepEqual(
        end.ChildShards?.map(({ ShardId }) => ShardId),
        [lower, upper],
      );
      const scaled = await kinesis.send(
        new UpdateShardCountCommand({ StreamName, TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING' }),
      );
      assert.deepEqual([scaled.CurrentShardCount, scaled.TargetShardCount], [1, 2]);
      await eventually(async () => ((await open(StreamName)).length === 2 ? true : undefined), 'two shards');
      await active(StreamName);
      await refusedWith(
        kinesis.send(
          new UpdateShardCountCommand({ StreamName, TargetShardCount: 5, ScalingType: 'UNIFORM_SCALING' }),
        ),
        'LimitExceededException',
      );
    });

    test('UpdateStreamMode, UpdateMaxRecordSize', async () => {
      const { StreamName, StreamARN } = await create();
      const large = { StreamName, PartitionKey: 'a', Data: new Uint8Array(2 * 1_048_576).fill(7) };
      await refusedWith(
        kinesis.send(new PutRecordCommand(large)),
        'ValidationException',
        /less than or equal to 1048576/,
      );
      await kinesis.send(new UpdateMaxRecordSizeCommand({ StreamARN, MaxRecordSizeInKiB: 4096 }));
      await active(StreamName);
      await kinesis.send(new PutRecordCommand(large));
      const { ShardIterator } = await kinesis.send(
        new GetShardIteratorCommand({ StreamName, ShardId: FIRST, ShardIteratorType: 'TRIM_HORIZON' }),
      );
      const { Records = [] } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
      assert.deepEqual(Buffer.from(Records[0]!.Data!), Buffer.from(large.Data));
      await kinesis.send(
        new UpdateStreamModeCommand({ StreamARN, StreamModeDetails: { StreamMode: 'ON_DEMAND' } }),
      );
      await active(StreamName);
      const { StreamDescriptionSummary: summary } = await kinesis.send(
        new DescribeStreamSummaryCommand({ StreamName }),
      );
      assert.equal(summary?.StreamModeDetails?.StreamMode, 'ON_DEMAND');
      assert.equal(summary?.MaxRecordSizeInKiB, 4096);
      assert.ok(Math.abs(summary.StreamCreationTimestamp!.getTime() - Date.now()) < 60_000);
    });

    test('enhanced monitoring', async () => {
      const { StreamName } = await create();
      const metrics = (...names: string[]) => ({ StreamName, ShardLevelMetrics: names as 'IncomingBytes'[] });
      const enabled = await kinesis.send(
        new EnableEnhancedMonitoringCommand(metrics('IncomingBytes', 'OutgoingBytes')),
      );
      assert.deepEqual(enabled.CurrentShardLevelMetrics, []);
      assert.deepEqual(enabled.DesiredShardLevelMetrics?.toSorted(), ['IncomingBytes', 'OutgoingBytes']);
      const disabled = await kinesis.send(new DisableEnhancedMonitoringCommand(metrics('IncomingBytes')));
      assert.deepEqual(disabled.DesiredShardLevelMetrics, ['OutgoingBytes']);
      await refusedWith(
        kinesis.send(new EnableEnhancedMonitoringCommand(metrics('Nothing'))),
        'ValidationException',
      );
    });

    test('limits and account settings', async () => {
      const { StreamARN } = await create(2);
      const limits = await kinesis.send(new DescribeLimitsCommand({}));
      assert.ok(limits.OpenShardCount! >= 2 && limits.ShardLimit! >= limits.OpenShardCount!, StreamARN);
      const settings = await kinesis.send(new DescribeAccountSettingsCommand({}));
      assert.equal(settings.MinimumThroughputBillingCommitment?.Status, 'DISABLED');
      await kinesis.send(
        new UpdateAccountSettingsCommand({ MinimumThroughputBillingCommitment: { Status: 'DISABLED' } }),
      );
    });

    test('tags and policies of a resource', async () => {
      const { StreamARN: ResourceARN } = await create();
      await kinesis.send(new TagResourceCommand({ ResourceARN, Tags: { a: '1', b: 'ü' } }));
      await kinesis.send(new UntagResourceCommand({ ResourceARN, TagKeys: ['a'] }));
      const { Tags } = await kinesis.send(new ListTagsForResourceCommand({ ResourceARN }));
      assert.deepEqual(Tags, [{ Key: 'b', Value: 'ü' }]);
      const Policy = JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: 'arn:aws:iam::000000000000:root' },
            Action: 'kinesis:GetRecords',
            Resource: ResourceARN,
          },
        ],
      });
      await kinesis.send(new PutResourcePolicyCommand({ ResourceARN, Policy }));
      const found = await kinesis.send(new GetResourcePolicyCommand({ ResourceARN }));
      assert.deepEqual(JSON.parse(found.Policy!), JSON.parse(Policy));
      await kinesis.send(new DeleteResourcePolicyCommand({ ResourceARN }));
      await refusedWith(
        kinesis.send(new DeleteResourcePolicyCommand({ ResourceARN })),
        'ResourceNotFoundException',
      );
    });

    test('consumers, and what is pushed to one', async () => {
      const { StreamName, StreamARN } = await create();
      const named = { StreamARN, ConsumerName: 'one' };
      const registered = await kinesis.send(new RegisterStreamConsumerCommand(named));
      const ConsumerARN = registered.Consumer!.ConsumerARN!;
      assert.ok(Math.abs(registered.Consumer!.ConsumerCreationTimestamp!.getTime() - Date.now()) < 60_000);
      await refusedWith(kinesis.send(new RegisterStreamConsumerCommand(named)), 'ResourceInUseException');
      await eventually(async () => {
        const { ConsumerDescription } = await kinesis.send(
          new DescribeStreamConsumerCommand({ ConsumerARN }),
        );
        return ConsumerDescription?.ConsumerStatus === 'ACTIVE' ? true : undefined;
      }, 'the consumer is active');
      const { Consumers } = await kinesis.send(new ListStreamConsumersCommand({ StreamARN }));
      assert.deepEqual(
        Consumers?.map(({ ConsumerName }) => ConsumerName),
        ['one'],
      );

      const put = [[1], [], [0, 255]];
      const Records = put.map((data) => ({ PartitionKey: 'ключ', Data: bytes(...data) }));
      await kinesis.send(new PutRecordsCommand({ StreamName, Records }));
      const { EventStream: events } = await kinesis.send(
        new SubscribeToShardCommand({
          ConsumerARN,
          ShardId: FIRST,
          StartingPosition: { Type: 'AT_TIMESTAMP', Timestamp: new Date(Date.now() - 60_000) },
        }),
      );
      const pushed: [number[], string][] = [];
      for await (const { SubscribeToShardEvent: event } of events!) {
        assert.match(event?.ContinuationSequenceNumber ?? '', /^\d+$/);
        for (const { Data, PartitionKey, ApproximateArrivalTimestamp: at } of event?.Records ?? []) {
          assert.ok(Math.abs(at!.getTime() - Date.now()) < 60_000);
          pushed.push([[...Data!], PartitionKey!]);
        }
        if (pushed.length === put.length) break;
      }
      assert.deepEqual(
        pushed,
        put.map((data) => [data, 'ключ']),
      );
      await refusedWith(
        kinesis.send(
          new SubscribeToShardCommand({
            ConsumerARN,
            ShardId: SECOND,
            StartingPosition: { Type: 'TRIM_HORIZON' },
          }),
        ),
        'ResourceNotFoundException',
      );
      await refusedWith(kinesis.send(new DeleteStreamCommand({ StreamName })), 'ResourceInUseException');
      await kinesis.send(new DeregisterStreamConsumerCommand({ ConsumerARN }));
      await kinesis.send(new DeleteStreamCommand({ StreamName, EnforceConsumerDeletion: true }));
    });
  });
