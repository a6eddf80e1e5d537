/** Operations on consumers, with the SDK's client. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  DeleteStreamCommand,
  DeregisterStreamConsumerCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  ListStreamConsumersCommand,
  ListTagsForResourceCommand,
  RegisterStreamConsumerCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-kinesis';
import { openKinesis, type Kinesis } from '../testing/open-kinesis.ts';
import { arnOfStream, register } from './testing/subscriber.ts';

let kinesis: Kinesis;
before(async () => {
  kinesis = await openKinesis();
});
after(() => kinesis.close());

const refused = (call: Promise<unknown>, name: string, message: RegExp) =>
  assert.rejects(call, (error: Error) => {
    assert.equal(error.name, name);
    assert.match(error.message, message);
    return true;
  });

test('a consumer is registered, described by name and by ARN, counted, and deregistered', async () => {
  const { client, clock } = kinesis;
  await kinesis.create('life');
  const StreamARN = arnOfStream('life');
  const { Consumer } = await client.send(
    new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: 'app', Tags: { a: '1' } }),
  );
  const created = Math.floor(clock.nowMs() / 1000);
  assert.equal(Consumer!.ConsumerARN, `${StreamARN}/consumer/app:${created}`);
  assert.equal(Consumer!.ConsumerStatus, 'ACTIVE');
  assert.equal(Consumer!.ConsumerCreationTimestamp!.getTime(), clock.nowMs());
  const { ConsumerARN } = Consumer!;
  for (const input of [
    { ConsumerARN },
    { StreamARN, ConsumerName: 'app' },
    { StreamARN, ConsumerName: 'app', ConsumerARN },
  ]) {
    const { ConsumerDescription } = await client.send(new DescribeStreamConsumerCommand(input));
    assert.deepEqual(ConsumerDescription, { ...Consumer, StreamARN });
  }
  const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName: 'life' }));
  assert.equal(summary.StreamDescriptionSummary!.ConsumerCount, 1);
  await refused(
    client.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: 'app' })),
    'ResourceInUseException',
    /^Consumer app under stream life already exists for account 000000000000\.$/,
  );
  await client.send(new DeregisterStreamConsumerCommand({ ConsumerARN }));
  await refused(
    client.send(new DescribeStreamConsumerCommand({ ConsumerARN })),
    'ResourceNotFoundException',
    /^Consumer arn:.* not found\.$/,
  );
  clock.advance(1_000);
  const again = await register(kinesis, 'life', 'app');
  assert.notEqual(again, ConsumerARN);
  await refused(
    client.send(new DeregisterStreamConsumerCommand({ ConsumerARN })),
    'ResourceNotFoundException',
    /not found/,
  );
});

test('what names no consumer, or two, is refused', async () => {
  const { client } = kinesis;
  await kinesis.create('names');
  const ConsumerARN = await register(kinesis, 'names', 'app');
  const describe = (input: object) => client.send(new DescribeStreamConsumerCommand(input));
  await refused(describe({}), 'InvalidArgumentException', /^Either the ConsumerARN or both/);
  await refused(
    describe({ ConsumerName: 'app' }),
    'InvalidArgumentException',
    /^Either the ConsumerARN or both/,
  );
  await refused(describe({ ConsumerARN, ConsumerName: 'b' }), 'InvalidArgumentException', /does not match/);
  await refused(
    describe({ ConsumerARN, StreamARN: arnOfStream('other') }),
    'InvalidArgumentException',
    /does not match/,
  );
  await refused(
    describe({ StreamARN: arnOfStream('absent'), ConsumerName: 'app' }),
    'ResourceNotFoundException',
    /^Stream absent under account/,
  );
  await refused(
    describe({ StreamARN: arnOfStream('names'), ConsumerName: 'b' }),
    'ResourceNotFoundException',
    /^Consumer names:b /,
  );
  await refused(describe({ ConsumerARN: 'arn:no' }), 'ValidationException', /consumerARN/);
  await refused(register(kinesis, 'absent', 'app'), 'ResourceNotFoundException', /^Stream absent/);
  await refused(register(kinesis, 'names', 'a b'), 'ValidationException', /consumerName/);
});

test('a stream has at most 20 consumers, which are listed by pages', async () => {
  const { client } = kinesis;
  await kinesis.create('many');
  const names = Array.from({ length: 20 }, (_, index) => `app-${String(index).padStart(2, '0')}`);
  await Promise.all(names.toReversed().map((name) => register(kinesis, 'many', name)));
  await refused(register(kinesis, 'many', 'one-more'), 'LimitExceededException', /20 consumers/);
  const StreamARN = arnOfStream('many');
  const listed: string[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(new ListStreamConsumersCommand({ StreamARN, MaxResults: 7, NextToken }));
    listed.push(...page.Consumers!.map(({ ConsumerName }) => ConsumerName!));
    ({ NextToken } = page);
  } while (NextToken !== undefined);
  assert.deepEqual(listed, names);
  const list = (input: object) => client.send(new ListStreamConsumersCommand({ StreamARN, ...input }));
  await refused(list({ NextToken: 'AAAA' }), 'InvalidArgumentException', /NextToken/);
  await refused(
    list({ StreamCreationTimestamp: new Date(0) }),
    'ResourceNotFoundException',
    /was not created at 0/,
  );
  const { NextToken: token } = await list({ MaxResults: 1 });
  kinesis.clock.advance(300_001);
  await refused(list({ NextToken: token }), 'ExpiredNextTokenException', /expired/);
});

test('consumers have tags of their own', async () => {
  const { client } = kinesis;
  await kinesis.create('tagged');
  const ResourceARN = await register(kinesis, 'tagged', 'app');
  const tagsOf = async (arn: string) =>
    (await client.send(new ListTagsForResourceCommand({ ResourceARN: arn }))).Tags;
  await client.send(new TagResourceCommand({ ResourceARN, Tags: { b: '2', a: '1' } }));
  await client.send(new UntagResourceCommand({ ResourceARN, TagKeys: ['b'] }));
  assert.deepEqual(await tagsOf(ResourceARN), [{ Key: 'a', Value: '1' }]);
  assert.deepEqual(await tagsOf(arnOfStream('tagged')), []);
  await refused(tagsOf(`${arnOfStream('tagged')}/consumer/b:1`), 'ResourceNotFoundException', /^Consumer/);
});

test('a stream with consumers is deleted only with them', async () => {
  const { client } = kinesis;
  await kinesis.create('held');
  const ConsumerARN = await register(kinesis, 'held', 'app');
  await refused(
    client.send(new DeleteStreamCommand({ StreamName: 'held' })),
    'ResourceInUseException',
    /^DeleteStream can't delete arn:.*stream\/held because there are consumers/,
  );
  await client.send(new DeleteStreamCommand({ StreamName: 'held', EnforceConsumerDeletion: true }));
  await kinesis.create('held');
  await refused(
    client.send(new DescribeStreamConsumerCommand({ ConsumerARN })),
    'ResourceNotFoundException',
    /^Consumer/,
  );
});
