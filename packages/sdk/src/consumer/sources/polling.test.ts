/** What a service does rarely or after minutes, answered by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  GetRecordsCommandInput,
  GetShardIteratorCommandInput,
  KinesisClient,
} from '@aws-sdk/client-kinesis';
import { limitsOf } from '../limits.ts';
import type { ConsumerEvent } from '../events.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { pollingSource } from './polling.ts';

type Input = Partial<GetRecordsCommandInput & GetShardIteratorCommandInput>;

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

/** Answers GetRecords with each of `answers` in turn; `iterators` tells where iterators were made. */
function open(
  answers: readonly (Error | { numbers: number[]; isLast?: boolean })[],
  { isGone = false } = {},
) {
  const iterators: string[] = [];
  const events: ConsumerEvent[] = [];
  const clock = new ManualClock();
  clock.runFreely();
  let reads = 0;
  const send = async ({ input }: { input: Input }) => {
    if (input.ShardIteratorType !== undefined) {
      iterators.push([input.ShardIteratorType, input.StartingSequenceNumber].join(' ').trim());
      return { ShardIterator: `i${iterators.length}` };
    }
    const answer = answers[reads++]!;
    if (answer instanceof Error) throw answer;
    return {
      Records: answer.numbers.map((number) => ({
        PartitionKey: 'k',
        SequenceNumber: String(number),
        Data: Buffer.of(),
      })),
      NextShardIterator: answer.isLast === true ? undefined : 'next',
      MillisBehindLatest: 0,
    };
  };
  const source = pollingSource({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has what is called
    client: { send } as unknown as KinesisClient,
    stream: 'flights',
    clock,
    random: () => 0,
    limits: limitsOf(),
    report: (event) => events.push(event),
    isGone: async () => isGone,
  });
  const read = async (): Promise<number[]> => {
    const numbers: number[] = [];
    for await (const { records } of source('s', { kind: 'trim-horizon' }, new AbortController().signal))
      numbers.push(...records.map(({ sequenceNumber }) => Number(sequenceNumber)));
    return numbers;
  };
  return { read, iterators, events, clock };
}

test('an expired iterator is replaced by one after the last record that came', async () => {
  const expired = named('ExpiredIteratorException');
  const { read, iterators, events } = open([
    { numbers: [1, 2] },
    { numbers: [] },
    expired,
    { numbers: [3], isLast: true },
  ]);
  assert.deepEqual(await read(), [1, 2, 3]);
  assert.deepEqual(iterators, ['TRIM_HORIZON', 'AFTER_SEQUENCE_NUMBER 2']);
  assert.deepEqual(events, []);
});

test('a throttled read is tried again with the same iterator after a growing pause', async () => {
  const throttled = named('ProvisionedThroughputExceededException');
  const { read, iterators, events, clock } = open([
    throttled,
    throttled,
    throttled,
    { numbers: [1], isLast: true },
  ]);
  assert.deepEqual(await read(), [1]);
  assert.equal(iterators.length, 1);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['throttled', 'throttled', 'throttled'],
  );
  assert.ok(clock.monotonicMs() >= 200 + 400 + 800, `${clock.monotonicMs()} ms`);
});

test('other failures are reported and tried again', async () => {
  const { read, events } = open([named('InternalFailureException'), { numbers: [1], isLast: true }]);
  assert.deepEqual(await read(), [1]);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['read-failed'],
  );
});

test('a shard that is gone from the stream is at its end, and one that is there is not', async () => {
  const gone = open([named('ResourceNotFoundException')], { isGone: true });
  assert.deepEqual(await gone.read(), []);
  assert.deepEqual(gone.events, [{ kind: 'shard-gone', shardId: 's' }]);
  const there = open([named('ResourceNotFoundException'), { numbers: [1], isLast: true }]);
  assert.deepEqual(await there.read(), [1]);
  assert.deepEqual(
    there.events.map(({ kind }) => kind),
    ['read-failed'],
  );
});
