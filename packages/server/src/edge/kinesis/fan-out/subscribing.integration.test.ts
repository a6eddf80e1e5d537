/** SubscribeToShard with the SDK's client, over HTTP/2. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  DeleteStreamCommand,
  DeregisterStreamConsumerCommand,
  IncreaseStreamRetentionPeriodCommand,
  MergeShardsCommand,
  SplitShardCommand,
  type SubscribeToShardEvent,
} from '@aws-sdk/client-kinesis';
import { KEEP_ALIVE_MS, SUBSCRIPTION_MS_MAX, TAKEOVER_MS_MIN } from '../../../modules/streams/index.ts';
import { openKinesis, SHARD, type Kinesis } from '../testing/open-kinesis.ts';
import { arnOfStream, plainSubscribe, readOn, register, subscribe, until } from './testing/subscriber.ts';

let kinesis: Kinesis;
before(async () => {
  kinesis = await openKinesis();
});
after(() => {
  readOn();
  return kinesis.close();
});

const refused = (call: Promise<unknown>, name: string, message: RegExp) =>
  assert.rejects(call, (error: Error) => {
    assert.equal(error.name, name);
    assert.match(error.message, message);
    return true;
  });

const open = async (stream: string, shards = 1): Promise<string> => {
  await kinesis.create(stream, shards);
  return register(kinesis, stream, 'app');
};
const factsOf = (stream: string) =>
  kinesis.streams.consumers.facts().find((facts) => facts.stream === stream)!.shards;
/** Runs with streams of its own, where `waiting` tells that the one subscription waits for records. */
async function alone(run: (own: Kinesis, waiting: () => boolean) => Promise<void>): Promise<void> {
  const own = await openKinesis();
  try {
    await run(own, () => own.clock.untilNextMs()! <= KEEP_ALIVE_MS);
  } finally {
    readOn();
    await own.close();
  }
}

test('records are pushed as they are put, with their number, key and time', async () => {
  const arn = await open('live');
  const app = await subscribe(kinesis.client, arn, 'LATEST');
  const { number } = await kinesis.put('live', 'one', 'schlüssel');
  const event = await app.next();
  assert.equal(event!.MillisBehindLatest, 0);
  assert.equal(event!.ContinuationSequenceNumber, number);
  assert.deepEqual(event!.ChildShards ?? [], []);
  const [record] = event!.Records!;
  assert.deepEqual(
    { ...record, Data: Buffer.from(record!.Data!).toString() },
    {
      SequenceNumber: number,
      PartitionKey: 'schlüssel',
      Data: 'one',
      ApproximateArrivalTimestamp: new Date(kinesis.clock.nowMs()),
    },
  );
  await kinesis.put('live', 'two');
  await kinesis.put('live', 'three');
  assert.deepEqual(await app.texts(2), ['two', 'three']);
});

test('every starting position begins where it says', async () => {
  const arn = await open('starts');
  await kinesis.put('starts', 'a');
  kinesis.clock.advance(10_000);
  const { number } = await kinesis.put('starts', 'b');
  await kinesis.put('starts', 'c');
  const read = async (start: Parameters<typeof subscribe>[2], count: number) => {
    kinesis.clock.advance(TAKEOVER_MS_MIN);
    const app = await subscribe(kinesis.client, arn, start);
    return app.texts(count);
  };
  const now = new Date(kinesis.clock.nowMs());
  assert.deepEqual(await read('TRIM_HORIZON', 3), ['a', 'b', 'c']);
  assert.deepEqual(await read({ Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: number }, 2), ['b', 'c']);
  assert.deepEqual(await read({ Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: number }, 1), ['c']);
  assert.deepEqual(await read({ Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '0' }, 3), ['a', 'b', 'c']);
  assert.deepEqual(await read({ Type: 'AT_TIMESTAMP', Timestamp: now }, 2), ['b', 'c']);
  kinesis.clock.advance(TAKEOVER_MS_MIN);
  const latest = await subscribe(kinesis.client, arn, 'LATEST');
  await kinesis.put('starts', 'd');
  assert.deepEqual(await latest.texts(1), ['d']);
});

test('a consumer goes on where it was by the continuation number, after nothing too', () =>
  alone(async (own, waiting) => {
    await own.create('onward');
    const arn = await register(own, 'onward', 'app');
    const first = await subscribe(own.client, arn, 'LATEST');
    await until(waiting);
    own.clock.advance(KEEP_ALIVE_MS);
    const idle = await first.next();
    assert.deepEqual(idle!.Records, []);
    const after = (event: SubscribeToShardEvent) => ({
      Type: 'AFTER_SEQUENCE_NUMBER' as const,
      SequenceNumber: event.ContinuationSequenceNumber!,
    });
    const second = await subscribe(own.client, arn, after(idle!));
    await own.put('onward', 'a');
    const event = await second.next();
    assert.equal(event!.Records!.length, 1);
    own.clock.advance(TAKEOVER_MS_MIN);
    await own.put('onward', 'b');
    const third = await subscribe(own.client, arn, after(event!));
    assert.deepEqual(await third.texts(1), ['b']);
    for (const ended of [first, second]) await assert.rejects(last(ended), /^ResourceInUseException/);
  }));

test('a reader that is behind is told how far, until it is not', async () => {
  const arn = await open('behind');
  const large = 'x'.repeat(200 * 1024);
  for (let index = 0; index < 3; index++) {
    await kinesis.put('behind', large);
    kinesis.clock.advance(1_000);
  }
  const app = await subscribe(kinesis.client, arn);
  const behind: number[] = [];
  for (let records = 0; records < 3;) {
    const event = await app.next();
    records += event!.Records!.length;
    behind.push(event!.MillisBehindLatest!);
  }
  assert.deepEqual(behind, [3_000, 2_000, 0]);
});

test('without records an empty event comes every 5 seconds', () =>
  alone(async (own, waiting) => {
    await own.create('idle');
    const arn = await register(own, 'idle', 'app');
    const { number } = await own.put('idle', 'a');
    const app = await subscribe(own.client, arn);
    assert.deepEqual(await app.texts(1), ['a']);
    for (let round = 0; round < 3; round++) {
      await until(waiting);
      own.clock.advance(KEEP_ALIVE_MS);
      const event = await app.next();
      assert.deepEqual(event!.Records, []);
      assert.equal(event!.ContinuationSequenceNumber, number);
      assert.equal(event!.MillisBehindLatest, 0);
    }
    await own.put('idle', 'b');
    assert.deepEqual(await app.texts(1), ['b']);
  }));

test('a subscription ends well after 5 minutes', async () => {
  const arn = await open('short');
  const app = await subscribe(kinesis.client, arn);
  await kinesis.put('short', 'a');
  assert.deepEqual(await app.texts(1), ['a']);
  kinesis.clock.advance(SUBSCRIPTION_MS_MAX - 1);
  assert.equal(factsOf('short')[0]!.subscribed, true);
  kinesis.clock.advance(1);
  let event: SubscribeToShardEvent | undefined;
  while ((event = await app.next()) !== undefined) assert.deepEqual(event.Records, []);
  assert.equal(factsOf('short')[0]!.subscribed, false);
});

test('one subscription at a time: within 5 seconds another is refused, later it takes over', async () => {
  const arn = await open('single', 2);
  const first = await subscribe(kinesis.client, arn, 'LATEST');
  kinesis.clock.advance(TAKEOVER_MS_MIN - 1);
  await refused(
    subscribe(kinesis.client, arn, 'LATEST'),
    'ResourceInUseException',
    /^Another active subscription exists for this consumer: 000000000000:single:shardId-000000000000:app$/,
  );
  await subscribe(kinesis.client, arn, 'LATEST', 'shardId-000000000001');
  const other = await register(kinesis, 'single', 'other');
  await subscribe(kinesis.client, other, 'LATEST');
  kinesis.clock.advance(1);
  const second = await subscribe(kinesis.client, arn, 'LATEST');
  await refused(
    (async () => {
      while ((await first.next()) !== undefined);
    })(),
    'ResourceInUseException',
    /^Another active subscription exists for this consumer: 000000000000:single:shardId-000000000000:app$/,
  );
  const { shard } = await kinesis.put('single', 'a', 'k');
  if (shard === SHARD) assert.deepEqual(await second.texts(1), ['a']);
  assert.deepEqual(factsOf('single').filter(({ subscribed }) => subscribed).length, 2);
});

for (const version of [1, 2] as const)
  test(`who lost its connection of HTTP/${version} need not wait`, async () => {
    const stream = `lost-${version}`;
    const arn = await open(stream);
    const input = { ConsumerARN: arn, ShardId: SHARD, StartingPosition: { Type: 'LATEST' } };
    const { status, close } = await plainSubscribe(kinesis.port, input, { version });
    assert.equal(status, 200);
    assert.equal(factsOf(stream)[0]!.subscribed, true);
    close();
    await until(() => !factsOf(stream)[0]!.subscribed);
    const app = await subscribe(kinesis.client, arn, 'TRIM_HORIZON');
    await kinesis.put(stream, 'a');
    assert.deepEqual(await app.texts(1), ['a']);
  });

const HALF = '170141183460469231731687303715884105728';
const last = async (app: Awaited<ReturnType<typeof subscribe>>): Promise<SubscribeToShardEvent> => {
  let end: SubscribeToShardEvent | undefined;
  for (let event = await app.next(); event !== undefined; event = await app.next()) end = event;
  return end!;
};

test('a closed shard ends with its children, to who waits and to who comes later', async () => {
  const arn = await open('split');
  const waiting = await subscribe(kinesis.client, arn, 'LATEST');
  await kinesis.put('split', 'a');
  assert.deepEqual(await waiting.texts(1), ['a']);
  await kinesis.client.send(
    new SplitShardCommand({ StreamName: 'split', ShardToSplit: SHARD, NewStartingHashKey: HALF }),
  );
  const expected = [1, 2].map((number) => ({
    ShardId: `shardId-00000000000${number}`,
    ParentShards: [SHARD],
    HashKeyRange: {
      StartingHashKey: number === 1 ? '0' : HALF,
      EndingHashKey: number === 1 ? String(BigInt(HALF) - 1n) : String(2n ** 128n - 1n),
    },
  }));
  const end = await last(waiting);
  assert.deepEqual(end.ChildShards, expected);
  assert.equal(end.ContinuationSequenceNumber, undefined);
  assert.deepEqual(end.Records, []);
  const later = await subscribe(kinesis.client, arn, 'TRIM_HORIZON');
  assert.deepEqual(await later.texts(1), ['a']);
  assert.deepEqual((await last(later)).ChildShards, expected);
  assert.deepEqual((await last(await subscribe(kinesis.client, arn, 'LATEST'))).ChildShards, expected);
  const child = await subscribe(kinesis.client, arn, 'TRIM_HORIZON', 'shardId-000000000001');
  const both = await subscribe(kinesis.client, arn, 'TRIM_HORIZON', 'shardId-000000000002');
  await kinesis.client.send(
    new MergeShardsCommand({
      StreamName: 'split',
      ShardToMerge: 'shardId-000000000001',
      AdjacentShardToMerge: 'shardId-000000000002',
    }),
  );
  for (const app of [child, both])
    assert.deepEqual(
      (await last(app)).ChildShards!.map(({ ShardId, ParentShards }) => [ShardId, ParentShards]),
      [['shardId-000000000003', ['shardId-000000000001', 'shardId-000000000002']]],
    );
});

test('the end of the consumer or its stream is told in the stream', async () => {
  const arn = await open('ends');
  const first = await subscribe(kinesis.client, arn, 'LATEST');
  await kinesis.client.send(new DeregisterStreamConsumerCommand({ ConsumerARN: arn }));
  await refused(first.next(), 'ResourceNotFoundException', /^Consumer arn:.* not found\.$/);
  kinesis.clock.advance(1_000);
  const again = await register(kinesis, 'ends', 'app');
  const second = await subscribe(kinesis.client, again, 'LATEST');
  await kinesis.client.send(new DeleteStreamCommand({ StreamName: 'ends', EnforceConsumerDeletion: true }));
  await refused(second.next(), 'ResourceNotFoundException', /^Consumer arn:/);
});

test('what can not be subscribed to is refused', async () => {
  const arn = await open('refusals');
  const { client } = kinesis;
  const other = await open('refusals-other');
  const { number } = await kinesis.put('refusals-other', 'a');
  const call = (start: Parameters<typeof subscribe>[2], shard?: string) =>
    subscribe(client, arn, start, shard);
  await refused(
    call('LATEST', 'shardId-000000000009'),
    'ResourceNotFoundException',
    /^Shard .* does not exist$/,
  );
  await refused(
    subscribe(client, `${arnOfStream('refusals')}/consumer/b:1`, 'LATEST'),
    'ResourceNotFoundException',
    /^Consumer arn:/,
  );
  await refused(
    subscribe(client, other.replace(/\d+$/, '1'), 'LATEST'),
    'ResourceNotFoundException',
    /^Consumer arn:/,
  );
  await refused(call('AT_SEQUENCE_NUMBER'), 'InvalidArgumentException', /^Must either specify/);
  await refused(call('AT_TIMESTAMP'), 'InvalidArgumentException', /^Must specify timestampInMillis/);
  await refused(
    call({ Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: number }),
    'InvalidArgumentException',
    /used in SubscribeToShard .* did not come from this stream/,
  );
  await refused(
    call({ Type: 'AT_TIMESTAMP', Timestamp: new Date(kinesis.clock.nowMs() + 60_000) }),
    'InvalidArgumentException',
    /cannot be greater/,
  );
  await refused(call('NOWHERE' as 'LATEST'), 'ValidationException', /startingPosition\.type/);
});

test('records that expire under a reader are left out', async () => {
  const arn = await open('expiry');
  await kinesis.client.send(
    new IncreaseStreamRetentionPeriodCommand({ StreamName: 'expiry', RetentionPeriodHours: 25 }),
  );
  await kinesis.put('expiry', 'old');
  kinesis.clock.advance(2 * 3_600_000);
  await kinesis.put('expiry', 'new');
  kinesis.clock.advance(24 * 3_600_000);
  const app = await subscribe(kinesis.client, arn, { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '0' });
  assert.deepEqual(await app.texts(1), ['new']);
});
