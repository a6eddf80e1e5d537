import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CsvRows, csvRow } from './result-format.ts';

const ROWS = [
  ['1', undefined, ''],
  ['a"b', '""', 'line\nbreak, and comma'],
  [undefined, undefined, undefined],
  ['ü€😀', '"', '\r\n'],
];

test('rows come back as they were written, however the bytes are cut', () => {
  const bytes = Buffer.from(ROWS.map(csvRow).join(''));
  for (let size = 1; size <= bytes.length; size += 1) {
    const parser = new CsvRows();
    const rows: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size)
      rows.push(...parser.push(bytes.subarray(at, at + size), 100));
    assert.deepEqual(rows, ROWS, `pieces of ${size} bytes`);
  }
});

test('the form is that of Athena: every value quoted, NULL nothing at all', () => {
  assert.equal(csvRow(['1', undefined, '', 'a"b']), '"1",,"","a""b"\n');
});

test('no more rows are taken than asked for', () => {
  const parser = new CsvRows();
  const bytes = Buffer.from(ROWS.map(csvRow).join(''));
  assert.equal(parser.push(bytes, 1).length, 1);
  assert.deepEqual(parser.push(Buffer.alloc(0), 1), [ROWS[1]]);
});
