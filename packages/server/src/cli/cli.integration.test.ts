/** The command as a user runs it: processes, exit codes, signals, standard output and error. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../../bin/sluice.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|SLUICE_|NO_COLOR|FORCE_COLOR|NODE_TEST)/.test(name),
  ),
);
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function sluice(args: readonly string[], { input = '' } = {}): Promise<Ended> {
  const child = spawn(process.execPath, [command, ...args], { env: environment });
  children.push(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

async function startServer(...args: string[]) {
  const child = spawn(process.execPath, [command, 'start', '--port', '0', '--log-level', 'error', ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  await once(reader, 'line');
  return { child, lines, url: lines[0]?.replace('ready ', '') ?? '' };
}

test('every environment setting of the server is in the help of start and in its table', async () => {
  const sources = ['../app/config.ts', '../app/server.ts'].map((file) =>
    readFileSync(new URL(file, import.meta.url), 'utf8'),
  );
  const names = new Set(sources.join('').match(/SLUICE_[A-Z][A-Z_]*/g));
  assert.ok(names.has('SLUICE_MASTER_KEY_PASSPHRASE') && names.has('SLUICE_CONFIG'));
  const { out } = await sluice(['start', '--help']);
  const table = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8');
  for (const name of names) {
    assert.ok(out.includes(name), `${name} in the help`);
    assert.ok(table.includes(`\`${name}\``), `${name} in the table`);
  }
});

describe('a running server', () => {
  const data = join(root, 'data');
  let server: Awaited<ReturnType<typeof startServer>>;
  before(async () => {
    server = await startServer('--data', data);
  });
  after(() => server.child.kill('SIGKILL'));

  test('says that it is ready, in one line, and nothing else', () => {
    assert.equal(server.lines.length, 1);
    assert.match(server.lines[0] ?? '', /^ready http:\/\/127\.0\.0\.1:\d+$/);
  });

  test('keeps its root key for its user, and env prints it', async () => {
    assert.equal(statSync(join(data, 'root-credentials.json')).mode & 0o777, 0o600);
    const key = JSON.parse(readFileSync(join(data, 'root-credentials.json'), 'utf8')) as Record<
      string,
      string
    >;
    const { code, out } = await sluice(['env', '--data', data, '--format', 'json']);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), {
      AWS_ENDPOINT_URL: server.url,
      AWS_ACCESS_KEY_ID: key['accessKeyId'],
      AWS_SECRET_ACCESS_KEY: key['secretAccessKey'],
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
    });
  });

  test('answers SQL in each format', async () => {
    const ask = async (format: string) =>
      sluice(['sql', '--data', data, '-f', format, "select 1 as n, 'a,b' as t, null as x"]);
    assert.deepEqual(await ask('csv'), { code: 0, out: 'n,t,x\n1,"a,b",\n', err: '' });
    assert.deepEqual(await ask('ndjson'), { code: 0, out: '{"n":1,"t":"a,b","x":null}\n', err: '' });
    assert.deepEqual(JSON.parse((await ask('json')).out), [{ n: 1, t: 'a,b', x: null }]);
    assert.match((await ask('table')).out, /^ n │ t {3}│ +x\n.*\n 1 │ a,b │ \[NULL\]\n\(1 row, /);
  });

  test('answers the statements of standard input up to the first that fails', async () => {
    const input = 'select 1 as a; select 2\nas b;\nselect * from no.where; select 3 as c;';
    const { code, out, err } = await sluice(['sql', '--data', data, '-f', 'csv'], { input });
    assert.deepEqual([code, out], [1, 'a\n1\nb\n2\n']);
    assert.match(err, /error: .*no/s);
  });

  test('gives all rows of a large result', async () => {
    const { code, out } = await sluice([
      'sql',
      '--data',
      data,
      '-f',
      'csv',
      'select * from range(2500) t(n)',
    ]);
    assert.equal(code, 0);
    assert.deepEqual(out.trimEnd().split('\n'), ['n', ...Array.from({ length: 2500 }, (_, n) => String(n))]);
  });

  test('tells its status', async () => {
    const { code, out } = await sluice(['status', '--data', data]);
    assert.equal(code, 0);
    assert.match(out, /^Sluice \d+\.\d+\.\d+ · http/);
    const json = await sluice(['status', '--data', data, '--json']);
    assert.deepEqual((JSON.parse(json.out) as { streams: unknown }).streams, []);
  });

  test('refuses a wrong key', async () => {
    const child = await sluice(['status', '--endpoint', server.url]);
    assert.equal(child.code, 1);
    assert.match(child.err, /refuses the access key sluice.*next: {2}Name the server/s);
  });

  test('keeps a second one off its directory', async () => {
    const { code, err, out } = await sluice(['start', '--data', data, '--port', '0']);
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /in use by process \d+.*next:/s);
  });

  test('stops a query when it is interrupted', async () => {
    const child = spawn(
      process.execPath,
      [command, 'sql', '--data', data, 'select count(*) from range(1000000000000) a, range(1000) b'],
      { env: environment },
    );
    children.push(child);
    const { AthenaClient, BatchGetQueryExecutionCommand, ListQueryExecutionsCommand } =
      await import('@aws-sdk/client-athena');
    const { accessKeyId = '', secretAccessKey = '' } = JSON.parse(
      readFileSync(join(data, 'root-credentials.json'), 'utf8'),
    ) as Record<string, string>;
    const athena = new AthenaClient({
      endpoint: server.url,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
    });
    const state = async () => {
      const { QueryExecutionIds = [] } = await athena.send(new ListQueryExecutionsCommand({}));
      const { QueryExecutions = [] } = await athena.send(
        new BatchGetQueryExecutionCommand({ QueryExecutionIds: QueryExecutionIds.slice(0, 50) }),
      );
      return QueryExecutions.find((each) => each.Query?.includes('1000000000000'))?.Status?.State;
    };
    while ((await state()) !== 'RUNNING') await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number | null];
    assert.deepEqual([code, await state()], [130, 'CANCELLED']);
    athena.destroy();
  });

  test('drains at SIGTERM and exits with 0', async () => {
    server.child.kill('SIGTERM');
    assert.deepEqual(await once(server.child, 'exit'), [0, null]);
    const { code, err } = await sluice(['status', '--data', data]);
    assert.equal(code, 3);
    assert.match(err, /no server runs.*next: {2}Start it/s);
  });
});

describe('wrong usage', () => {
  const cases: string[][] = [
    ['nope'],
    ['start', '--port', 'x'],
    ['start', '--port', '70000'],
    ['start', '--dev', '--host', '0.0.0.0', '--data', join(root, 'never')],
    ['start', '--unknown'],
    ['sql', '--format', 'xml', 'select 1'],
    ['demo', '--rows', '0'],
    ['status', '--endpoint', 'nowhere'],
  ];
  for (const args of cases) {
    test(`is told of: ${args.slice(0, 3).join(' ')}`, async () => {
      const { code, out, err } = await sluice(args);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, /error:/);
    });
  }
});

test('each command has help with examples', async () => {
  for (const name of ['start', 'env', 'sql', 'status', 'demo']) {
    const { code, out } = await sluice([name, '--help']);
    assert.equal(code, 0);
    assert.match(out, /Usage: sluice.*Examples:\n {2}/s, name);
  }
});

test('an address where nobody answers ends with 3', async () => {
  for (const args of [['status'], ['sql', 'select 1']]) {
    const { code, err } = await sluice([...args, '--endpoint', 'http://127.0.0.1:1']);
    assert.equal(code, 3);
    assert.match(err, /no server answers at http:\/\/127\.0\.0\.1:1/);
  }
});

test('the demo streams real flights, and again on the same directory', async () => {
  const data = join(root, 'demo');
  for (const rows of [2000, 1000]) {
    const { code, out, err } = await sluice(['demo', '--rows', String(rows), '--data', data]);
    assert.equal(code, 0, out + err);
    assert.match(
      out,
      new RegExp(`rows added +│ +${rows.toLocaleString('en-US')} │ each record exactly once`),
    );
    assert.match(out, / → /);
  }
  assert.ok(!existsSync(join(data, 'run.json')), 'its server has stopped');
});
