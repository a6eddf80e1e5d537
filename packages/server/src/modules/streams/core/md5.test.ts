import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { md5, md5Rest, md5Top } from './md5.ts';

const reference = (key: string) => BigInt(`0x${hash('md5', key, 'hex')}`);

test('equals node:crypto for every length around the block size', () => {
  for (let length = 0; length <= 300; length++) {
    const key = Array.from({ length }, (_, index) =>
      String.fromCharCode(33 + ((index * 7 + length) % 90)),
    ).join('');
    assert.equal(md5(key), reference(key), `length ${length}`);
  }
});

test('equals node:crypto for keys beyond ASCII', () => {
  for (const key of ['é', 'ключ', '鍵', '😀', `a${'ü'.repeat(27)}`, '\u0000', 'x\u007f\u0080', '\ud800'])
    assert.equal(md5(key), reference(key), key);
});

test('gives the upper and lower bits apart', () => {
  for (let index = 0; index < 5_000; index++) {
    const key = `partition-${index * 7919}`;
    assert.equal((BigInt(md5Top(key)) << 96n) | md5Rest(), reference(key));
  }
});
