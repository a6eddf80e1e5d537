/** The process as its user meets it: start, health, refusals, drain. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type SluiceProcess, startSluice } from '../sluice-process.ts';

const BIN = fileURLToPath(import.meta.resolve('../../bin/sluice.mjs'));

function sluice(...args: string[]) {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', timeout: 30_000 });
}

describe('a started server', () => {
  let data: string;
  let server: SluiceProcess | undefined;
  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'sluice-process-'));
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    rmSync(data, { recursive: true });
  });

  test('is healthy, says where it is, and drains on SIGTERM', async () => {
    server = await startSluice(data);
    const health = await fetch(`${server.url}/health`);
    assert.equal(health.status, 200);
    const { roles } = (await health.json()) as { roles: { name: string; state: string }[] };
    assert.deepEqual([...new Set(roles.map(({ state }) => state))], ['running']);
    const run = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')) as { pid: number; url: string };
    assert.deepEqual([run.pid, run.url], [server.pid, server.url]);
    assert.equal(await server.stop(), 0);
    assert.ok(!existsSync(join(data, 'run.json')));
    server = undefined;
  });

  test('serves metrics for Prometheus', async () => {
    server = await startSluice(data, '--dev');
    const text = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(text, /^# TYPE process_resident_memory_bytes gauge$/m);
    assert.match(text, /^# TYPE sluice_/m);
  });

  test('has a root key that only its owner can read, the same after a restart', async () => {
    const file = join(data, 'root-credentials.json');
    server = await startSluice(data);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const key = readFileSync(file, 'utf8');
    await server.kill();
    server = await startSluice(data);
    assert.equal(readFileSync(file, 'utf8'), key);
    const { stdout, status } = sluice('env', '--data', data);
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`^export AWS_ENDPOINT_URL=.?${server.url}`, 'm'));
    assert.ok(stdout.includes((JSON.parse(key) as { accessKeyId: string }).accessKeyId));
  });

  test('keeps a second process off its directory, and is not disturbed', async () => {
    server = await startSluice(data, '--dev');
    const second = sluice('start', '--data', data, '--port', '0', '--dev');
    assert.equal(second.status, 1);
    assert.match(second.stderr, new RegExp(`in use by process ${server.pid}`));
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
  });
});

describe('a start that can not be', () => {
  const data = mkdtempSync(join(tmpdir(), 'sluice-refused-'));
  after(() => rmSync(data, { recursive: true }));

  test('on a directory of a newer version', () => {
    writeFileSync(join(data, 'format.json'), '{"format": 9}');
    const { status, stderr } = sluice('start', '--data', data, '--port', '0');
    assert.equal(status, 1);
    assert.match(stderr, /format 9, which is newer/);
    rmSync(join(data, 'format.json'));
  });

  test('with --dev for other machines', () => {
    const { status, stderr } = sluice(
      'start',
      '--data',
      join(data, 'dev'),
      '--port',
      '0',
      '--dev',
      '--host',
      '0.0.0.0',
    );
    assert.notEqual(status, 0);
    assert.match(stderr, /--dev accepts any credentials/);
  });

  test('on a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    assert.ok(address !== null && typeof address === 'object');
    const { status, stderr } = sluice('start', '--data', join(data, 'port'), '--port', String(address.port));
    taken.close();
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`${address.port}.*(in use|taken)`, 's'));
  });
});
