import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyServiceContract } from '../../ports/key-service.contract.ts';
import type { SecretFile } from '../../ports/secret-file.ts';
import { createLocalKeys } from './index.ts';

/** A secret file that keeps its text; the real one has tests of its own. */
function fileOf(text?: string): SecretFile & { text: string | undefined } {
  return {
    path: '/data/master-keys.json',
    text,
    async read() {
      return this.text === undefined ? { kind: 'absent' } : { kind: 'text', text: this.text };
    },
    async write(next) {
      this.text = next;
    },
  };
}

const ALIAS = 'alias/aws/kinesis';
const CONTEXT = 'stream s';
const failure =
  (code: string, ...words: string[]) =>
  (error: { code?: string; message: string }) =>
    error.code === code && words.every((word) => error.message.includes(word));

for (const passphrase of [undefined, 'correct horse'])
  keyServiceContract(
    `local keys, ${passphrase === undefined ? 'in the clear' : 'by passphrase'}`,
    async () => ({
      keys: createLocalKeys({ file: fileOf(), passphrase }),
      alias: ALIAS,
    }),
  );

test('keys outlive the process, and aliases that are asked for together have one each', async () => {
  const file = fileOf();
  const keys = createLocalKeys({ file });
  const made = await Promise.all([ALIAS, 'alias/b', ALIAS, 'alias/b'].map((name) => keys.describe(name)));
  assert.deepEqual([made[0]!.id, made[1]!.id], [made[2]!.id, made[3]!.id]);
  assert.notEqual(made[0]!.id, made[1]!.id);
  const { plaintext, wrapped } = await keys.generate(made[0]!.id, CONTEXT);
  const again = createLocalKeys({ file });
  assert.equal((await again.describe(ALIAS)).id, made[0]!.id);
  assert.deepEqual(await again.unwrap(made[0]!.id, wrapped, CONTEXT), Buffer.from(plaintext));
});

test('a passphrase that comes later protects the keys that are there; without it or with another they stay shut', async () => {
  const file = fileOf();
  const open = createLocalKeys({ file });
  const { id } = await open.describe(ALIAS);
  const { plaintext, wrapped } = await open.generate(id, CONTEXT);
  const bare = (JSON.parse(file.text!) as { keys: { secret: string }[] }).keys[0]!.secret;
  const guarded = createLocalKeys({ file, passphrase: 'first' });
  assert.deepEqual(await guarded.unwrap(id, wrapped, CONTEXT), Buffer.from(plaintext));
  assert.equal(file.text!.includes(bare), false);
  const kept = file.text;
  await assert.rejects(
    createLocalKeys({ file }).unwrap(id, wrapped, CONTEXT),
    failure('key-unusable', 'none was given'),
  );
  const wrong = createLocalKeys({ file, passphrase: 'second' });
  await assert.rejects(wrong.unwrap(id, wrapped, CONTEXT), failure('key-unusable', id, 'passphrase'));
  await assert.rejects(wrong.describe('alias/new'), failure('key-unusable', id));
  assert.equal(file.text, kept);
});

test('a file that others may read, or that is none of keys, is refused until it is put right', async () => {
  const file = fileOf('{"format":2}');
  const keys = createLocalKeys({ file });
  await assert.rejects(keys.describe(ALIAS), failure('key-unusable', '/data/master-keys.json'));
  const mode = { ...fileOf(), read: async () => ({ kind: 'loose' as const, mode: '644' }) };
  await assert.rejects(createLocalKeys({ file: mode }).describe(ALIAS), failure('key-unusable', '644'));
  file.text = undefined;
  assert.equal((await keys.describe(ALIAS)).state, 'enabled');
});

test('a disabled key is described, and neither wraps nor unwraps', async () => {
  const file = fileOf();
  const keys = createLocalKeys({ file });
  const { id } = await keys.describe(ALIAS);
  const { wrapped } = await keys.generate(id, CONTEXT);
  file.text = file.text!.replace('"enabled"', '"disabled"');
  const again = createLocalKeys({ file });
  assert.deepEqual(await again.describe(ALIAS), { id, state: 'disabled' });
  await assert.rejects(again.generate(id, CONTEXT), failure('key-disabled', id));
  await assert.rejects(again.unwrap(id, wrapped, CONTEXT), failure('key-disabled', id));
});
