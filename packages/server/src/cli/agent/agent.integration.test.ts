/** The agent as a user runs it, against a server as a user runs it: rotation, crashes, and a server that is away. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
} from '@aws-sdk/client-kinesis';

const COMMAND = fileURLToPath(new URL('../../../bin/sluice.mjs', import.meta.url));
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(AWS_|SLUICE_|NODE_TEST)/.test(name)),
);
const FAST = {
  initialPosition: 'START_OF_FILE',
  maxBufferAgeMillis: 20,
  minTimeBetweenFilePollsMillis: 10,
  maxTimeBetweenFileTrackerRefreshMillis: 500,
  retryMaxBackoffMillis: 200,
};

interface Agent {
  readonly child: ChildProcess;
  err(): string;
  /** Exit code, or the signal. */
  readonly ended: Promise<number | string>;
}

class Place {
  readonly root = mkdtempSync(join(tmpdir(), 'sluice-agent-'));
  readonly logs = join(this.root, 'logs');
  readonly #children: ChildProcess[] = [];
  #port = 0;
  #server: ChildProcess | undefined;

  constructor(t: TestContext) {
    mkdirSync(this.logs);
    t.after(() => {
      for (const child of this.#children) child.kill('SIGKILL');
      rmSync(this.root, { recursive: true, force: true });
    });
  }

  path(name: string): string {
    return join(this.logs, name);
  }

  async startServer(): Promise<void> {
    this.#port ||= await freePort();
    const server = this.#spawn([
      'start',
      '--dev',
      '--port',
      String(this.#port),
      '--data',
      join(this.root, 'data'),
    ]);
    await once(server.stdout!, 'data');
    this.#server = server;
  }

  async killServer(): Promise<void> {
    this.#server!.kill('SIGKILL');
    await once(this.#server!, 'exit');
  }

  get client(): KinesisClient {
    const credentials = { accessKeyId: 'a', secretAccessKey: 's' };
    return new KinesisClient({
      endpoint: `http://127.0.0.1:${this.#port}`,
      region: 'us-east-1',
      credentials,
    });
  }

  async createStream(): Promise<void> {
    await this.client.send(new CreateStreamCommand({ StreamName: 'logs', ShardCount: 1 }));
  }

  agent(flow: object = {}, ...args: string[]): Agent {
    const config = join(this.root, 'agent.json');
    writeFileSync(
      config,
      JSON.stringify({
        'kinesis.endpoint': `http://127.0.0.1:${this.#port}`,
        checkpointFile: 'checkpoints.json',
        flows: [{ filePattern: 'logs/app.log*', kinesisStream: 'logs', ...FAST, ...flow }],
      }),
    );
    const child = this.#spawn(['agent', '--config', config, ...args]);
    let err = '';
    child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
    return { child, ended, err: () => err };
  }

  async records(): Promise<string[]> {
    const { client } = this;
    const shard = { StreamName: 'logs', ShardId: 'shardId-000000000000' };
    let { ShardIterator } = await client.send(
      new GetShardIteratorCommand({ ...shard, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const texts: string[] = [];
    for (;;) {
      const answer = await client.send(new GetRecordsCommand({ ShardIterator }));
      for (const { Data } of answer.Records ?? []) texts.push(Buffer.from(Data!).toString());
      if (answer.Records?.length === 0) return texts;
      ShardIterator = answer.NextShardIterator;
    }
  }

  /** Waits until the stream holds each of the lines, and gives all that it holds. */
  async until(lines: readonly string[]): Promise<string[]> {
    for (;;) {
      const records = await this.records().catch(() => [] as string[]);
      const found = new Set(records);
      if (lines.every((line) => found.has(line))) return records;
      await pause(20);
    }
  }

  #spawn(args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      env: { ...ENVIRONMENT, SLUICE_LOG_LEVEL: 'error' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    return child;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const lines = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${name}-${String(at).padStart(6, '0')} ${'.'.repeat(at % 40)}\n`);

async function place(t: TestContext): Promise<Place> {
  const made = new Place(t);
  await made.startServer();
  await made.createStream();
  return made;
}

test('--once delivers what is there, its last line too, then only what came since, and ends', async (t) => {
  const it = await place(t);
  const first = lines('a', 1_200);
  writeFileSync(it.path('app.log'), `${first.join('')}rest`);
  assert.equal(await it.agent({}, '--once').ended, 0);
  assert.deepEqual(await it.records(), [...first, 'rest']);
  appendFileSync(it.path('app.log'), '\nb\n');
  assert.equal(await it.agent({}, '--once').ended, 0);
  assert.deepEqual((await it.records()).slice(first.length), ['rest', 'b\n']);
});

test('a file that is rotated by its name while it is written loses nothing and doubles nothing', async (t) => {
  const it = await place(t);
  const agent = it.agent();
  const all = lines('r', 3_000);
  for (let at = 0; at < all.length; at += 100) {
    // Without a line break at the end of each piece: a line is taken when it is whole.
    const text = all.slice(at, at + 100).join('');
    appendFileSync(it.path('app.log'), text.slice(0, -5));
    await pause(5);
    appendFileSync(it.path('app.log'), text.slice(-5));
    if (at % 500 === 400) {
      const old = `app.log.${at}`;
      renameSync(it.path('app.log'), it.path(old));
      // The writer still has it open.
      appendFileSync(it.path(old), `late-${at}\n`);
    }
  }
  const late = Array.from({ length: 6 }, (_, at) => `late-${at * 500 + 400}\n`);
  const records = await it.until([...all, ...late]);
  assert.equal(records.length, all.length + late.length, agent.err());
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
});

test('a file that is copied and truncated loses nothing', async (t) => {
  const it = await place(t);
  const agent = it.agent();
  const all: string[] = [];
  for (let round = 0; round < 3; round++) {
    const some = lines(`c${round}`, 400);
    all.push(...some);
    for (let at = 0; at < some.length; at += 100)
      appendFileSync(it.path('app.log'), some.slice(at, at + 100).join(''));
    copyFileSync(it.path('app.log'), it.path(`app.log.${round}`));
    truncateSync(it.path('app.log'));
    await it.until(some);
  }
  const records = await it.until(all);
  assert.equal(records.length, all.length, agent.err());
});

test('after kill -9 nothing is lost, and no more than the last batch is doubled', async (t) => {
  const it = await place(t);
  const all: string[] = [];
  const kills = 5;
  for (let round = 0; round < kills; round++) {
    const agent = it.agent({ maxBufferSizeRecords: 50 });
    const some = lines(`k${round}`, 1_000);
    all.push(...some);
    appendFileSync(it.path('app.log'), some.join(''));
    if (round % 2 === 1) renameSync(it.path('app.log'), it.path(`app.log.${round}`));
    await it.until([some[300]!]);
    agent.child.kill('SIGKILL');
    await agent.ended;
    // A file that is renamed while no agent looks is known again.
    if (round === 2) renameSync(it.path('app.log'), it.path('moved.log'));
  }
  it.agent({ maxBufferSizeRecords: 50 });
  const records = await it.until(all);
  assert.ok(records.length <= all.length + kills * 50, `${records.length - all.length} are doubled`);
});

test('while the server is away it waits, says so, and goes on where it was', async (t) => {
  const it = await place(t);
  const port = await freePort();
  const agent = it.agent({}, '--metrics-port', String(port));
  const first = lines('before', 300);
  appendFileSync(it.path('app.log'), first.join(''));
  await it.until(first);
  await it.killServer();
  const second = lines('during', 2_000);
  appendFileSync(it.path('app.log'), second.join(''));
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(new RegExp(`^sluice_agent_${name}\\{.*\\} (\\d+)$`, 'm').exec(text)![1]);
  };
  while ((await metric('failing')) === 0) await pause(10);
  await it.startServer();
  const records = await it.until([...first, ...second]);
  assert.ok(records.length <= first.length + second.length + 500);
  while ((await metric('failing')) === 1) await pause(10);
  while ((await metric('records_total')) < first.length + second.length) await pause(10);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  assert.match(agent.err(), /goes on/);
});

test('records of several lines, processed, from the end of what is there', async (t) => {
  const it = await place(t);
  writeFileSync(it.path('app.log'), '[0] old\n');
  const agent = it.agent({
    initialPosition: 'END_OF_FILE',
    // Met at a line's beginning only.
    multiLineStartPattern: '\\[\\d+\\]',
    dataProcessingOptions: [
      { optionName: 'SINGLELINE' },
      { optionName: 'ADDMETADATA', metadata: { host: 'h' } },
    ],
  });
  const known = join(it.root, 'checkpoints.json');
  for (;;) {
    try {
      if (readFileSync(known, 'utf8').includes('app.log')) break;
    } catch {
      // It isn't there yet.
    }
    await pause(10);
  }
  appendFileSync(it.path('app.log'), '[1] a\n  at b [9]\n[2] c\n');
  const expected = ['[1] aat b [9]', '[2] c'].map(
    (data) => `${JSON.stringify({ metadata: { host: 'h' }, data })}\n`,
  );
  assert.deepEqual(await it.until(expected), expected, agent.err());
});

test('a second agent with the same checkpoints, an absent stream and a wrong option end with what to do', async (t) => {
  const it = await place(t);
  writeFileSync(it.path('app.log'), 'a\n');
  const first = it.agent();
  await it.until(['a\n']);
  const second = it.agent({}, '--once');
  assert.equal(await second.ended, 1);
  assert.match(second.err(), /another agent/);
  first.child.kill('SIGTERM');
  await first.ended;
  const absent = it.agent({ kinesisStream: 'none' }, '--once');
  assert.equal(await absent.ended, 1);
  assert.match(absent.err(), /none/);
  const wrong = it.agent({ colour: 'red' });
  assert.equal(await wrong.ended, 2);
  assert.match(wrong.err(), /agent\.json.*colour/s);
});
