import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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

  test('is refused with the way out when its format file is damaged or gone', () => {
    openDataDirectory(root).close();
    for (const text of ['', 'null', '{"form', '\u0000\u0001', '{"format": "1"}', '{"format": 0}']) {
      writeFileSync(join(root, 'format.json'), text);
      assert.throws(() => openDataDirectory(root), {
        code: 'data-directory',
        message: /not a format file/,
        hint: /Restore it/,
      });
    }
    rmSync(join(root, 'format.json'));
    writeFileSync(join(root, 'meta.db'), 'x');
    assert.throws(() => openDataDirectory(root), {
      code: 'data-directory',
      message: /format\.json is missing/,
    });
  });

  test('is refused when the names of what it holds are lost', () => {
    openDataDirectory(root).close();
    openDataDirectory(root).close();
    writeFileSync(join(root, 'journal', '0000000001.seg'), 'records');
    for (const lose of [() => {}, () => writeFileSync(join(root, 'meta.db'), '')]) {
      lose();
      assert.throws(() => openDataDirectory(root), {
        code: 'data-directory',
        message: /meta\.db is missing or empty, though journal/,
        hint: /Restore it/,
      });
    }
    writeFileSync(join(root, 'meta.db'), 'names');
    openDataDirectory(root).close();
  });

  test('is refused with the reason where nothing can be made', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    // Nothing can be made in /proc, not even by root.
    for (const place of [
      file,
      join(file, 'data'),
      ...(existsSync('/proc/self') ? ['/proc/none/data'] : []),
    ]) {
      assert.throws(() => openDataDirectory(place), {
        code: 'data-directory',
        message: /can't be created/,
        hint: /--data/,
      });
    }
    const used = join(root, 'used', 'data');
    openDataDirectory(used).close();
    rmSync(join(used, 'journal'), { recursive: true });
    writeFileSync(join(used, 'journal'), '');
    assert.throws(() => openDataDirectory(used), { code: 'data-directory', message: /can't be used/ });
    rmSync(join(used, 'lock'));
    mkdirSync(join(used, 'lock'));
    assert.throws(() => openDataDirectory(used), { code: 'data-directory', message: /can't be used/ });
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
