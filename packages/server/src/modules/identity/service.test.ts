import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlatformError } from '../../base/errors.ts';
import type { Random } from '../../ports/random.ts';
import type { SecretFile } from '../../ports/secret-file.ts';
import { createIdentity } from './index.ts';

let next = 0;
const random: Random = {
  bytes: (length) => Uint8Array.from({ length }, () => (next = (next * 31 + 17) % 256)),
  uuid: () => '',
};

function memoryFile(initial?: string): SecretFile & { text: string | undefined } {
  return {
    path: 'root-credentials.json',
    text: initial,
    async read() {
      return this.text === undefined ? { kind: 'absent' } : { kind: 'text', text: this.text };
    },
    async write(text) {
      this.text = text;
    },
  };
}

test('the first start makes a key in the form of AWS and the next one finds it', async () => {
  const secretFile = memoryFile();
  const first = await createIdentity({ secretFile, random, accountId: '123456789012' });
  assert.match(first.root.accessKeyId, /^AKIA[A-Z2-7]{16}$/);
  assert.match(first.root.secretAccessKey, /^[A-Za-z0-9+/]{40}$/);
  assert.deepEqual(first.secretOf(first.root.accessKeyId)?.principal, {
    accountId: '123456789012',
    name: 'root',
  });
  assert.equal(first.secretOf('AKIAOTHER'), undefined);
  const second = await createIdentity({ secretFile, random, accountId: '123456789012' });
  assert.deepEqual(second.root, first.root);
});

for (const text of [
  '',
  '{',
  'null',
  '[]',
  '{"accessKeyId":"AKIA"}',
  '{"accessKeyId":1,"secretAccessKey":"x"}',
]) {
  test(`a file with ${JSON.stringify(text)} is refused, not replaced`, async () => {
    const secretFile = memoryFile(text);
    await assert.rejects(
      createIdentity({ secretFile, random, accountId: '123456789012' }),
      (error) => error instanceof PlatformError && error.code === 'damaged' && error.hint !== undefined,
    );
    assert.equal(secretFile.text, text);
  });
}

test('a file that others may read is refused with the way out', async () => {
  const secretFile: SecretFile = { ...memoryFile(), read: async () => ({ kind: 'loose', mode: '644' }) };
  await assert.rejects(
    createIdentity({ secretFile, random, accountId: '123456789012' }),
    (error) =>
      error instanceof PlatformError &&
      error.code === 'loose-permissions' &&
      /chmod 600/.test(error.hint ?? ''),
  );
});
