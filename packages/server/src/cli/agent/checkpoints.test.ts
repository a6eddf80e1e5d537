import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Checkpoints, type Checkpoint } from './checkpoints.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-checkpoints-'));
after(() => rmSync(directory, { recursive: true }));
let files = 0;
const newPath = (): string => join(directory, `${++files}`, 'checkpoints.json');
const open = (path: string) => Checkpoints.open(path, { timeToLiveDays: 7 });

const checkpoint = (ino: number, seenMs = Date.now()): Checkpoint => ({
  flow: 'f',
  path: `/logs/${ino}`,
  dev: 1,
  ino,
  offset: ino,
  head: '',
  headBytes: 0,
  tail: '',
  seenMs,
});

test('positions are there after a start, by flow; saves at once are all in the file when they return', async () => {
  const path = newPath();
  const first = open(path);
  assert.equal(first.knows('f'), false);
  await Promise.all([1, 2, 3].map((ino) => first.save('f', [checkpoint(ino)])));
  const onDisk = readFileSync(path, 'utf8');
  first.close();
  const second = open(path);
  assert.equal(readFileSync(path, 'utf8'), onDisk);
  assert.deepEqual([second.knows('f'), second.knows('g')], [true, false]);
  assert.deepEqual(
    second.of('f').map((each) => each.ino),
    [1, 2, 3],
  );
  second.close();
  assert.ok(!existsSync(`${path}.new`));
});

test('a file that is gone for long is forgotten, one that is there is not', async () => {
  const path = newPath();
  const longAgo = Date.now() - 8 * 86_400_000;
  const checkpoints = open(path);
  await checkpoints.save('f', []);
  const content = { version: 1, flows: ['f'], files: [checkpoint(1, longAgo), checkpoint(2, longAgo)] };
  checkpoints.close();
  writeFileSync(path, JSON.stringify(content));
  const later = open(path);
  later.touch('f', { dev: 1, ino: 2 });
  await later.save('f', []);
  assert.deepEqual(
    later.of('f').map((each) => each.ino),
    [2],
  );
  later.close();
});

test('a damaged file is refused, and the lock of an agent that died is not', () => {
  const path = newPath();
  open(path).close();
  writeFileSync(path, '{"version":1,');
  assert.throws(() => open(path), { message: /is damaged/ });
  writeFileSync(path, '{"version":2,"flows":[],"files":[]}');
  assert.throws(() => open(path), { message: /its version is 2/ });
  rmSync(path);
  writeFileSync(`${path}.lock`, '999999999\n');
  open(path).close();
});
