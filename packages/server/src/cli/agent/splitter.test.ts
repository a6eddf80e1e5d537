import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordSplitter, type SplitterOptions } from './splitter.ts';

function split(pieces: readonly string[], options: Partial<SplitterOptions> = {}, position = 0) {
  const splitter = new RecordSplitter(position, {
    skipLines: 0,
    recordBytesMax: 20,
    terminator: Buffer.from('\n'),
    ...options,
  });
  const records: [string, number][] = [];
  const drain = () => {
    for (let record = splitter.take(); record !== undefined; record = splitter.take())
      records.push([record.data.toString(), record.end]);
  };
  for (const piece of pieces) {
    splitter.push(Buffer.from(piece));
    drain();
  }
  return {
    records,
    splitter,
    flushed() {
      splitter.flush();
      drain();
      return records;
    },
  };
}

test('lines are records with their line breaks, wherever the pieces end; blank ones are none', () => {
  const { records, splitter } = split(['a', 'b\nc\r', '\n\n  \nd', 'e'], {}, 100);
  assert.deepEqual(records, [
    ['ab\n', 103],
    ['c\r\n', 106],
  ]);
  assert.ok(splitter.holds);
  assert.equal(splitter.position, 112);
});

test('what ends without a line break is a record when it is flushed', () => {
  assert.deepEqual(split(['a\nb']).flushed(), [
    ['a\n', 2],
    ['b', 3],
  ]);
});

test('a record is cut to the bound, with the terminator, and the next one begins after its end', () => {
  const { records, splitter } = split(['x'.repeat(15), 'x'.repeat(50), '\nb\n']);
  assert.deepEqual(records, [
    [`${'x'.repeat(19)}\n`, 66],
    ['b\n', 68],
  ]);
  assert.equal(splitter.holds, false);
});

test('a pattern begins records of several lines', () => {
  const lines = split(['[1] a\n  at b\n[2] c\n', '[3] d\n  at e'], { startPattern: /^\[\d\]/ });
  assert.deepEqual(lines.records, [
    ['[1] a\n  at b\n', 13],
    ['[2] c\n', 19],
  ]);
  assert.deepEqual(lines.flushed().slice(2), [['[3] d\n  at e', 31]]);
});

test('a record of several lines is cut to the bound as well', () => {
  const { records } = split(['[1]\n', `${'x'.repeat(30)}\n`, '[2]\n', '[3]\n'], { startPattern: /^\[/ });
  assert.deepEqual(records, [
    [`[1]\n${'x'.repeat(15)}\n`, 35],
    ['[2]\n', 39],
  ]);
});

test('header lines are left out at the beginning of a file only', () => {
  assert.deepEqual(split(['h1\nh2\na\n'], { skipLines: 2 }).records, [['a\n', 8]]);
  assert.deepEqual(split(['a\n'], { skipLines: 2 }, 6).records, [['a\n', 8]]);
});
