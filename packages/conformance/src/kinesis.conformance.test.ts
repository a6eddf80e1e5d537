import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
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
  waitUntilStreamExists,
  type GetShardIteratorCommandInput,
} from '@aws-sdk/client-kinesis';
import { refusedWith } from './refusal.ts';
import { freshName, kinesisClient, KINESIS_PROTOCOLS, openTarget } from './target.ts';

const text = (data: Uint8Array | undefined) => Buffer.from(data ?? []).toString();

for (const protocol of KINESIS_PROTOCOLS)
  suite(`Kinesis over ${protocol}`, () => {
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
    const create = async (shards = 1): Promise<string> => {
      const StreamName = freshName('stream');
      await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: shards }));
      await waitUntilStreamExists({ client: kinesis, maxWaitTime: 20 }, { StreamName });
      return StreamName;
    };
    const read = async (
      StreamName: string,
      from: Partial<GetShardIteratorCommandInput>,
    ): Promise<string[]> => {
      const { ShardIterator } = await kinesis.send(
        new GetShardIteratorCommand({
          StreamName,
          ShardId: 'shardId-000000000000',
          ShardIteratorType: 'TRIM_HORIZON',
          ...from,
        }),
      );
      const { Records = [] } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
      return Records.map(({ Data }) => text(Data));
    };

    test('records come back whole, in order, from every kind of iterator', async () => {
      const StreamName = await create();
      const first = await kinesis.send(
        new PutRecordCommand({ StreamName, PartitionKey: 'a', Data: Buffer.from('0') }),
      );
      assert.match(first.SequenceNumber ?? '', /^(0|[1-9]\d{0,128})$/);
      assert.equal(first.ShardId, 'shardId-000000000000');
      const between = new Date();
      const { FailedRecordCount, Records = [] } = await kinesis.send(
        new PutRecordsCommand({
          StreamName,
          Records: ['1', '2', '3'].map((value) => ({ PartitionKey: value, Data: Buffer.from(value) })),
        }),
      );
      assert.equal(FailedRecordCount, 0);
      assert.equal(Records.length, 3);
      assert.deepEqual(await read(StreamName, {}), ['0', '1', '2', '3']);
      const at = Records[0]!.SequenceNumber;
      assert.deepEqual(
        await read(StreamName, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: at }),
        ['1', '2', '3'],
      );
      assert.deepEqual(
        await read(StreamName, { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: at }),
        ['2', '3'],
      );
      assert.deepEqual(await read(StreamName, { ShardIteratorType: 'LATEST' }), []);
      const since = await read(StreamName, { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: between });
      assert.deepEqual(since.slice(-3), ['1', '2', '3']);
    });

    test('iterators go on, at the tail too', async () => {
      const StreamName = await create();
      const { ShardIterator } = await kinesis.send(
        new GetShardIteratorCommand({
          StreamName,
          ShardId: 'shardId-000000000000',
          ShardIteratorType: 'LATEST',
        }),
      );
      const empty = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
      assert.deepEqual(empty.Records, []);
      assert.equal(empty.MillisBehindLatest, 0);
      for (const value of ['a', 'b', 'c']) {
        await kinesis.send(new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: Buffer.from(value) }));
      }
      const found: string[] = [];
      let next = empty.NextShardIterator;
      while (found.length < 3) {
        const page = await kinesis.send(new GetRecordsCommand({ ShardIterator: next, Limit: 1 }));
        assert.ok((page.Records ?? []).length <= 1);
        found.push(...(page.Records ?? []).map(({ Data }) => text(Data)));
        next = page.NextShardIterator;
      }
      assert.deepEqual(found, ['a', 'b', 'c']);
    });

    test('keys go to the shard of their hash, explicit hash keys override', async () => {
      const StreamName = await create(2);
      const { Shards = [] } = await kinesis.send(new ListShardsCommand({ StreamName }));
      assert.deepEqual(
        Shards.map(({ HashKeyRange }) => HashKeyRange),
        [
          { StartingHashKey: '0', EndingHashKey: '170141183460469231731687303715884105727' },
          {
            StartingHashKey: '170141183460469231731687303715884105728',
            EndingHashKey: '340282366920938463463374607431768211455',
          },
        ],
      );
      const shardOf = async (ExplicitHashKey: string) =>
        (
          await kinesis.send(
            new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: Buffer.from('x'), ExplicitHashKey }),
          )
        ).ShardId;
      assert.equal(await shardOf('0'), 'shardId-000000000000');
      assert.equal(await shardOf('340282366920938463463374607431768211455'), 'shardId-000000000001');
      await refusedWith(shardOf('340282366920938463463374607431768211456'), 'InvalidArgumentException');
    });

    test('streams are described, listed in pages, kept longer and tagged', async () => {
      const StreamName = await create(3);
      const { StreamDescription } = await kinesis.send(new DescribeStreamCommand({ StreamName, Limit: 2 }));
      assert.equal(StreamDescription?.StreamStatus, 'ACTIVE');
      assert.equal(StreamDescription.Shards?.length, 2);
      assert.equal(StreamDescription.HasMoreShards, true);
      assert.equal(StreamDescription.RetentionPeriodHours, 24);
      assert.ok(Math.abs(StreamDescription.StreamCreationTimestamp!.getTime() - Date.now()) < 60_000);
      const page = await kinesis.send(new ListShardsCommand({ StreamName, MaxResults: 2 }));
      const rest = await kinesis.send(new ListShardsCommand({ NextToken: page.NextToken }));
      assert.deepEqual(
        rest.Shards?.map(({ ShardId }) => ShardId),
        ['shardId-000000000002'],
      );

      await kinesis.send(new IncreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 48 }));
      await kinesis.send(new DecreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 36 }));
      const { StreamDescriptionSummary } = await kinesis.send(
        new DescribeStreamSummaryCommand({ StreamName }),
      );
      assert.equal(StreamDescriptionSummary?.RetentionPeriodHours, 36);
      assert.equal(StreamDescriptionSummary.OpenShardCount, 3);

      await kinesis.send(new AddTagsToStreamCommand({ StreamName, Tags: { a: '1', b: '2' } }));
      await kinesis.send(new RemoveTagsFromStreamCommand({ StreamName, TagKeys: ['a'] }));
      const tags = await kinesis.send(new ListTagsForStreamCommand({ StreamName }));
      assert.deepEqual(tags.Tags, [{ Key: 'b', Value: '2' }]);

      await create();
      const names: string[] = [];
      let start: string | undefined;
      for (;;) {
        const listed = await kinesis.send(
          new ListStreamsCommand({ Limit: 1, ExclusiveStartStreamName: start }),
        );
        names.push(...(listed.StreamNames ?? []));
        start = names.at(-1);
        if (listed.HasMoreStreams !== true) break;
      }
      assert.ok(names.includes(StreamName) && names.length >= 2);
      assert.deepEqual(names, [...new Set(names)].sort());
      await kinesis.send(new DeleteStreamCommand({ StreamName }));
      await refusedWith(kinesis.send(new DescribeStreamCommand({ StreamName })), 'ResourceNotFoundException');
    });

    test('errors are those of AWS', async () => {
      const StreamName = await create();
      await refusedWith(
        kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 1 })),
        'ResourceInUseException',
      );
      const absent = { StreamName: freshName('absent') };
      await refusedWith(
        kinesis.send(new PutRecordCommand({ ...absent, PartitionKey: 'a', Data: Buffer.from('x') })),
        'ResourceNotFoundException',
        /Stream .* under account \d{12} not found/,
      );
      await refusedWith(
        kinesis.send(new PutRecordCommand({ StreamName: 'a b', PartitionKey: 'a', Data: Buffer.from('x') })),
        'ValidationException',
        /^1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: \[a-zA-Z0-9_\.-\]\+$/,
      );
      await refusedWith(
        kinesis.send(new GetRecordsCommand({ ShardIterator: 'AAAA' })),
        'InvalidArgumentException',
      );
      await refusedWith(
        kinesis.send(new IncreaseStreamRetentionPeriodCommand({ StreamName, RetentionPeriodHours: 1 })),
        'InvalidArgumentException',
      );
    });
  });
