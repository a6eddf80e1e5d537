/** Enhanced fan-out, with the SDK's own client as a user would make it. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DeregisterStreamConsumerCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  ListStreamConsumersCommand,
  PutRecordCommand,
  RegisterStreamConsumerCommand,
  SplitShardCommand,
  SubscribeToShardCommand,
  waitUntilStreamExists,
  type KinesisClient,
  type StartingPosition,
  type SubscribeToShardEvent,
  type SubscribeToShardEventStream,
} from '@aws-sdk/client-kinesis';
import { refusedWith } from './refusal.ts';
import { clientsOf, freshName, openTarget, type Clients } from './target.ts';

const SHARD = 'shardId-000000000000';
type Events = AsyncIterator<SubscribeToShardEventStream>;

suite('Kinesis enhanced fan-out', () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  let clients: Clients;
  let kinesis: KinesisClient;
  before(async () => {
    target = await openTarget();
    clients = clientsOf(target);
    ({ kinesis } = clients);
  });
  const opened: Events[] = [];
  after(async () => {
    // A connection closes well only when all on it is read.
    for (const events of opened)
      void (async () => {
        while ((await events.next().catch(() => ({ done: true }))).done !== true);
      })();
    clients.destroy();
    await target.stop();
  });

  const create = async (): Promise<{ StreamName: string; StreamARN: string }> => {
    const StreamName = freshName('fan_out');
    await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await waitUntilStreamExists({ client: kinesis, maxWaitTime: 20 }, { StreamName });
    const { StreamDescriptionSummary } = await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }));
    return { StreamName, StreamARN: StreamDescriptionSummary!.StreamARN! };
  };
  const register = async (StreamARN: string, ConsumerName = 'app'): Promise<string> => {
    const { Consumer } = await kinesis.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName }));
    const { ConsumerARN } = Consumer!;
    for (;;) {
      const { ConsumerDescription } = await kinesis.send(new DescribeStreamConsumerCommand({ ConsumerARN }));
      if (ConsumerDescription?.ConsumerStatus === 'ACTIVE') return ConsumerARN!;
    }
  };
  const put = async (StreamName: string, text: string): Promise<string> => {
    const input = { StreamName, PartitionKey: 'k', Data: Buffer.from(text) };
    return (await kinesis.send(new PutRecordCommand(input))).SequenceNumber!;
  };
  const subscribe = async (ConsumerARN: string, position: StartingPosition, ShardId = SHARD) => {
    const input = { ConsumerARN, ShardId, StartingPosition: position };
    const { EventStream } = await kinesis.send(new SubscribeToShardCommand(input));
    const events = EventStream![Symbol.asyncIterator]();
    opened.push(events);
    return events;
  };
  /** Texts of as many records, and the last event. */
  const read = async (events: Events, count: number) => {
    const texts: string[] = [];
    let event: SubscribeToShardEvent | undefined;
    while (texts.length < count) {
      const { done, value } = await events.next();
      assert.ok(done !== true, 'the stream ended early');
      event = value.SubscribeToShardEvent;
      texts.push(...(event?.Records ?? []).map(({ Data }) => Buffer.from(Data ?? []).toString()));
    }
    return { texts, event: event! };
  };

  test('records are pushed, and a consumer goes on after what it has', async () => {
    const { StreamName, StreamARN } = await create();
    const [first, second] = [await register(StreamARN, 'first'), await register(StreamARN, 'second')];
    const events = await subscribe(first, { Type: 'LATEST' });
    const numbers = [await put(StreamName, 'a'), await put(StreamName, 'b')];
    const { texts, event } = await read(events, 2);
    assert.deepEqual(texts, ['a', 'b']);
    assert.equal(event.MillisBehindLatest, 0);
    const after = {
      Type: 'AFTER_SEQUENCE_NUMBER',
      SequenceNumber: event.ContinuationSequenceNumber,
    } as const;
    const onward = await subscribe(second, after);
    await put(StreamName, 'c');
    assert.deepEqual((await read(onward, 1)).texts, ['c']);
    assert.deepEqual((await read(events, 1)).texts, ['c']);
    const third = await register(StreamARN, 'third');
    const at = await subscribe(third, { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: numbers[1] });
    assert.deepEqual((await read(at, 2)).texts, ['b', 'c']);
    const { Consumers } = await kinesis.send(new ListStreamConsumersCommand({ StreamARN }));
    assert.deepEqual(Consumers!.map(({ ConsumerName }) => ConsumerName).sort(), ['first', 'second', 'third']);
    await kinesis.send(new DeleteStreamCommand({ StreamName, EnforceConsumerDeletion: true }));
  });

  test('a second subscription within 5 seconds is refused', async () => {
    const { StreamARN } = await create();
    const arn = await register(StreamARN);
    await subscribe(arn, { Type: 'LATEST' });
    await refusedWith(subscribe(arn, { Type: 'LATEST' }), 'ResourceInUseException');
  });

  test('a shard that is split ends with its children', async () => {
    const { StreamName, StreamARN } = await create();
    const events = await subscribe(await register(StreamARN), { Type: 'TRIM_HORIZON' });
    await put(StreamName, 'a');
    assert.deepEqual((await read(events, 1)).texts, ['a']);
    const NewStartingHashKey = String(2n ** 127n);
    await kinesis.send(new SplitShardCommand({ StreamName, ShardToSplit: SHARD, NewStartingHashKey }));
    let last: SubscribeToShardEvent | undefined;
    for (let step = await events.next(); step.done !== true; step = await events.next())
      last = step.value.SubscribeToShardEvent;
    assert.deepEqual(
      last?.ChildShards?.map(({ ShardId, ParentShards }) => [ShardId, ParentShards]),
      [
        ['shardId-000000000001', [SHARD]],
        ['shardId-000000000002', [SHARD]],
      ],
    );
  });

  test('what is missing is told before the stream and in it', async () => {
    const { StreamName, StreamARN } = await create();
    const arn = await register(StreamARN);
    await refusedWith(
      subscribe(arn, { Type: 'LATEST' }, 'shardId-000000000007'),
      'ResourceNotFoundException',
      /^Shard shardId-000000000007 in stream/,
    );
    await refusedWith(
      subscribe(arn.replace(/\d+$/, '1'), { Type: 'LATEST' }),
      'ResourceNotFoundException',
      /^Consumer arn:/,
    );
    const events = await subscribe(arn, { Type: 'LATEST' });
    await refusedWith(
      kinesis.send(new DeleteStreamCommand({ StreamName })),
      'ResourceInUseException',
      /there are consumers associated with this data stream/,
    );
    await kinesis.send(new DeregisterStreamConsumerCommand({ ConsumerARN: arn }));
    await assert.rejects(events.next(), { name: 'ResourceNotFoundException' });
    await kinesis.send(new DeleteStreamCommand({ StreamName }));
  });
});
