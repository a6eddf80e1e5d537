import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CreateStreamCommand,
  DeleteResourcePolicyCommand,
  DescribeAccountSettingsCommand,
  DescribeLimitsCommand,
  DescribeStreamSummaryCommand,
  DisableEnhancedMonitoringCommand,
  EnableEnhancedMonitoringCommand,
  GetResourcePolicyCommand,
  ListTagsForResourceCommand,
  ListTagsForStreamCommand,
  PutRecordsCommand,
  PutResourcePolicyCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAccountSettingsCommand,
  UpdateMaxRecordSizeCommand,
} from '@aws-sdk/client-kinesis';
import { openKinesis, type Kinesis } from './testing/open-kinesis.ts';

const MIB = 2 ** 20;
let kinesis: Kinesis;
before(async () => (kinesis = await openKinesis()));
after(() => kinesis.close());

const arn = (name: string): string => `arn:aws:kinesis:eu-central-1:000000000000:stream/${name}`;
const refused = (work: Promise<unknown>, name: string, message: RegExp | string) =>
  assert.rejects(work, { name, message });

test('a stream takes larger records once it is told to', async () => {
  await kinesis.create('large');
  const put = (bytes: number) =>
    kinesis.client.send(
      new PutRecordsCommand({
        StreamName: 'large',
        Records: [{ PartitionKey: 'k', Data: Buffer.alloc(bytes, 'x') }],
      }),
    );
  const resize = (kib: number) =>
    kinesis.client.send(new UpdateMaxRecordSizeCommand({ StreamARN: arn('large'), MaxRecordSizeInKiB: kib }));
  await refused(
    put(MIB + 1),
    'ValidationException',
    "1 validation error detected: Value at 'records.1.member.data' failed to satisfy constraint: Member must have length less than or equal to 1048576",
  );
  for (const kib of [1023, 10_241]) await refused(resize(kib), 'ValidationException', /maxRecordSizeInKiB/);
  await resize(10_240);
  const { StreamDescriptionSummary: summary } = await kinesis.client.send(
    new DescribeStreamSummaryCommand({ StreamARN: arn('large') }),
  );
  assert.equal(summary!.MaxRecordSizeInKiB, 10_240);
  await put(10 * MIB - 1);
  await refused(put(10 * MIB), 'InvalidArgumentException', /has 10485761 bytes with its partition key/);
  const { Records: records } = await kinesis.get(await kinesis.iterator('large'));
  assert.equal(records![0]!.Data!.length, 10 * MIB - 1);
  await kinesis.client.send(
    new CreateStreamCommand({ StreamName: 'large-2', ShardCount: 1, MaxRecordSizeInKiB: 2048 }),
  );
  await kinesis.put('large-2', 'x'.repeat(2 * MIB - 1));
});

test('shard-level metrics are kept as they are switched', async () => {
  await kinesis.create('monitored');
  const stream = { StreamName: 'monitored' };
  const on = await kinesis.client.send(
    new EnableEnhancedMonitoringCommand({
      ...stream,
      ShardLevelMetrics: ['OutgoingBytes', 'IncomingBytes'],
    }),
  );
  assert.deepEqual(
    [on.CurrentShardLevelMetrics, on.DesiredShardLevelMetrics],
    [[], ['IncomingBytes', 'OutgoingBytes']],
  );
  const all = await kinesis.client.send(
    new EnableEnhancedMonitoringCommand({ StreamARN: arn('monitored'), ShardLevelMetrics: ['ALL'] }),
  );
  assert.equal(all.DesiredShardLevelMetrics!.length, 7);
  const off = await kinesis.client.send(
    new DisableEnhancedMonitoringCommand({ ...stream, ShardLevelMetrics: ['IncomingBytes'] }),
  );
  assert.equal(off.DesiredShardLevelMetrics!.length, 6);
  const { StreamDescriptionSummary: summary } = await kinesis.client.send(
    new DescribeStreamSummaryCommand(stream),
  );
  assert.equal(summary!.EnhancedMonitoring![0]!.ShardLevelMetrics!.length, 6);
  await refused(
    kinesis.client.send(
      new EnableEnhancedMonitoringCommand({ ...stream, ShardLevelMetrics: ['Nonsense' as never] }),
    ),
    'ValidationException',
    /shardLevelMetrics/,
  );
});

test('tags of a resource are the tags of its stream', async () => {
  await kinesis.create('tagged');
  const ResourceARN = arn('tagged');
  await kinesis.client.send(new TagResourceCommand({ ResourceARN, Tags: { b: '2', a: '1' } }));
  const { Tags: tags } = await kinesis.client.send(new ListTagsForResourceCommand({ ResourceARN }));
  assert.deepEqual(tags, [
    { Key: 'a', Value: '1' },
    { Key: 'b', Value: '2' },
  ]);
  await kinesis.client.send(new UntagResourceCommand({ ResourceARN, TagKeys: ['a', 'none'] }));
  const rest = await kinesis.client.send(new ListTagsForStreamCommand({ StreamName: 'tagged' }));
  assert.deepEqual(rest.Tags, [{ Key: 'b', Value: '2' }]);
  await refused(
    kinesis.client.send(new ListTagsForResourceCommand({ ResourceARN: arn('absent') })),
    'ResourceNotFoundException',
    'Stream absent under account 000000000000 not found.',
  );
  await refused(
    kinesis.client.send(new ListTagsForResourceCommand({ ResourceARN: `${ResourceARN}/consumer/c:1` })),
    'ResourceNotFoundException',
    /^Consumer .* not found\.$/,
  );
});

test('a resource policy is checked and kept', async () => {
  await kinesis.create('shared');
  const ResourceARN = arn('shared');
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: '123456789012' },
    Action: ['kinesis:GetRecords', 'kinesis:ListShards'],
    Resource: ResourceARN,
  };
  const put = (policy: unknown) =>
    kinesis.client.send(
      new PutResourcePolicyCommand({
        ResourceARN,
        Policy: typeof policy === 'string' ? policy : JSON.stringify(policy),
      }),
    );
  const get = async () => (await kinesis.client.send(new GetResourcePolicyCommand({ ResourceARN }))).Policy;
  const Version = '2012-10-17';
  assert.equal(await get(), '{}');
  const remove = () => kinesis.client.send(new DeleteResourcePolicyCommand({ ResourceARN }));
  await refused(
    remove(),
    'ResourceNotFoundException',
    `No resource policy found for resource ARN ${ResourceARN}.`,
  );
  const policy = JSON.stringify({ Version, Statement: statement });
  await put(policy);
  assert.equal(await get(), policy);
  for (const [bad, message] of [
    ['{', /not a JSON object/],
    [{ Version: '2020-01-01', Statement: [statement] }, /Version/],
    [{ Version, Statement: [] }, /no Statement/],
    [{ Version, Statement: [{ ...statement, Effect: 'Maybe' }] }, /Effect/],
    [{ Version, Statement: [{ ...statement, Principal: undefined }] }, /Principal/],
    [{ Version, Statement: [{ ...statement, Action: 'kinesis:DeleteStream' }] }, /Action/],
    [{ Version, Statement: [{ ...statement, Resource: arn('other') }] }, /Resource/],
    [{ Version, Statement: [{ ...statement, Sid: 'x'.repeat(20_480) }] }, /more than 20480 bytes/],
  ] as const)
    await refused(put(bad), 'InvalidArgumentException', message);
  assert.equal(await get(), policy);
  await remove();
  assert.equal(await get(), '{}');
});

test('limits and settings of the account', async () => {
  const before = await kinesis.client.send(new DescribeLimitsCommand({}));
  await kinesis.create('counted', 3);
  await kinesis.client.send(
    new CreateStreamCommand({ StreamName: 'counted-2', StreamModeDetails: { StreamMode: 'ON_DEMAND' } }),
  );
  const limits = await kinesis.client.send(new DescribeLimitsCommand({}));
  assert.equal(limits.OpenShardCount, before.OpenShardCount! + 7);
  assert.equal(limits.OnDemandStreamCount, before.OnDemandStreamCount! + 1);
  assert.deepEqual([limits.ShardLimit, limits.OnDemandStreamCountLimit], [100_000, 10_000]);
  const settings = await kinesis.client.send(new DescribeAccountSettingsCommand({}));
  assert.equal(settings.MinimumThroughputBillingCommitment!.Status, 'DISABLED');
  const update = (Status: 'ENABLED' | 'DISABLED') =>
    kinesis.client.send(new UpdateAccountSettingsCommand({ MinimumThroughputBillingCommitment: { Status } }));
  assert.equal((await update('DISABLED')).MinimumThroughputBillingCommitment!.Status, 'DISABLED');
  await refused(update('ENABLED'), 'InvalidArgumentException', /bills nothing/);
});
