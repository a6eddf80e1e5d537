import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bar, barChart } from './bars.ts';
import { liveOn } from './live.ts';
import { fitColumns, renderTable } from './table.ts';
import { terminalOn, type Terminal } from './terminal.ts';
import { ago, bytes, count, counted, duration } from './units.ts';
import { displayWidth, fit, printable } from './width.ts';

function screen(options: { isTTY?: boolean; columns?: number; rows?: number } = {}, environment = {}) {
  const written: string[] = [];
  const terminal: Terminal = terminalOn({ write: (text) => written.push(text), ...options }, environment);
  return { terminal, written };
}

describe('colours', () => {
  const painted = (options: object, environment: object) =>
    screen(options, environment).terminal.paint('red', 'x');
  test('are for terminals', () => {
    assert.equal(painted({ isTTY: true }, {}), '\u001B[31mx\u001B[39m');
    assert.equal(painted({}, {}), 'x');
    assert.equal(painted({ isTTY: true }, { TERM: 'dumb' }), 'x');
  });
  test('are left out for NO_COLOR and forced by FORCE_COLOR', () => {
    assert.equal(painted({ isTTY: true }, { NO_COLOR: '1', FORCE_COLOR: '1' }), 'x');
    assert.equal(painted({ isTTY: true }, { NO_COLOR: '' }), '\u001B[31mx\u001B[39m');
    assert.equal(painted({}, { FORCE_COLOR: '1' }), '\u001B[31mx\u001B[39m');
    assert.equal(painted({ isTTY: true }, { FORCE_COLOR: '0' }), 'x');
  });
});

test('block characters are for locales that have them', () => {
  assert.equal(screen({}, {}).terminal.unicode, true);
  assert.equal(screen({}, { LANG: 'C.UTF-8' }).terminal.unicode, true);
  assert.equal(screen({}, { LANG: 'C' }).terminal.unicode, false);
  assert.equal(screen({}, { LANG: 'C', LC_ALL: 'de_DE.utf8' }).terminal.unicode, true);
});

describe('the width of text', () => {
  test('counts columns, not code units', () => {
    assert.equal(displayWidth('abc'), 3);
    assert.equal(displayWidth('日本'), 4);
    assert.equal(displayWidth('e\u0301'), 1);
    assert.equal(displayWidth('\u001B[1mabc\u001B[22m'), 3);
    assert.equal(displayWidth('🛫'), 2);
  });
  test('is cut to size with colours closed', () => {
    assert.equal(fit('abcdef', 4), 'abc…');
    assert.equal(fit('abcd', 4), 'abcd');
    assert.equal(fit('日本語', 4), '日…');
    assert.equal(fit('\u001B[31mabcdef\u001B[39m', 4), '\u001B[31mabc…\u001B[0m');
    assert.equal(fit('abc', 0), '');
  });
  test('holds no control characters', () => {
    assert.equal(printable('a\nb\tc\u001B[2Jd\u0000'), String.raw`a\nb\tc\x1b[2Jd\x00`);
  });
});

test('units are those of people', () => {
  assert.equal(count(1_234_567), '1,234,567');
  assert.deepEqual([counted(1, 'row'), counted(0, 'row')], ['1 row', '0 rows']);
  const sizes = [0, 999, 1000, 1530, 99_960, 999_499, 999_500, 12_345_678, 3e15];
  assert.deepEqual(sizes.map(bytes), [
    '0 B',
    '999 B',
    '1.00 kB',
    '1.53 kB',
    '100 kB',
    '999 kB',
    '1.00 MB',
    '12.3 MB',
    '3.00 PB',
  ]);
  const times = [0, 999.4, 999.6, 3210, 59_949, 60_000, 125_000, 3_599_700, 11_520_000, 180_000_000];
  assert.deepEqual(times.map(duration), [
    '0 ms',
    '999 ms',
    '1.0 s',
    '3.2 s',
    '59.9 s',
    '1 min',
    '2 min 5 s',
    '1 h',
    '3 h 12 min',
    '2 d 2 h',
  ]);
  assert.deepEqual([0, 5400, 61_000].map(ago), ['now', '5 s ago', '1 min 1 s ago']);
});

describe('bars', () => {
  test('are as long as their share, to an eighth', () => {
    assert.equal(bar({ value: 10, max: 10 }, 4, true), '████');
    assert.equal(bar({ value: 5, max: 10 }, 5, true), '██▌');
    assert.equal(bar({ value: 1, max: 1e6 }, 4, true), '▏');
    assert.equal(bar({ value: 0, max: 10 }, 4, true), '');
    assert.equal(bar({ value: 5, max: 0 }, 4, true), '');
    assert.equal(bar({ value: 5, max: 10 }, 4, false), '##');
  });
  test('stand in a chart that fits the terminal', () => {
    const { terminal } = screen({ isTTY: true, columns: 40 }, { NO_COLOR: '1' });
    const lines = barChart(
      [
        { label: 'a', value: 1, text: '1' },
        { label: 'a long label', value: 20, text: '20' },
      ],
      terminal,
    );
    assert.deepEqual(lines, [`  a            █${' '.repeat(20)}  1`, `  a long label ${'█'.repeat(21)} 20`]);
    for (const line of lines) assert.ok(displayWidth(line) <= 40, line);
    assert.deepEqual(barChart([], terminal), []);
  });
});

describe('tables', () => {
  const input = {
    columns: [{ title: 'origin' }, { title: 'flights', align: 'right' as const }],
    rows: [
      ['SFO', '1,234'],
      ['a long name of an airport', '5'],
    ],
  };
  test('align their columns under a head', () => {
    assert.deepEqual(renderTable(input, screen().terminal), [
      ' origin                    │ flights',
      '───────────────────────────┼─────────',
      ' SFO                       │   1,234',
      ' a long name of an airport │       5',
    ]);
  });
  test('cut what is too wide, the widest first', () => {
    assert.deepEqual(renderTable(input, screen({ isTTY: true, columns: 24 }, { NO_COLOR: '1' }).terminal), [
      ' origin       │ flights',
      '──────────────┼─────────',
      ' SFO          │   1,234',
      ' a long name… │       5',
    ]);
  });
  test('say when the terminal is too narrow', () => {
    assert.equal(renderTable(input, screen({ isTTY: true, columns: 12 }).terminal), undefined);
    const columns = (...widths: [number, number][]) => widths.map(([natural, min]) => ({ natural, min }));
    assert.deepEqual(fitColumns(columns([6, 6], [6, 6]), 17), [6, 6]);
    assert.equal(fitColumns(columns([6, 6], [6, 6]), 16), undefined);
    assert.deepEqual(fitColumns(columns([100, 10], [40, 10], [6, 6]), 60), [23, 23, 6]);
    assert.deepEqual(fitColumns(columns([100, 10], [40, 40], [6, 6]), 65), [11, 40, 6]);
  });
  test('cut titles and texts before numbers and times', () => {
    const rows = [['a long text that can be cut', '2001-01-01 00:01:00', '5']];
    const titles = [{ title: 'text' }, { title: 'at', whole: true }, { title: 'arrival_delay', whole: true }];
    const lines = renderTable(
      { columns: titles, rows },
      screen({ isTTY: true, columns: 48 }, { NO_COLOR: '1' }).terminal,
    );
    assert.equal(lines?.[2], ' a long tex… │ 2001-01-01 00:01:00 │ 5');
    assert.equal(lines?.[0], ' text        │ at                  │ arrival_d…');
  });
  test('of many rows are laid out whole', () => {
    const rows = Array.from({ length: 250 }, (_, index) => [String(index)]);
    const lines = renderTable({ columns: [{ title: 'n', align: 'right' }], rows }, screen().terminal);
    assert.deepEqual(
      lines?.slice(2),
      rows.map(([n = '']) => ` ${n.padStart(3)}`),
    );
  });
  test('without rows are their head', () => {
    assert.deepEqual(renderTable({ columns: [{ title: 'n' }], rows: [] }, screen().terminal), [' n', '───']);
  });
});

describe('live lines', () => {
  test('are rewritten in place on a terminal, at most ten times a second', () => {
    let nowMs = 0;
    const { terminal, written } = screen({ isTTY: true, columns: 20, rows: 10 });
    const live = liveOn(terminal, () => nowMs);
    live.show(() => ['one', 'two']);
    nowMs = 50;
    live.show(() => ['early']);
    nowMs = 100;
    live.show(() => ['three']);
    live.print('stays');
    assert.deepEqual(written, [
      'one\u001B[K\ntwo\u001B[K\n\u001B[J',
      '\u001B[2Athree\u001B[K\n\u001B[J',
      '\u001B[1A\u001B[J',
      'stays\n',
    ]);
  });
  test('are plain lines every few seconds elsewhere', () => {
    let nowMs = 0;
    const { terminal, written } = screen();
    const live = liveOn(terminal, () => nowMs);
    for (; nowMs <= 7000; nowMs += 100)
      live.show(
        () => ['never'],
        () => `at ${nowMs}`,
      );
    live.clear();
    assert.deepEqual(written, ['at 3000\n', 'at 6000\n']);
  });
});
