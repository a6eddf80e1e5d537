/** What every key service promises; to be called in a test file of the adapter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA_KEY_BYTES, type KeyService } from './key-service.ts';

const CONTEXT = 'stream orders';
const code = (expected: string) => (error: { code?: string; message: string }) =>
  error.code === expected && error.message.length > 0;

/** `alias` names a key that there is or that is made. */
export function keyServiceContract(
  name: string,
  open: () => Promise<{ keys: KeyService; alias: string }>,
): void {
  test(`${name}: an alias and the id of its key mean one key`, async () => {
    const { keys, alias } = await open();
    const key = await keys.describe(alias);
    assert.equal(key.state, 'enabled');
    assert.deepEqual(await keys.describe(alias), key);
    assert.deepEqual(await keys.describe(key.id), key);
  });

  test(`${name}: data keys are new, unwrap to themselves and are not in what is stored`, async () => {
    const { keys, alias } = await open();
    const { id } = await keys.describe(alias);
    const first = await keys.generate(id, CONTEXT);
    const second = await keys.generate(id, CONTEXT);
    assert.equal(first.plaintext.length, DATA_KEY_BYTES);
    assert.notDeepEqual(first.plaintext, second.plaintext);
    assert.equal(Buffer.from(first.wrapped).includes(first.plaintext), false);
    for (const { plaintext, wrapped } of [first, second])
      assert.deepEqual(Buffer.from(await keys.unwrap(id, wrapped, CONTEXT)), Buffer.from(plaintext));
  });

  test(`${name}: another context, a changed byte and a shorter text do not unwrap`, async () => {
    const { keys, alias } = await open();
    const { id } = await keys.describe(alias);
    const { wrapped } = await keys.generate(id, CONTEXT);
    await assert.rejects(keys.unwrap(id, wrapped, 'stream other'), code('key-unusable'));
    for (let at = 0; at < wrapped.length; at++) {
      const changed = Uint8Array.from(wrapped);
      changed[at]! ^= 1;
      await assert.rejects(keys.unwrap(id, changed, CONTEXT), code('key-unusable'), `byte ${at}`);
    }
    await assert.rejects(keys.unwrap(id, wrapped.subarray(0, 20), CONTEXT), code('key-unusable'));
    await assert.rejects(keys.unwrap(id, new Uint8Array(0), CONTEXT), code('key-unusable'));
  });

  test(`${name}: a key that is not there is named in the error`, async () => {
    const { keys } = await open();
    const id = '11111111-2222-4333-8444-555555555555';
    const missing = (error: { code?: string; message: string }) =>
      code('key-not-found')(error) && error.message.includes(id);
    await assert.rejects(keys.describe(id), missing);
    await assert.rejects(keys.generate(id, CONTEXT), missing);
    await assert.rejects(keys.unwrap(id, new Uint8Array(61), CONTEXT), missing);
  });
}
