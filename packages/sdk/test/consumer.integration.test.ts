/** Workers of one process against a server: where they start, how they share, what they leave behind. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  CreateStreamCommand,
  type KinesisClient,
  PutRecordCommand,
  SplitShardCommand,
  waitUntilStreamExists,
} from '@aws-sdk/client-kinesis';
import {
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  FileLeaseStore,
  MemoryLeaseStore,
  type ConsumerEvent,
} from '../src/index.ts';
import { aggregate } from '../src/consumer/testing/aggregate.ts';
import { FAST } from './fast-limits.ts';
import { clientOf, type SluiceServer, startServer } from './sluice-server.ts';
import { until } from './until.ts';

suite('a consumer', () => {
  let server: SluiceServer;
  let kinesis: KinesisClient;
  const consumers: Consumer[] = [];
  before(async () => {
    server = await startServer();
    kinesis = clientOf(server.url);
  });
  after(async () => {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
    kinesis.destroy();
    await server.stop();
  });

  const create = async (StreamName: string, ShardCount = 1): Promise<string> => {
    await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount }));
    await waitUntilStreamExists(
      { client: kinesis, maxWaitTime: 20, minDelay: 1, maxDelay: 1 },
      { StreamName },
    );
    return StreamName;
  };
  const put = async (StreamName: string, Data: string | Uint8Array, PartitionKey = 'k'): Promise<void> => {
    await kinesis.send(new PutRecordCommand({ StreamName, PartitionKey, Data: Buffer.from(Data) }));
  };
  const consume = (stream: string, options: Partial<ConsumerOptions>): Consumer => {
    const consumer = createConsumer({
      client: kinesis,
      stream,
      application: 'app',
      leases: new MemoryLeaseStore(),
      limits: FAST,
      ...options,
    });
    consumers.push(consumer);
    return consumer;
  };
  const collector = () => {
    const texts: string[] = [];
    const onRecords: ConsumerOptions['onRecords'] = ({ records }) =>
      void texts.push(...records.map(({ data }) => Buffer.from(data).toString()));
    return { texts, onRecords };
  };

  for (const mode of ['polling', 'fan-out'] as const) {
    test(`${mode}: it goes on where a stopped one was, and its status says how far it is`, async () => {
      const stream = await create(`resumed_${mode}`);
      const leases = new MemoryLeaseStore();
      await put(stream, 'a');
      await put(
        stream,
        aggregate([
          { partitionKey: 'x', data: Buffer.from('b') },
          { partitionKey: 'y', data: Buffer.from('c') },
        ]),
      );
      const first = collector();
      const one = consume(stream, { mode, leases, onRecords: first.onRecords });
      await one.start();
      await until(() => first.texts.length === 3 && one.status().shards[0]?.recordsProcessed === 3);
      const [shard] = one.status().shards;
      assert.deepEqual(
        {
          state: shard!.state,
          isOwn: shard!.isOwn,
          behind: shard!.millisBehindLatest,
          kind: shard!.checkpoint.kind,
        },
        { state: 'leased', isOwn: true, behind: 0, kind: 'after' },
      );
      await one.stop();
      assert.equal(one.status().state, 'stopped');
      await put(stream, 'd');
      const second = collector();
      const other = consume(stream, { mode, leases, onRecords: second.onRecords });
      await other.start();
      await until(() => second.texts.length === 1);
      assert.deepEqual([first.texts, second.texts], [['a', 'b', 'c'], ['d']]);
    });

    test(`${mode}: with LATEST it begins at its start, and reads what a later split makes whole`, async () => {
      const stream = await create(`latest_${mode}`);
      await put(stream, 'old');
      const { texts, onRecords } = collector();
      const consumer = consume(stream, { mode, startAt: 'LATEST', onRecords });
      await consumer.start();
      await put(stream, 'a');
      await kinesis.send(
        new SplitShardCommand({
          StreamName: stream,
          ShardToSplit: 'shardId-000000000000',
          NewStartingHashKey: String(2n ** 127n),
        }),
      );
      await until(() => consumer.status().shards.length === 3);
      await put(stream, 'b', 'key 1');
      await put(stream, 'c', 'key 2');
      await put(stream, 'd', 'key 4');
      await until(() => texts.length === 4);
      assert.deepEqual(texts.toSorted(), ['a', 'b', 'c', 'd']);
      assert.equal(texts[0], 'a');
    });
  }

  test('two workers share, the old owner hands over in order, and the last one gets all', async () => {
    const stream = await create('shared', 4);
    const path = join(server.folder, 'shared.db');
    const stores = [new FileLeaseStore({ path }), new FileLeaseStore({ path })] as const;
    const active = new Map<string, number>();
    const events: ConsumerEvent[] = [];
    const worker = (leases: FileLeaseStore): Consumer =>
      consume(stream, {
        leases,
        limits: { ...FAST, leaseMs: 60_000, handoverMs: 60_000 },
        onEvent: (event) => events.push(event),
        processor: (shardId) => ({
          start: () => {
            active.set(shardId, (active.get(shardId) ?? 0) + 1);
            assert.equal(active.get(shardId), 1, `two have ${shardId}`);
          },
          process: () => {},
          release: () => void active.set(shardId, active.get(shardId)! - 1),
        }),
      });
    const owned = (consumer: Consumer): number =>
      consumer.status().shards.filter(({ isOwn }) => isOwn).length;
    const [one, other] = [worker(stores[0]), worker(stores[1])];
    await one.start();
    await until(() => owned(one) === 4);
    await other.start();
    // Leases last a minute here: only a hand-over is as quick as this test.
    await until(() => owned(one) === 2 && owned(other) === 2);
    await one.stop();
    await until(() => owned(other) === 4);
    assert.equal(events.filter(({ kind }) => kind === 'process-failed' || kind === 'lease-lost').length, 0);
    assert.equal(events.filter(({ kind }) => kind === 'lease-asked-for').length, 2);
    await other.stop();
    for (const store of stores) store.close();
  });

  test('a processor that says stop stops the consumer, which tells why and leaves its leases free', async () => {
    const stream = await create('stopped');
    await put(stream, 'poison');
    const leases = new MemoryLeaseStore();
    const error = new Error('poison');
    const consumer = consume(stream, {
      leases,
      onRecords: () => {
        throw error;
      },
      onError: () => 'stop',
    });
    await consumer.start();
    await assert.rejects(consumer.whenStopped, error);
    const [lease] = (await leases.list({ application: 'app', stream })).filter(
      ({ parents, shardId }) => parents.length === 0 && shardId !== '#start',
    );
    assert.deepEqual([lease!.owner, lease!.checkpoint.kind], [undefined, 'trim-horizon']);
  });

  test('a stream that is not there, and options that are wrong, are refused', async () => {
    const consumer = consume('nowhere', { onRecords: () => {} });
    await assert.rejects(consumer.start(), { name: 'ResourceNotFoundException' });
    await assert.rejects(consumer.start(), { code: 'already-started' });
    const wrong: Partial<ConsumerOptions>[] = [
      {},
      { onRecords: () => {}, application: '' },
      { onRecords: () => {}, processor: () => ({ process: () => {} }) },
      { onRecords: () => {}, startAt: new Date(Date.now() + 60_000) },
      { onRecords: () => {}, limits: { leaseMs: 100, renewMs: 50 } },
    ];
    for (const options of wrong) assert.throws(() => consume('x', options), { code: 'invalid-option' });
  });
});
