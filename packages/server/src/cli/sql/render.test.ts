import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { terminalOn } from '../terminal/terminal.ts';
import { StatementError } from './athena.ts';
import { renderStatementError } from './render-error.ts';
import { renderResult } from './render-result.ts';

const plain = terminalOn({ write: () => undefined }, {});
const narrow = terminalOn({ write: () => undefined, isTTY: true, columns: 24 }, { NO_COLOR: '1' });

describe('a result', () => {
  const columns = [
    { name: 'city', type: 'varchar' },
    { name: 'n', type: 'bigint' },
  ];
  test('is aligned by type, with NULL unlike any string', () => {
    assert.deepEqual(
      renderResult(
        {
          columns,
          rows: [
            ['Rome', '12345'],
            [undefined, '7'],
            ['NULL', undefined],
          ],
        },
        plain,
      ),
      [' city   │      n', '────────┼────────', ' Rome   │  12345', ' [NULL] │      7', ' NULL   │ [NULL]'],
    );
  });
  test('is shown row under row where its columns do not fit', () => {
    const many = ['a', 'b', 'c', 'd'].map((name) => ({ name, type: 'varchar' }));
    const rows = [['first value', 'second', 'x\ny', 'the fourth value which is long']];
    assert.deepEqual(renderResult({ columns: many, rows }, narrow), [
      '── row 1 ───────────────',
      ' a │ first value',
      ' b │ second',
      String.raw` c │ x\ny`,
      ' d │ the fourth value w…',
    ]);
  });
});

describe('an error', () => {
  const lines = (message: string, sql: string) =>
    renderStatementError(new StatementError(message, { state: 'FAILED', sql }), plain);
  test('marks the place that it names', () => {
    assert.deepEqual(lines('line 2:6: Table not found', 'select 1\nfrom nowhere'), [
      'error: line 2:6: Table not found',
      '  2: from nowhere',
      '          ^',
    ]);
  });
  test("keeps the engine's own mark", () => {
    assert.deepEqual(lines('Parser Error: bad\nLINE 1: selec 1\n        ^', 'selec 1'), [
      'error: Parser Error: bad',
      'LINE 1: selec 1',
      '        ^',
    ]);
  });
  test('without a place is its message', () => {
    assert.deepEqual(lines('line 9:1: beyond', 'select 1'), ['error: line 9:1: beyond']);
  });
});
