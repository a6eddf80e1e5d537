import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  DescribeStreamCommand,
  DescribeStreamSummaryCommand,
  ListShardsCommand,
  MergeShardsCommand,
  SplitShardCommand,
  UpdateShardCountCommand,
  UpdateStreamModeCommand,
  type ListShardsCommandInput,
  waitUntilStreamExists,
} from '@aws-sdk/client-kinesis';
import { openKinesis, SHARD, type Kinesis } from './testing/open-kinesis.ts';

const HALF = 2n ** 127n;
const HOUR_MS = 3_600_000;
const id = (number: number): string => `shardId-${String(number).padStart(12, '0')}`;
let kinesis: Kinesis;
before(async () => (kinesis = await openKinesis()));
after(() => kinesis.close());

const split = (name: string, shard = SHARD, at: bigint | string = HALF) =>
  kinesis.client.send(
    new SplitShardCommand({ StreamName: name, ShardToSplit: shard, NewStartingHashKey: String(at) }),
  );
const merge = (name: string, shard: string, adjacent: string) =>
  kinesis.client.send(
    new MergeShardsCommand({ StreamName: name, ShardToMerge: shard, AdjacentShardToMerge: adjacent }),
  );
const scale = (name: string, target: number) =>
  kinesis.client.send(
    new UpdateShardCountCommand({
      StreamName: name,
      TargetShardCount: target,
      ScalingType: 'UNIFORM_SCALING',
    }),
  );
const refused = (work: Promise<unknown>, name: string, message: RegExp | string) =>
  assert.rejects(work, { name, message });
const arn = (name: string): string => `arn:aws:kinesis:eu-central-1:000000000000:stream/${name}`;

test('a split and a merge keep order, lineage and rising sequence numbers', async () => {
  await kinesis.create('lineage');
  const first = await kinesis.put('lineage', 'a1', 'a');
  await split('lineage');
  const second = await kinesis.put('lineage', 'a2', 'a');
  await merge('lineage', id(1), id(2));
  const third = await kinesis.put('lineage', 'a3', 'a');
  await waitUntilStreamExists({ client: kinesis.client, maxWaitTime: 30 }, { StreamName: 'lineage' });
  const [root, left, right, merged] = await kinesis.shards({ StreamName: 'lineage' });
  assert.equal(first.shard, root!.ShardId);
  assert.equal(root!.ParentShardId, undefined);
  assert.deepEqual(
    [left, right].map((shard) => [shard!.ParentShardId, shard!.AdjacentParentShardId, shard!.HashKeyRange]),
    [
      [id(0), undefined, { StartingHashKey: '0', EndingHashKey: String(HALF - 1n) }],
      [id(0), undefined, { StartingHashKey: String(HALF), EndingHashKey: String(2n ** 128n - 1n) }],
    ],
  );
  assert.deepEqual([merged!.ParentShardId, merged!.AdjacentParentShardId], [id(1), id(2)]);
  assert.equal(merged!.SequenceNumberRange!.EndingSequenceNumber, undefined);
  assert.equal(third.shard, id(3));
  const numbers = [first, second, third].map(({ number }) => BigInt(number));
  assert.ok(numbers[0]! < numbers[1]! && numbers[1]! < numbers[2]!);
  for (const [parent, child] of [
    [root, left],
    [root, right],
    [left, merged],
    [right, merged],
  ])
    assert.ok(
      BigInt(parent!.SequenceNumberRange!.EndingSequenceNumber!) <
        BigInt(child!.SequenceNumberRange!.StartingSequenceNumber!),
    );
  const texts = [];
  for (const shard of [root, left, right, merged])
    texts.push(...(await kinesis.read('lineage', { ShardId: shard!.ShardId })));
  assert.deepEqual(texts, ['a1', 'a2', 'a3']);
  const { StreamDescriptionSummary: summary } = await kinesis.client.send(
    new DescribeStreamSummaryCommand({ StreamName: 'lineage' }),
  );
  assert.deepEqual([summary!.OpenShardCount, summary!.StreamStatus], [1, 'ACTIVE']);
});

test('a closed shard ends: no next iterator, and the children of it', async () => {
  await kinesis.create('ends', 2);
  await kinesis.put('ends', 'only', 'x');
  const shard = (await kinesis.shards({ StreamName: 'ends' })).length === 2 ? id(1) : id(0);
  const open = await kinesis.get(
    await kinesis.iterator('ends', { ShardId: id(0), ShardIteratorType: 'LATEST' }),
  );
  assert.equal(open.ChildShards, undefined);
  await merge('ends', id(0), id(1));
  // An iterator from before the merge goes on to the end.
  const end = await kinesis.get(open.NextShardIterator!);
  assert.deepEqual([end.NextShardIterator, end.MillisBehindLatest, end.Records!.length], [undefined, 0, 0]);
  assert.deepEqual(end.ChildShards, [
    {
      ShardId: id(2),
      ParentShards: [id(0), id(1)],
      HashKeyRange: { StartingHashKey: '0', EndingHashKey: String(2n ** 128n - 1n) },
    },
  ]);
  await split('ends', id(2), HALF);
  const halves = await kinesis.get(await kinesis.iterator('ends', { ShardId: id(2) }));
  assert.deepEqual(
    halves.ChildShards!.map((child) => [child.ShardId, child.ParentShards]),
    [
      [id(3), [id(2)]],
      [id(4), [id(2)]],
    ],
  );
  const last = await kinesis.get(
    await kinesis.iterator('ends', { ShardId: shard, ShardIteratorType: 'LATEST' }),
  );
  assert.equal(last.NextShardIterator, undefined);
});

test('sequence numbers of parents, and those that are none, are refused', async () => {
  await kinesis.create('numbers');
  const { number } = await kinesis.put('numbers', 'in the parent');
  await split('numbers');
  for (const type of ['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER'] as const) {
    const start = { ShardIteratorType: type, StartingSequenceNumber: number };
    await refused(
      kinesis.iterator('numbers', { ...start, ShardId: id(1) }),
      'InvalidArgumentException',
      `Invalid StartingSequenceNumber. It encodes ${id(0)}, while it was used in a call to a shard with ${id(1)}`,
    );
    await refused(
      kinesis.iterator('numbers', { ...start, StartingSequenceNumber: '12345', ShardId: id(1) }),
      'InvalidArgumentException',
      /did not come from this stream/,
    );
    const closed = await kinesis.get(await kinesis.iterator('numbers', start));
    assert.equal(closed.Records!.length, type === 'AT_SEQUENCE_NUMBER' ? 1 : 0);
    assert.equal(closed.ChildShards!.length, 2);
  }
  const [, child] = await kinesis.shards({ StreamName: 'numbers' });
  const empty = await kinesis.get(
    await kinesis.iterator('numbers', {
      ShardId: id(1),
      ShardIteratorType: 'AT_SEQUENCE_NUMBER',
      StartingSequenceNumber: child!.SequenceNumberRange!.StartingSequenceNumber,
    }),
  );
  assert.ok(empty.NextShardIterator !== undefined && empty.Records!.length === 0);
});

test('what cannot be split or merged is refused in the words of Kinesis', async () => {
  await kinesis.create('refusals', 3);
  const { HashKeyRange: range } = (await kinesis.shards({ StreamName: 'refusals' }))[1]!;
  const low = BigInt(range!.StartingHashKey!);
  const high = BigInt(range!.EndingHashKey!);
  for (const at of [0n, low, low + 1n, high, high + 1n])
    await refused(
      split('refusals', id(1), at),
      'InvalidArgumentException',
      `NewStartingHashKey ${at} used in SplitShard() on shard ${id(1)} in stream refusals under account 000000000000 is not both greater than one plus the shard's StartingHashKey ${low} and less than the shard's EndingHashKey ${high}.`,
    );
  await refused(
    merge('refusals', id(0), id(2)),
    'InvalidArgumentException',
    `Shards ${id(0)} and ${id(2)} in stream refusals under account 000000000000 are not an adjacent pair of shards eligible for merging`,
  );
  await refused(merge('refusals', id(1), id(0)), 'InvalidArgumentException', /not an adjacent pair/);
  await refused(
    split('refusals', id(9)),
    'ResourceNotFoundException',
    `Could not find shard ${id(9)} in stream refusals under account 000000000000.`,
  );
  await split('refusals', id(1), low + 2n);
  await refused(
    split('refusals', id(1), low + 2n),
    'InvalidArgumentException',
    `Shard ${id(1)} in stream refusals under account 000000000000 has already been merged or split, and thus is not eligible for merging or splitting.`,
  );
  await refused(
    scale('refusals', 9),
    'LimitExceededException',
    'UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: 4, Target shard count: 9',
  );
  await refused(scale('refusals', 1), 'LimitExceededException', /below half/);
  await kinesis.client.send(
    new UpdateStreamModeCommand({
      StreamARN: arn('refusals'),
      StreamModeDetails: { StreamMode: 'ON_DEMAND' },
    }),
  );
  await refused(
    scale('refusals', 8),
    'ValidationException',
    'Request is invalid. Stream refusals under account 000000000000 is in On-Demand mode.',
  );
});

test('uniform scaling ends at equal shards, and none of its steps loses a record', async () => {
  await kinesis.create('scaled', 2);
  const put = (n: number) => kinesis.put('scaled', String(n), `key-${n % 10}`);
  let count = 0;
  for (const target of [3, 6, 4, 2, 1, 2]) {
    for (let more = 0; more < 10; more++) await put(count++);
    const before = await kinesis.client.send(new DescribeStreamSummaryCommand({ StreamName: 'scaled' }));
    const answer = await scale('scaled', target);
    assert.deepEqual(
      [answer.CurrentShardCount, answer.TargetShardCount, answer.StreamARN],
      [before.StreamDescriptionSummary!.OpenShardCount, target, arn('scaled')],
    );
    const open = await kinesis.shards({ StreamName: 'scaled', ShardFilter: { Type: 'AT_LATEST' } });
    assert.equal(open.length, target);
  }
  const all = await kinesis.shards({ StreamName: 'scaled' });
  const texts: string[] = [];
  for (const { ShardId } of all) texts.push(...(await kinesis.read('scaled', { ShardId })));
  assert.deepEqual(
    [...texts].sort((a, b) => Number(a) - Number(b)),
    Array.from({ length: count }, (_, n) => String(n)),
  );
  for (let key = 0; key < 10; key++) {
    const ofKey = texts.map(Number).filter((n) => n % 10 === key);
    assert.deepEqual(
      ofKey,
      ofKey.toSorted((a, b) => a - b),
      `key ${key}, parents before children`,
    );
  }
  const described = await kinesis.client.send(new DescribeStreamCommand({ StreamName: 'scaled', Limit: 3 }));
  assert.ok(described.StreamDescription!.HasMoreShards);
});

test('concurrent puts during a split are all there, and none is refused', async () => {
  await kinesis.create('busy');
  const puts = Array.from({ length: 200 }, (_, n) => kinesis.put('busy', String(n), `k${n % 7}`));
  const [, splitting] = await Promise.all([Promise.all(puts.slice(0, 20)), split('busy').then(() => 'done')]);
  assert.equal(splitting, 'done');
  const places = await Promise.all(puts);
  const texts: string[] = [];
  for (const number of [0, 1, 2]) texts.push(...(await kinesis.read('busy', { ShardId: id(number) })));
  assert.deepEqual(
    texts.map(Number).sort((a, b) => a - b),
    Array.from({ length: 200 }, (_, n) => n),
  );
  assert.ok(places.some(({ shard }) => shard === id(0)));
});

test('the filters of ListShards follow lineage and time, over pages', async () => {
  await kinesis.create('filters', 2);
  const startMs = kinesis.clock.nowMs();
  kinesis.clock.advance(HOUR_MS);
  await split('filters', id(0), 1_000n);
  kinesis.clock.advance(HOUR_MS);
  await merge('filters', id(3), id(1));
  kinesis.clock.advance(HOUR_MS);
  const ids = async (filter: object): Promise<number[]> =>
    (await kinesis.shards({ StreamName: 'filters', ShardFilter: filter as never })).map((shard) =>
      Number(shard.ShardId!.slice(-2)),
    );
  const at = (ms: number): Date => new Date(startMs + ms);
  assert.deepEqual(await ids({ Type: 'FROM_TRIM_HORIZON' }), [0, 1, 2, 3, 4]);
  assert.deepEqual(await ids({ Type: 'AT_TRIM_HORIZON' }), [0, 1]);
  assert.deepEqual(await ids({ Type: 'AT_LATEST' }), [2, 4]);
  assert.deepEqual(await ids({ Type: 'AFTER_SHARD_ID', ShardId: id(2) }), [3, 4]);
  assert.deepEqual(await ids({ Type: 'AT_TIMESTAMP', Timestamp: at(HOUR_MS / 2) }), [0, 1]);
  assert.deepEqual(await ids({ Type: 'AT_TIMESTAMP', Timestamp: at(1.5 * HOUR_MS) }), [1, 2, 3]);
  assert.deepEqual(await ids({ Type: 'AT_TIMESTAMP', Timestamp: at(-HOUR_MS) }), [0, 1]);
  assert.deepEqual(await ids({ Type: 'FROM_TIMESTAMP', Timestamp: at(1.5 * HOUR_MS) }), [1, 2, 3, 4]);
  assert.deepEqual(await ids({ Type: 'FROM_TIMESTAMP', Timestamp: at(2.5 * HOUR_MS) }), [2, 4]);
  const list = (input: ListShardsCommandInput) => kinesis.shards(input);
  const page = await kinesis.client.send(
    new ListShardsCommand({ StreamName: 'filters', MaxResults: 1, ShardFilter: { Type: 'AT_LATEST' } }),
  );
  const rest = await list({ NextToken: page.NextToken });
  assert.deepEqual(
    [...page.Shards!, ...rest].map((shard) => shard.ShardId),
    [id(2), id(4)],
  );
  await refused(
    list({ NextToken: page.NextToken, ShardFilter: { Type: 'AT_TRIM_HORIZON' } }),
    'InvalidArgumentException',
    /ShardFilter/,
  );
  kinesis.clock.advance(300_001);
  await refused(list({ NextToken: page.NextToken }), 'ExpiredNextTokenException', /expired/);
});

test('a closed shard is readable until its records expire, and then it is gone', async () => {
  await kinesis.create('expiry');
  await kinesis.put('expiry', 'old');
  kinesis.clock.advance(HOUR_MS);
  await split('expiry');
  const iterator = await kinesis.iterator('expiry');
  kinesis.clock.advance(22 * HOUR_MS);
  assert.deepEqual(await kinesis.read('expiry'), ['old']);
  await refused(kinesis.get(iterator), 'ExpiredIteratorException', /Iterator expired/);
  kinesis.clock.advance(HOUR_MS - 30_000);
  const late = await kinesis.iterator('expiry');
  kinesis.clock.advance(60_000);
  const trimmed = await kinesis.get(late);
  assert.deepEqual([trimmed.Records!.length, trimmed.NextShardIterator], [0, undefined]);
  assert.equal(trimmed.ChildShards!.length, 2);
  assert.equal((await kinesis.shards({ StreamName: 'expiry' })).length, 3);
  kinesis.clock.advance(HOUR_MS);
  await sweepUntil(async () => (await kinesis.shards({ StreamName: 'expiry' })).length === 2);
  const [left] = await kinesis.shards({ StreamName: 'expiry', ShardFilter: { Type: 'AT_TRIM_HORIZON' } });
  assert.deepEqual([left!.ShardId, left!.ParentShardId], [id(1), id(0)]);
  await refused(kinesis.iterator('expiry'), 'ResourceNotFoundException', /does not exist/);
  await kinesis.put('expiry', 'goes on');
});

/** Lets sweeps of retention run until the condition holds. */
async function sweepUntil(condition: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 50; round++) {
    if (await condition()) return;
    await kinesis.clock.advanceSettling(61_000, () => new Promise((resolve) => setImmediate(resolve)));
  }
  assert.fail('it never holds');
}
