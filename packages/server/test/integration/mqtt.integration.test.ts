/** Devices against a server as a user runs it: access keys, TLS, a crash; and Mosquitto's client where there is one. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once, type EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
} from '@aws-sdk/client-kinesis';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { startSluice, type SluiceProcess } from '../sluice-process.ts';

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

function directory(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'sluice-mqtt-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const routes = [{ topic: 'devices/+/telemetry', stream: 'telemetry', key: '{2}' }];
  writeFileSync(join(root, 'sluice.json'), JSON.stringify({ mqtt: { routes } }));
  return root;
}

async function start(t: TestContext, root: string, port: number, ...flags: string[]): Promise<SluiceProcess> {
  const config = join(root, 'sluice.json');
  const server = await startSluice(
    join(root, 'data'),
    '--config',
    config,
    '--mqtt-port',
    String(port),
    ...flags,
  );
  t.after(() => server.kill());
  return server;
}

function keyIn(root: string): Key {
  return JSON.parse(readFileSync(join(root, 'data', 'root-credentials.json'), 'utf8')) as Key;
}

function kinesis(server: SluiceProcess, credentials: Key): KinesisClient {
  return new KinesisClient({ endpoint: server.url, region: 'us-east-1', credentials });
}

async function records(client: KinesisClient): Promise<string[]> {
  const { ShardIterator } = await client.send(
    new GetShardIteratorCommand({
      StreamName: 'telemetry',
      ShardId: 'shardId-000000000000',
      ShardIteratorType: 'TRIM_HORIZON',
    }),
  );
  const { Records } = await client.send(new GetRecordsCommand({ ShardIterator }));
  return Records!.map(({ Data, PartitionKey }) => `${PartitionKey}=${Buffer.from(Data!).toString()}`);
}

async function device(t: TestContext, url: string, options: IClientOptions): Promise<MqttClient> {
  const client = connect(url, { reconnectPeriod: 50, ...options });
  t.after(() => client.end(true));
  const failed = once(client as unknown as EventEmitter, 'error').then(([error]) =>
    Promise.reject(error as Error),
  );
  failed.catch(() => {});
  await Promise.race([once(client as unknown as EventEmitter, 'connect'), failed]);
  return client;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

for (const protocolVersion of [4, 5] as const) {
  test(`v${protocolVersion}: what a device has an answer to survives kill -9, and the rest is sent again`, async (t) => {
    const root = directory(t);
    const port = await freePort();
    const first = await start(t, root, port);
    const { accessKeyId: username, secretAccessKey: password } = keyIn(root);
    const client = kinesis(first, keyIn(root));
    await client.send(new CreateStreamCommand({ StreamName: 'telemetry', ShardCount: 1 }));
    const sensor = await device(t, `mqtt://127.0.0.1:${port}`, {
      protocolVersion,
      username,
      password,
      clean: false,
      clientId: 'sensor',
    });
    const answered: number[] = [];
    const sent = Array.from({ length: 400 }, (_, n) =>
      sensor.publishAsync('devices/7/telemetry', String(n), { qos: 1 }).then(() => answered.push(n)),
    );
    await sent[50];
    await first.kill();
    const survived = answered.length;
    const second = await start(t, root, port);
    await Promise.all(sent);
    const found = (await records(kinesis(second, keyIn(root)))).map((text) => Number(text.slice(2)));
    assert.ok(survived > 50);
    assert.deepEqual(
      [...new Set(found)].sort((a, b) => a - b),
      sent.map((_, n) => n),
    );
    await assert.rejects(
      device(t, `mqtt://127.0.0.1:${port}`, {
        protocolVersion,
        username,
        password: 'wrong',
        reconnectPeriod: 0,
      }),
    );
  });
}

const hasOpenSsl = spawnSync('openssl', ['version']).status === 0;
test('over TLS, and only over TLS', { skip: !hasOpenSsl && 'openssl is not installed' }, async (t) => {
  const root = directory(t);
  const [cert, key] = [join(root, 'cert.pem'), join(root, 'key.pem')];
  execFileSync(
    'openssl',
    `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${key} -out ${cert}`.split(
      ' ',
    ),
    { stdio: 'ignore' },
  );
  const port = await freePort();
  const server = await start(t, root, port, '--dev', '--mqtt-cert', cert, '--mqtt-key', key);
  const any = { accessKeyId: 'a', secretAccessKey: 's' };
  await kinesis(server, any).send(new CreateStreamCommand({ StreamName: 'telemetry', ShardCount: 1 }));
  const run = JSON.parse(readFileSync(join(root, 'data', 'run.json'), 'utf8')) as { mqtt: string };
  assert.equal(run.mqtt, `mqtts://127.0.0.1:${port}`);
  const sensor = await device(t, `mqtts://localhost:${port}`, { ca: readFileSync(cert), protocolVersion: 5 });
  await sensor.publishAsync('devices/7/telemetry', '1', { qos: 1 });
  assert.deepEqual(await records(kinesis(server, any)), ['7=1']);
  const plain = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
  t.after(() => plain.end(true));
  plain.on('error', () => {});
  let connected = false;
  plain.on('connect', () => (connected = true));
  await once(plain as unknown as EventEmitter, 'close');
  assert.equal(connected, false);
});

const hasMosquitto = spawnSync('mosquitto_pub', ['--help']).error === undefined;
test(
  "Mosquitto's client publishes in both versions",
  { skip: !hasMosquitto && 'mosquitto_pub is not installed' },
  async (t) => {
    const root = directory(t);
    const port = await freePort();
    const server = await start(t, root, port);
    const key = keyIn(root);
    await kinesis(server, key).send(new CreateStreamCommand({ StreamName: 'telemetry', ShardCount: 1 }));
    const publish = (version: string, ...args: string[]) => {
      const login = ['-u', key.accessKeyId, '-P', key.secretAccessKey];
      const to = ['-h', '127.0.0.1', '-p', String(port), '-V', version, '-t', 'devices/7/telemetry'];
      return spawnSync('mosquitto_pub', [...to, ...login, ...args], { encoding: 'utf8' });
    };
    for (const version of ['311', '5']) assert.equal(publish(version, '-q', '1', '-m', version).status, 0);
    const wrong = publish('5', '-q', '1', '-m', 'x', '-P', 'wrong');
    assert.notEqual(wrong.status, 0);
    publish('5', '-q', '2', '-m', 'twice');
    // With version 5 it knows that nothing is retained here and leaves the flag out.
    publish('311', '-q', '1', '-r', '-m', 'retained');
    assert.deepEqual(await records(kinesis(server, key)), ['7=311', '7=5']);
  },
);

test('settings that can not work are refused with what to do', async (t) => {
  const root = directory(t);
  await assert.rejects(start(t, root, 0, '--host', '0.0.0.0'), /in the clear.*--mqtt-cert/s);
  await assert.rejects(start(t, root, 0, '--mqtt-cert', 'x.pem'), /go together/);
  writeFileSync(
    join(root, 'sluice.json'),
    JSON.stringify({ mqtt: { routes: [{ topic: 'a/#/b', stream: 's' }] } }),
  );
  await assert.rejects(start(t, root, 0), /routes\[0\].*follows "#"/s);
  writeFileSync(join(root, 'sluice.json'), '{}');
  await assert.rejects(start(t, root, 0), /mqtt\.routes.*--config/s);
});
