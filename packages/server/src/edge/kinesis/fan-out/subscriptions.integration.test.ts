/** SubscribeToShard as bytes, by other protocols, under load, and at the server's end. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { decodeCbor, encodeCbor } from '../../aws-cbor/index.ts';
import { blob, integer, list, string, structure, timestamp } from '../../aws-json/index.ts';
import { openKinesis, SHARD, type Kinesis } from '../testing/open-kinesis.ts';
import {
  messagesOf,
  plainSubscribe,
  readOn,
  register,
  subscribe,
  until,
  type PlainAnswer,
} from './testing/subscriber.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  readOn();
  for (const close of closing.splice(0).toReversed()) await close();
});

async function start(options: Parameters<typeof openKinesis>[0] = {}): Promise<Kinesis> {
  const kinesis = await openKinesis(options);
  closing.push(() => kinesis.close());
  return kinesis;
}

const from = (ConsumerARN: string, Type = 'TRIM_HORIZON') => ({
  ConsumerARN,
  ShardId: SHARD,
  StartingPosition: { Type },
});

async function plain(...args: Parameters<typeof plainSubscribe>): Promise<PlainAnswer> {
  const answer = await plainSubscribe(...args);
  closing.push(() => answer.close());
  return answer;
}

for (const version of [1, 2] as const)
  test(`over HTTP/${version} the initial response comes first, then events, each with its type`, async () => {
    const kinesis = await start();
    await kinesis.create('s');
    const arn = await register(kinesis, 's', 'app');
    const answer = await plain(kinesis.port, from(arn), { version });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/vnd.amazon.eventstream');
    assert.match(String(answer.headers['x-amzn-requestid']), /^[0-9a-f-]{36}$/);
    assert.ok(answer.headers['x-amz-id-2']);
    const messages = messagesOf(answer.stream);
    const head = { ':content-type': 'application/x-amz-json-1.1', ':message-type': 'event' };
    const first = await messages.next();
    assert.deepEqual(first.value!.headers, { ':event-type': 'initial-response', ...head });
    assert.equal(first.value!.body.toString(), '{}');
    const { number } = await kinesis.put('s', 'text');
    const second = await messages.next();
    assert.deepEqual(second.value!.headers, { ':event-type': 'SubscribeToShardEvent', ...head });
    assert.deepEqual(JSON.parse(second.value!.body.toString()), {
      Records: [
        {
          SequenceNumber: number,
          ApproximateArrivalTimestamp: kinesis.clock.nowMs() / 1000,
          Data: Buffer.from('text').toString('base64'),
          PartitionKey: 'k',
        },
      ],
      ContinuationSequenceNumber: number,
      MillisBehindLatest: 0,
    });
    await kinesis.stop();
    assert.equal((await messages.next()).done, true);
  });

test('a slow client holds up no one, and costs a bounded part of what it does not read', async () => {
  const kinesis = await start();
  await kinesis.create('s');
  const slow = await register(kinesis, 's', 'slow');
  const fast = await register(kinesis, 's', 'fast');
  const answer = await plain(kinesis.port, from(slow));
  const app = await subscribe(kinesis.client, fast);
  const large = 'x'.repeat(250_000);
  const count = 40;
  for (let index = 0; index < count; index++) await kinesis.put('s', large);
  assert.equal((await app.texts(count)).length, count);
  const positionOf = (name: string) => {
    const facts = kinesis.streams.consumers.facts().find(({ consumer }) => consumer === name)!;
    return facts.shards[0]!;
  };
  assert.equal(positionOf('fast').lagRecords, 0);
  const { nextOffset, lagRecords } = positionOf('slow');
  assert.ok(nextOffset < 10, `${nextOffset} records were made for a client that reads none`);
  assert.equal(lagRecords, count - nextOffset);
  let records = 0;
  for await (const { headers, body } of messagesOf(answer.stream)) {
    if (headers[':event-type'] !== 'SubscribeToShardEvent') continue;
    records += (JSON.parse(body.toString()) as { Records: unknown[] }).Records.length;
    if (records === count) break;
  }
  assert.equal(positionOf('slow').lagRecords, 0);
});

test('100 subscriptions at once get all records in order', async () => {
  const kinesis = await start();
  const shards = 5;
  await kinesis.create('s', shards);
  const ids = Array.from({ length: shards }, (_, index) => `shardId-00000000000${index}`);
  const arns = await Promise.all(
    Array.from({ length: 20 }, (_, index) => register(kinesis, 's', `app-${index}`)),
  );
  const apps = await Promise.all(
    arns.flatMap((arn) =>
      ids.map(async (id) => ({ id, app: await subscribe(kinesis.client, arn, 'TRIM_HORIZON', id) })),
    ),
  );
  const put = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (let index = 0; index < 60; index++) {
    const { shard } = await kinesis.put('s', `record-${index}`, `key-${index}`);
    put.get(shard)!.push(`record-${index}`);
  }
  await Promise.all(
    apps.map(async ({ id, app }) => assert.deepEqual(await app.texts(put.get(id)!.length), put.get(id))),
  );
  await kinesis.stop();
  for (const { app } of apps) assert.equal(await app.next(), undefined);
});

test('a server that stops ends its subscriptions well, that of a client that does not read too', async () => {
  const kinesis = await start();
  await kinesis.create('s');
  const idle = await subscribe(kinesis.client, await register(kinesis, 's', 'idle'), 'LATEST');
  const stalled = await plain(kinesis.port, from(await register(kinesis, 's', 'stalled')));
  for (let index = 0; index < 20; index++) await kinesis.put('s', 'x'.repeat(250_000));
  await idle.texts(20);
  const stopped = kinesis.stop();
  assert.equal(await idle.next(), undefined);
  // The time that it is given to read on.
  await until(() => kinesis.clock.untilNextMs()! <= 2_000);
  kinesis.clock.advance(2_000);
  await stopped;
  stalled.stream.destroy();
});

test('with limits as on AWS a consumer gets 2 MB a second from a shard', async () => {
  const kinesis = await start({ limits: 'aws' });
  await kinesis.create('s');
  const arn = await register(kinesis, 's', 'app');
  const text = 'x'.repeat(500_000);
  for (let index = 0; index < 10; index++) {
    await kinesis.put('s', text);
    kinesis.clock.advance(1_000);
  }
  const app = await subscribe(kinesis.client, arn);
  const positionOf = () => kinesis.streams.consumers.facts()[0]!.shards[0]!.nextOffset;
  const isPaced = () => kinesis.clock.untilNextMs()! <= 1_000;
  const got = { records: 0 };
  const reading = (async () => {
    for (let event = await app.next(); event !== undefined; event = await app.next()) {
      got.records += event.Records!.length;
      if (got.records === 10) return;
    }
  })();
  await until(isPaced);
  // One second is saved up, and what is under way may exceed it.
  assert.ok(positionOf() <= 6, `${positionOf()} records of 500 KB were sent at once`);
  const startMs = kinesis.clock.monotonicMs();
  while (got.records < 10) {
    await until(() => isPaced() || got.records === 10);
    if (got.records < 10) kinesis.clock.advance(kinesis.clock.untilNextMs()!);
  }
  await reading;
  const tookMs = kinesis.clock.monotonicMs() - startMs;
  assert.ok(tookMs >= 900 && tookMs <= 2_000, `5 MB took ${tookMs} ms, of which 2 MB were saved up`);
  await assert.rejects(subscribe(kinesis.client, arn), /^ResourceInUseException: Another active/);
});

const EVENT = structure({
  Records: list(
    structure({
      SequenceNumber: string(),
      ApproximateArrivalTimestamp: timestamp(),
      Data: blob(),
      PartitionKey: string(),
    }),
  ),
  ContinuationSequenceNumber: string(),
  MillisBehindLatest: integer(),
});

test('events are CBOR for who asks in CBOR', async () => {
  const kinesis = await start();
  await kinesis.create('s');
  const arn = await register(kinesis, 's', 'app');
  const { number } = await kinesis.put('s', 'text', 'schlüssel');
  const form = { timestampsPerSecond: 1000, timestampMembers: new Set<string>() } as const;
  const contentType = 'application/x-amz-cbor-1.1';
  const answer = await plain(kinesis.port, encodeCbor(from(arn), form), { contentType });
  assert.equal(answer.status, 200);
  const messages = messagesOf(answer.stream);
  const first = await messages.next();
  assert.equal(first.value!.headers[':content-type'], contentType);
  const { value } = decodeCbor((await messages.next()).value!.body, EVENT, form);
  assert.deepEqual(value, {
    Records: [
      {
        SequenceNumber: number,
        ApproximateArrivalTimestamp: kinesis.clock.nowMs() / 1000,
        Data: Buffer.from('text'),
        PartitionKey: 'schlüssel',
      },
    ],
    ContinuationSequenceNumber: number,
    MillisBehindLatest: 0,
  });
});
