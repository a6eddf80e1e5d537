/** The judge of the chaos test notices each thing that it is there for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkProcessed, type Processed } from './delivery-checker.ts';

const sent = new Map([
  ['a:0', '10'],
  ['b:0', '11'],
  ['a:1', '20'],
  ['a:2', '30'],
]);
const line = (text: string, sequenceNumber = sent.get(text)!): Processed => ({
  shardId: 's',
  term: 1,
  key: text.slice(0, 1),
  sequenceNumber,
  text,
  pid: 1,
});
const check = (...lines: Processed[]) => checkProcessed(sent, lines).length;

test('records that come again are allowed', () => {
  const [a0, b0, a1, a2] = [line('a:0'), line('b:0'), line('a:1'), line('a:2')];
  assert.equal(check(a0, a1, b0, a2), 0);
  assert.equal(check(a0, a1, a0, a1, a2, b0, a2), 0);
});

test('a skipped, a late, an altered and an unknown record are noticed', () => {
  const [a0, b0, a1, a2] = [line('a:0'), line('b:0'), line('a:1'), line('a:2')];
  assert.equal(check(a0, a1, a2), 1);
  assert.equal(check(a0, a2, a1, b0), 1);
  assert.equal(check(a0, a1, a2, line('b:0', '12')), 1);
  assert.ok(check(a0, b0, a1, a2, line('c:0', '40')) > 0);
});
