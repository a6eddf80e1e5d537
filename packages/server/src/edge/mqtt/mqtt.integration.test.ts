/** The listener with the real MQTT.js client, in both versions of the protocol, over real streams and files. */
import assert from 'node:assert/strict';
import { once, type EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTcp, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { generate, parser as createParser, type Packet } from 'mqtt-packet';
import { createNodeDisk } from '../../adapters/node-disk/index.ts';
import { openSqliteMetaStore } from '../../adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../../adapters/system/index.ts';
import { PlatformError } from '../../base/errors.ts';
import { createStreams, type Streams } from '../../modules/streams/index.ts';
import type { Logger, Metrics } from '../../ports/observe.ts';
import { createMqttListener, type MqttListener, type MqttOptions } from './index.ts';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const metrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
};
const KEY = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 'a-secret-of-some-length',
  principal: { accountId: '000000000000', name: 'root' },
};
const ROUTES = [
  { topic: 'devices/+/telemetry', stream: 'telemetry', key: '{2}' },
  { topic: 'alarms/#', stream: 'alarms' },
];
const VERSIONS = [4, 5] as const;

interface World {
  readonly listener: MqttListener;
  readonly streams: Streams;
  client(options?: IClientOptions): Promise<MqttClient>;
  raw(): Promise<Raw>;
  records(stream: string): Promise<string[]>;
}

async function open(t: TestContext, options: Partial<MqttOptions> = {}): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-mqtt-'));
  const meta = await openSqliteMetaStore(':memory:');
  const clock = createSystemClock();
  const random = createSystemRandom();
  const disk = createNodeDisk();
  const streams = await createStreams({ disk, directory, meta, clock, random, logger, metrics });
  for (const name of ['telemetry', 'alarms']) {
    await streams.create({ name, shardCount: 1, mode: 'PROVISIONED' });
  }
  const listener = await createMqttListener({
    host: '127.0.0.1',
    port: 0,
    credentials: undefined,
    routes: ROUTES,
    streams,
    clock: createSystemClock(),
    random: createSystemRandom(),
    logger,
    metrics,
    ...options,
  });
  t.after(async () => {
    await listener.close();
    await streams.close();
    await meta.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const url = `mqtt://127.0.0.1:${listener.port}`;
  return {
    listener,
    streams,
    async client(settings = {}) {
      const client = connect(url, { reconnectPeriod: 0, ...settings });
      t.after(() => client.end(true));
      const failed = once(client as unknown as EventEmitter, 'error').then(([error]) =>
        Promise.reject(error as Error),
      );
      const closed = once(client as unknown as EventEmitter, 'close').then(() =>
        Promise.reject(new Error('closed')),
      );
      failed.catch(() => {});
      closed.catch(() => {});
      await Promise.race([once(client as unknown as EventEmitter, 'connect'), failed, closed]);
      return client;
    },
    async raw() {
      const socket = connectTcp(listener.port, '127.0.0.1');
      t.after(() => socket.destroy());
      await once(socket, 'connect');
      return new Raw(socket);
    },
    async records(stream) {
      const [shard] = streams.describe(stream).shards;
      const { runs } = await streams.read(shard!, 0, { recordsMax: 10_000, bytesMax: 1e9 });
      return runs.flatMap(({ bytes, bounds, count }) =>
        Array.from(
          { length: count },
          (_, at) =>
            `${bytes.toString('utf8', bounds[at * 2], bounds[at * 2 + 1])}=${bytes.toString('utf8', bounds[at * 2 + 1], bounds[at * 2 + 2])}`,
        ),
      );
    },
  };
}

/** A client that says what it is told to, for what a good one never says. */
class Raw {
  readonly socket: Socket;
  readonly packets: Packet[] = [];
  readonly closed: Promise<unknown>;
  #version: 4 | 5 = 5;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = once(socket, 'close');
    socket.on('error', () => {});
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet, { protocolVersion: this.#version }));
  }

  async connect(version: 4 | 5, options: object = {}): Promise<Packet> {
    this.#version = version;
    const parser = createParser({ protocolVersion: version });
    parser.on('packet', (packet) => {
      this.packets.push(packet);
      this.socket.emit('answer');
    });
    this.socket.on('data', (chunk: Buffer) => parser.parse(chunk));
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clean: true,
      clientId: 'raw',
      keepalive: 60,
      ...options,
    });
    return this.next();
  }

  async next(): Promise<Packet> {
    if (this.packets.length === 0) await once(this.socket, 'answer');
    return this.packets.shift()!;
  }
}

const refusal = (error: unknown): { code: number; message: string } => error as never;

for (const protocolVersion of VERSIONS) {
  test(`v${protocolVersion}: messages become records by the routes, durable when they are answered`, async (t) => {
    const { client, records } = await open(t);
    const device = await client({ protocolVersion, clientId: 'd-1' });
    await device.publishAsync('devices/7/telemetry', '{"t":1}', { qos: 1 });
    assert.deepEqual(await records('telemetry'), ['7={"t":1}']);
    await device.publishAsync('alarms/fire/hall', 'now', { qos: 1 });
    assert.deepEqual(await records('alarms'), ['d-1=now']);
    // QoS 0 has no answer; the next answer of the connection comes after it.
    await device.publishAsync('devices/8/telemetry', '{"t":2}', { qos: 0 });
    await device.publishAsync('devices/8/telemetry', '{"t":3}', { qos: 1 });
    assert.deepEqual((await records('telemetry')).slice(1), ['8={"t":2}', '8={"t":3}']);
    await device.endAsync();
  });

  test(`v${protocolVersion}: many messages in flight keep their order`, async (t) => {
    const { client, records } = await open(t);
    const device = await client({ protocolVersion });
    const count = 2_000;
    await Promise.all(
      Array.from({ length: count }, (_, n) =>
        device.publishAsync('devices/7/telemetry', String(n), { qos: 1 }),
      ),
    );
    assert.deepEqual(
      await records('telemetry'),
      Array.from({ length: count }, (_, n) => `7=${n}`),
    );
  });

  test(`v${protocolVersion}: user name and password are an access key and its secret`, async (t) => {
    const credentials = { secretOf: (id: string) => (id === KEY.accessKeyId ? KEY : undefined) };
    const { client, records } = await open(t, { credentials });
    const codes = protocolVersion === 5 ? [0x87, 0x86, 0x86] : [5, 4, 4];
    const attempts = [
      {},
      { username: KEY.accessKeyId, password: 'wrong' },
      { username: 'nobody', password: KEY.secretAccessKey },
    ];
    for (const [at, attempt] of attempts.entries())
      await assert.rejects(
        client({ protocolVersion, ...attempt }),
        (error) => refusal(error).code === codes[at],
      );
    const device = await client({
      protocolVersion,
      clientId: 'd',
      username: KEY.accessKeyId,
      password: KEY.secretAccessKey,
    });
    await device.publishAsync('alarms/a', '1', { qos: 1 });
    assert.deepEqual(await records('alarms'), ['d=1']);
  });

  test(`v${protocolVersion}: a will is published when the connection breaks, and not when it ends well`, async (t) => {
    const { client, records, streams } = await open(t);
    const will = { topic: 'alarms/gone', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
    const good = await client({ protocolVersion, clientId: 'good', will });
    await good.endAsync();
    const bad = await client({ protocolVersion, clientId: 'bad', will });
    bad.stream.destroy();
    const [shard] = streams.describe('alarms').shards;
    await streams.waitFor(shard!, 0);
    assert.deepEqual(await records('alarms'), ['bad=gone']);
  });

  test(`v${protocolVersion}: a subscription is refused, and the connection goes on`, async (t) => {
    const { raw } = await open(t);
    const device = await raw();
    await device.connect(protocolVersion);
    device.send({
      cmd: 'subscribe',
      messageId: 3,
      subscriptions: [
        { topic: 'a/#', qos: 1 },
        { topic: 'b', qos: 0 },
      ],
    });
    const suback = (await device.next()) as { cmd: string; granted: number[] };
    const code = protocolVersion === 5 ? 0x83 : 0x80;
    assert.deepEqual([suback.cmd, suback.granted], ['suback', [code, code]]);
    device.send({ cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['a/#'] });
    assert.equal((await device.next()).cmd, 'unsuback');
    device.send({ cmd: 'pingreq' });
    assert.equal((await device.next()).cmd, 'pingresp');
  });

  test(`v${protocolVersion}: QoS 2, retained and too large messages end the connection`, async (t) => {
    const { raw, records } = await open(t, { limits: { payloadBytesMax: 1_000 } });
    const publish = { cmd: 'publish' as const, topic: 'alarms/a', messageId: 1, dup: false };
    const cases = [
      [{ ...publish, qos: 2 as const, retain: false, payload: 'x' }, 0x9b],
      [{ ...publish, qos: 1 as const, retain: true, payload: 'x' }, 0x9a],
      [{ ...publish, qos: 1 as const, retain: false, payload: 'x'.repeat(1_001) }, 0x95],
      [{ ...publish, qos: 1 as const, retain: false, payload: 'x'.repeat(2_000_000) }, 0x95],
    ] as const;
    for (const [packet, code] of cases) {
      const device = await raw();
      await device.connect(protocolVersion);
      device.send(packet);
      if (protocolVersion === 5) {
        const { cmd, reasonCode } = (await device.next()) as { cmd: string; reasonCode?: number };
        assert.deepEqual([cmd, reasonCode], ['disconnect', code]);
      }
      await device.closed;
      assert.deepEqual(device.packets, []);
    }
    assert.deepEqual(await records('alarms'), []);
  });

  test(`v${protocolVersion}: a connection that says nothing is ended`, async (t) => {
    const { raw } = await open(t, { limits: { handshakeMsMax: 20 } });
    const mute = await raw();
    await mute.closed;
    const device = await raw();
    await device.connect(protocolVersion, { keepalive: 1 });
    await device.closed;
    const left = device.packets.map((packet) => [packet.cmd, (packet as { reasonCode?: number }).reasonCode]);
    assert.deepEqual(left, protocolVersion === 5 ? [['disconnect', 0x8d]] : []);
  });

  test(`v${protocolVersion}: the later connection of a client id stays, and only so many are let in`, async (t) => {
    const { client } = await open(t, { limits: { connectionsMax: 2 } });
    const first = await client({ protocolVersion, clientId: 'a' });
    const ended = once(first as unknown as EventEmitter, 'close');
    const second = await client({ protocolVersion, clientId: 'a' });
    await ended;
    await client({ protocolVersion, clientId: 'b' });
    await assert.rejects(
      client({ protocolVersion, clientId: 'c' }),
      (error) => refusal(error).code === (protocolVersion === 5 ? 0x97 : 3),
    );
    await second.publishAsync('alarms/a', '1', { qos: 1 });
  });
}

test('v5: what has no route, or no stream, is answered so, and the connection goes on', async (t) => {
  const routes = [...ROUTES, { topic: 'lost', stream: 'none' }];
  const { client, records } = await open(t, { routes });
  const device = await client({ protocolVersion: 5, clientId: 'd' });
  const rejects = (topic: string, code: number, text: RegExp) =>
    assert.rejects(device.publishAsync(topic, 'x', { qos: 1 }), (error) => {
      assert.equal(refusal(error).code, code);
      void text;
      return true;
    });
  await rejects('elsewhere', 0x90, /no route/);
  await rejects('lost', 0x83, /no stream/);
  await device.publishAsync('alarms/a', '1', { qos: 1 });
  assert.deepEqual(await records('alarms'), ['d=1']);
});

test('v3.1.1: what has no route gets no answer: the connection ends, and the client has its message still', async (t) => {
  const { raw } = await open(t);
  const device = await raw();
  await device.connect(4);
  device.send({
    cmd: 'publish',
    topic: 'elsewhere',
    payload: 'x',
    qos: 1,
    retain: false,
    dup: false,
    messageId: 1,
  });
  await device.closed;
  assert.deepEqual(device.packets, []);
});

test('while the log is overloaded messages wait in their order, and are refused after the last attempt', async (t) => {
  const world = await open(t);
  let failures = 3;
  const overloaded = () => new PlatformError({ code: 'overloaded', message: 'no', retry: 'backoff' });
  const streams: MqttOptions['streams'] = {
    describe: (name) => world.streams.describe(name),
    append: (...given) => (failures-- > 0 ? Promise.reject(overloaded()) : world.streams.append(...given)),
  };
  const limits = { retryMsFirst: 1, attemptsMax: 4 };
  const busy = await createMqttListener({
    host: '127.0.0.1',
    port: 0,
    credentials: undefined,
    routes: ROUTES,
    clock: createSystemClock(),
    random: createSystemRandom(),
    logger,
    metrics,
    streams,
    limits,
  });
  t.after(() => busy.close());
  const device = connect(`mqtt://127.0.0.1:${busy.port}`, {
    protocolVersion: 5,
    clientId: 'd',
    reconnectPeriod: 0,
  });
  t.after(() => device.end(true));
  await once(device as unknown as EventEmitter, 'connect');
  await Promise.all([1, 2, 3].map((n) => device.publishAsync('alarms/a', String(n), { qos: 1 })));
  assert.deepEqual(await world.records('alarms'), ['d=1', 'd=2', 'd=3']);
  failures = Infinity;
  await assert.rejects(
    device.publishAsync('alarms/a', '4', { qos: 1 }),
    (error) => refusal(error).code === 0x97,
  );
});

test('garbage, a second CONNECT and an old protocol end the connection', async (t) => {
  const { raw } = await open(t);
  const garbage = await raw();
  garbage.socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await garbage.closed;
  const flood = await raw();
  flood.socket.write(Buffer.concat([Buffer.of(0x10, 0xff, 0xff, 0xff, 0x7f), Buffer.alloc(512 * 1024)]));
  await flood.closed;
  const twice = await raw();
  await twice.connect(5);
  twice.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'raw', clean: true });
  const { reasonCode } = (await twice.next()) as { reasonCode?: number };
  assert.equal(reasonCode, 0x82);
  await twice.closed;
  const old = await raw();
  const answer = (await old.connect(4, { protocolId: 'MQIsdp', protocolVersion: 3 })) as {
    returnCode?: number;
  };
  assert.equal(answer.returnCode, 1);
  await old.closed;
});
