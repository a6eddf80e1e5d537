/** Connections that fall silent without being closed: the consumer gives them up and goes on. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { CreateStreamCommand, type KinesisClient, PutRecordCommand } from '@aws-sdk/client-kinesis';
import {
  type Consumer,
  type ConsumerEvent,
  type ConsumerLimits,
  createConsumer,
  MemoryLeaseStore,
} from '../src/index.ts';
import { FAST } from './fast-limits.ts';
import { type SilentProxy, startSilentProxy } from './silent-proxy.ts';
import { clientOf, type SluiceServer, startServer } from './sluice-server.ts';
import { until } from './until.ts';

suite('a consumer whose connections fall silent', () => {
  let server: SluiceServer;
  let proxy: SilentProxy;
  let kinesis: KinesisClient;
  let behindProxy: KinesisClient;
  const consumers: Consumer[] = [];
  before(async () => {
    server = await startServer();
    proxy = await startSilentProxy(server.url);
    kinesis = clientOf(server.url);
    behindProxy = clientOf(proxy.url);
  });
  after(async () => {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
    behindProxy.destroy();
    proxy.close();
    kinesis.destroy();
    await server.stop();
  });

  const open = async (
    stream: string,
    { mode, limits }: { mode: 'polling' | 'fan-out'; limits: Partial<ConsumerLimits> },
  ) => {
    await kinesis.send(new CreateStreamCommand({ StreamName: stream, ShardCount: 1 }));
    const texts: string[] = [];
    const events: ConsumerEvent[] = [];
    const consumer: Consumer = createConsumer({
      client: behindProxy,
      stream,
      application: 'silent',
      leases: new MemoryLeaseStore(),
      mode,
      limits: { ...FAST, ...limits },
      onRecords: ({ records }) => void texts.push(...records.map(({ data }) => Buffer.from(data).toString())),
      onEvent: (event) => events.push(event),
    });
    consumers.push(consumer);
    await consumer.start();
    const put = async (text: string): Promise<void> => {
      await kinesis.send(
        new PutRecordCommand({ StreamName: stream, PartitionKey: 'k', Data: Buffer.from(text) }),
      );
    };
    const failuresOf = (kind: 'read-failed' | 'discovery-failed'): unknown[] =>
      events.flatMap((event) => (event.kind === kind ? [(event.error as { code?: unknown }).code] : []));
    return { consumer, texts, events, put, failuresOf };
  };

  test('a subscription is made anew, taking over from the one that it left behind', async () => {
    const { consumer, texts, put, failuresOf } = await open('left', {
      mode: 'fan-out',
      limits: { silenceMsMax: 1_000, callMsMax: 1_000 },
    });
    await put('a');
    await until(() => texts.length === 1);
    proxy.silence();
    await put('b');
    await until(() => texts.length === 2);
    assert.deepEqual(texts, ['a', 'b']);
    assert.ok(failuresOf('read-failed').includes('no-answer'));
    await consumer.stop();
  });

  for (const mode of ['polling', 'fan-out'] as const)
    test(`${mode}: a stream that answers nothing at all costs no lease, and stopping doesn't wait for it`, async () => {
      const { consumer, texts, events, put, failuresOf } = await open(`quiet_${mode}`, {
        mode,
        // Longer than a lease lasts.
        limits: { silenceMsMax: 1_500, callMsMax: 1_500 },
      });
      await put('a');
      await until(() => texts.length === 1);
      proxy.silence({ newToo: true });
      await until(() => failuresOf('discovery-failed').length >= 2);
      assert.deepEqual([...new Set(failuresOf('discovery-failed'))], ['no-answer']);
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'lease-lost'),
        [],
      );
      proxy.recover();
      await put('b');
      await until(() => texts.length === 2);
      proxy.silence({ newToo: true });
      await consumer.stop();
      proxy.recover();
      assert.equal(events.filter(({ kind }) => kind === 'lease-given-up').length, 1);
    });
});
