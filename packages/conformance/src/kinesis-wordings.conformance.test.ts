import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { signedPost } from './signed-post.ts';
import { freshName, openTarget } from './target.ts';

/**
 * What Kinesis answers, word by word, as kinesalite (MIT) recorded it against AWS. `STREAM` stands for a stream of three
 * shards, `ABSENT` for one that isn't there.
 */
const RECORDED: readonly (readonly [
  operation: string,
  input: Readonly<Record<string, unknown>>,
  type: string,
  message: string,
])[] = [
  [
    'DescribeStream',
    { StreamName: 'ABSENT' },
    'ResourceNotFoundException',
    'Stream ABSENT under account 000000000000 not found.',
  ],
  [
    'PutRecord',
    { StreamName: 'ABSENT', PartitionKey: 'a', Data: '' },
    'ResourceNotFoundException',
    'Stream ABSENT under account 000000000000 not found.',
  ],
  [
    'PutRecord',
    {
      StreamName: 'STREAM',
      PartitionKey: 'a',
      Data: '',
      ExplicitHashKey: '340282366920938463463374607431768211456',
    },
    'InvalidArgumentException',
    'Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was 340282366920938463463374607431768211456',
  ],
  [
    'PutRecord',
    { StreamName: 'STREAM', PartitionKey: 'a', Data: '', ExplicitHashKey: '' },
    'ValidationException',
    "1 validation error detected: Value '' at 'explicitHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})",
  ],
  [
    'PutRecord',
    { StreamName: 'STREAM', PartitionKey: 'a', Data: '', SequenceNumberForOrdering: '' },
    'ValidationException',
    "1 validation error detected: Value '' at 'sequenceNumberForOrdering' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,128})",
  ],
  ...(
    [
      ['23456', 'Base64 encoded length is expected a multiple of 4 bytes but found: 5'],
      ['=+/=', "Invalid Base64 character: '='"],
      ['+/+=', 'Invalid last non-pad Base64 character dectected'],
      ['+/==', 'Invalid last non-pad Base64 character dectected'],
      ['+/-_', "Invalid Base64 character: '-'"],
    ] as const
  ).flatMap(([data, problem]) => [
    [
      'PutRecord',
      { StreamName: 'STREAM', PartitionKey: 'a', Data: data },
      'SerializationException',
      `'${data}' can not be converted to a Blob: ${problem}`,
    ] as const,
    [
      'PutRecords',
      { StreamName: 'STREAM', Records: [{ PartitionKey: 'a', Data: data }] },
      'SerializationException',
      `'${data}' can not be converted to a Blob: ${problem}`,
    ] as const,
  ]),
  [
    'PutRecords',
    { StreamName: 'STREAM', Records: {} },
    'SerializationException',
    'Start of structure or map found where not expected.',
  ],
  ['PutRecords', { StreamName: 'STREAM', Records: 1 }, 'SerializationException', 'Expected list or null'],
  [
    'GetShardIterator',
    { StreamName: 'STREAM', ShardId: 'ABKLFD8', ShardIteratorType: 'LATEST' },
    'ResourceNotFoundException',
    'Could not find shard ABKLFD8 in stream STREAM under account 000000000000.',
  ],
  [
    'GetShardIterator',
    {
      StreamName: 'STREAM',
      ShardId: 'shardId-5',
      ShardIteratorType: 'AT_SEQUENCE_NUMBER',
      StartingSequenceNumber: '5',
    },
    'ResourceNotFoundException',
    'Shard shardId-000000000005 in stream STREAM under account 000000000000 does not exist',
  ],
  ...(['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER'] as const).map(
    (type) =>
      [
        'GetShardIterator',
        { StreamName: 'STREAM', ShardId: 'shardId-000000000000', ShardIteratorType: type },
        'InvalidArgumentException',
        `Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified ${type} and no StartingSequenceNumber.`,
      ] as const,
  ),
  [
    'GetShardIterator',
    {
      StreamName: 'STREAM',
      ShardId: 'shardId-000000000000',
      ShardIteratorType: 'LATEST',
      StartingSequenceNumber: '5',
    },
    'InvalidArgumentException',
    'Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified LATEST and also a StartingSequenceNumber.',
  ],
  ['GetRecords', { ShardIterator: 'abcd' }, 'InvalidArgumentException', 'Invalid ShardIterator.'],
  [
    'SplitShard',
    { StreamName: 'STREAM', ShardToSplit: 'shardId-000000000005', NewStartingHashKey: '2' },
    'ResourceNotFoundException',
    'Could not find shard shardId-000000000005 in stream STREAM under account 000000000000.',
  ],
  [
    'SplitShard',
    { StreamName: 'STREAM', ShardToSplit: 'shardId-000000000000', NewStartingHashKey: '1' },
    'InvalidArgumentException',
    "NewStartingHashKey 1 used in SplitShard() on shard shardId-000000000000 in stream STREAM under account 000000000000 is not both greater than one plus the shard's StartingHashKey 0 and less than the shard's EndingHashKey 113427455640312821154458202477256070484.",
  ],
  [
    'MergeShards',
    {
      StreamName: 'STREAM',
      ShardToMerge: 'shardId-000000000000',
      AdjacentShardToMerge: 'shardId-000000000002',
    },
    'InvalidArgumentException',
    'Shards shardId-000000000000 and shardId-000000000002 in stream STREAM under account 000000000000 are not an adjacent pair of shards eligible for merging',
  ],
  [
    'IncreaseStreamRetentionPeriod',
    { StreamName: 'STREAM', RetentionPeriodHours: 23 },
    'InvalidArgumentException',
    'Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.',
  ],
  [
    'DecreaseStreamRetentionPeriod',
    { StreamName: 'STREAM', RetentionPeriodHours: 25 },
    'InvalidArgumentException',
    'Requested retention period (25 hours) for stream STREAM can not be longer than existing retention period (24 hours). Use IncreaseRetentionPeriod API.',
  ],
  [
    'AddTagsToStream',
    { StreamName: 'STREAM', Tags: { 'a;b': 'c' } },
    'InvalidArgumentException',
    'Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @ :.',
  ],
];

suite('what Kinesis says, word by word', () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  const names = { STREAM: freshName('words'), ABSENT: freshName('absent') };
  const named = (text: string) => text.replaceAll('STREAM', names.STREAM).replaceAll('ABSENT', names.ABSENT);
  const send = (operation: string, input: Readonly<Record<string, unknown>>) =>
    signedPost(target, {
      service: 'kinesis',
      target: `Kinesis_20131202.${operation}`,
      body: JSON.stringify(input, (name, value: unknown) =>
        name === 'StreamName' ? named(String(value)) : value,
      ),
    });
  before(async () => {
    target = await openTarget();
    const created = await send('CreateStream', { StreamName: 'STREAM', ShardCount: 3 });
    assert.equal(created.status, 200, created.body);
  });
  after(() => target.stop());

  for (const [at, [operation, input, type, message]] of RECORDED.entries()) {
    test(`${at} ${operation}: ${type}`, async () => {
      const answer = await send(operation, input);
      assert.deepEqual(
        { status: answer.status, type: answer.type, message: answer.message },
        { status: 400, type, message: named(message) },
      );
    });
  }
});
