import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FORMAT_VERSION, openDataDirectory, writeFileDurably } from './data-directory.ts';

describe('the data directory', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'sluice-data-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test('carries its format and is opened again', () => {
    openDataDirectory(root).close();
    assert.deepEqual(JSON.parse(readFileSync(join(root, 'format.json'), 'utf8')), { format: FORMAT_VERSION });
    openDataDirectory(root).close();
  });

  test('is refused to a second opener, also of another process, until it is closed', () => {
    const first = openDataDirectory(root);
    writeFileDurably(first.runFile, '{"pid": 42, "url": "http://127.0.0.1:1"}');
    assert.throws(() => openDataDirectory(root), {
      code: 'in-use',
      message: /process 42, which serves http:/,
    });
    const script = `import { openDataDirectory } from ${JSON.stringify(import.meta.resolve('./data-directory.ts'))};
      try { openDataDirectory(${JSON.stringify(root)}); } catch (error) { console.log(error.code); }`;
    const other = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.equal(other.stdout.trim(), 'in-use', other.stderr);
    first.close();
    openDataDirectory(root).close();
  });

  test('is refused when a newer version wrote it, and left as it was', () => {
    openDataDirectory(root, { version: 7, migrations: new Map() }).close();
    assert.throws(() => openDataDirectory(root), { code: 'data-directory', message: /format 7/ });
    assert.deepEqual(JSON.parse(readFileSync(join(root, 'format.json'), 'utf8')), { format: 7 });
  });

  test('is brought forward one version at a time, and goes on after a migration that failed', () => {
    openDataDirectory(root, { version: 1 }).close();
    const ran: number[] = [];
    let fails = true;
    const migrations = new Map([
      [1, () => void ran.push(1)],
      [
        2,
        () => {
          if (fails) throw new Error('power cut');
          ran.push(2);
        },
      ],
    ]);
    assert.throws(() => openDataDirectory(root, { version: 3, migrations }), /power cut/);
    fails = false;
    openDataDirectory(root, { version: 3, migrations }).close();
    assert.deepEqual(ran, [1, 2]);
    assert.deepEqual(JSON.parse(readFileSync(join(root, 'format.json'), 'utf8')), { format: 3 });
  });

  test("is not made out of a directory with somebody else's files", () => {
    writeFileSync(join(root, 'thesis.tex'), '');
    assert.throws(() => openDataDirectory(root), { code: 'data-directory', message: /thesis\.tex/ });
    assert.ok(!existsSync(join(root, 'format.json')));
  });

  test('starts with an empty temporary directory', () => {
    const first = openDataDirectory(root);
    writeFileSync(join(first.temp, 'left-over'), '');
    first.close();
    const second = openDataDirectory(root);
    assert.deepEqual(readdirSync(second.temp), []);
    second.close();
  });
});
