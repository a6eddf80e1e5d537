import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rowWriter, type Row, type RowFormat } from './formats.ts';

function text(format: RowFormat, columns: [string, string][], pages: Row[][]): string {
  const writer = rowWriter(
    format,
    columns.map(([name, type]) => ({ name, type })),
  );
  return writer.head + pages.map((rows) => writer.rows(rows)).join('') + writer.tail();
}

test('csv quotes what needs it, and tells NULL from the empty string', () => {
  const rows: Row[] = [
    ['a,b', undefined],
    ['say "hi"', ''],
    ['two\nlines', '-1.50'],
  ];
  assert.equal(
    text(
      'csv',
      [
        ['na,me', 'varchar'],
        ['n', 'decimal(10,2)'],
      ],
      [rows],
    ),
    '"na,me",n\n"a,b",\n"say ""hi""",""\n"two\nlines",-1.50\n',
  );
});

describe('json', () => {
  test('is an array over all pages', () => {
    const json = text('json', [['n', 'integer']], [[['1']], [], [['2'], ['3']]]);
    assert.deepEqual(JSON.parse(json), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    assert.equal(text('json', [['n', 'integer']], [[]]), '[]\n');
  });

  test('has a number only where a reader gets exactly that number', () => {
    const line = (type: string, value: string | undefined) =>
      text('ndjson', [['v', type]], [[[value]]]).trim();
    assert.equal(line('bigint', '9007199254740991'), '{"v":9007199254740991}');
    assert.equal(line('bigint', '9007199254740993'), '{"v":"9007199254740993"}');
    assert.equal(line('double', '0.1'), '{"v":0.1}');
    assert.equal(line('double', '1.0E10'), '{"v":10000000000}');
    assert.equal(line('double', 'NaN'), '{"v":"NaN"}');
    assert.equal(line('double', 'Infinity'), '{"v":"Infinity"}');
    assert.equal(line('decimal(38,2)', '-12.50'), '{"v":-12.5}');
    assert.equal(line('decimal', '1234567890123456.78'), '{"v":"1234567890123456.78"}');
    assert.equal(line('decimal(10,9)', '0.000000001'), '{"v":1e-9}');
    assert.equal(line('boolean', 'true'), '{"v":true}');
    assert.equal(line('varchar', '1'), '{"v":"1"}');
    assert.equal(line('integer', undefined), '{"v":null}');
    assert.equal(line('timestamp', '2001-01-01 00:01:00.000'), '{"v":"2001-01-01 00:01:00.000"}');
  });

  test('keeps both of two columns with one name', () => {
    assert.equal(
      text(
        'ndjson',
        [
          ['a', 'integer'],
          ['a', 'integer'],
          ['a_2', 'integer'],
        ],
        [[['1', '2', '3']]],
      ),
      '{"a":1,"a_2":2,"a_2_2":3}\n',
    );
  });
});
