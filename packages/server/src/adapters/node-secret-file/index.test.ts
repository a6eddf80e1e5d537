import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSecretFile } from './index.ts';

test('a secret file is written for its owner alone and refused when others may read it', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'secret-'));
  context.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'root.json');
  const file = createSecretFile(path);
  assert.deepEqual(await file.read(), { kind: 'absent' });

  await writeFile(`${path}.new`, 'of a start that was killed', { mode: 0o666 });
  await file.write('first');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await file.read(), { kind: 'text', text: 'first' });
  await file.write('second');
  assert.deepEqual(await file.read(), { kind: 'text', text: 'second' });
  assert.deepEqual(await readdir(directory), ['root.json']);

  await chmod(path, 0o640);
  assert.deepEqual(await file.read(), { kind: 'loose', mode: '640' });
});
