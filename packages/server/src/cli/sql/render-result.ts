/** A result as people read it: a table where it fits, a record under the other where it doesn't. */
import { renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { displayWidth, fit, padEnd, printable } from '../terminal/width.ts';
import { isNumeric, type ResultColumn, type Row } from './formats.ts';

export interface Result {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly Row[];
}

/** `auto` takes the vertical form when the columns don't fit even narrowed. */
export type Layout = 'auto' | 'vertical';

export function renderResult(result: Result, terminal: Terminal, layout: Layout = 'auto'): string[] {
  if (result.columns.length === 0) return [];
  const cells = result.rows.map((row) => result.columns.map((_, index) => cell(row[index], terminal)));
  if (layout === 'auto') {
    const columns = result.columns.map(({ name, type }) => ({
      title: printable(name),
      align: isNumeric(type) ? ('right' as const) : ('left' as const),
      whole: isNumeric(type) || /^(?:timestamp|date|time|boolean)/i.test(type),
    }));
    const table = renderTable({ columns, rows: cells }, terminal);
    if (table !== undefined) return table;
  }
  return vertical(result.columns, cells, terminal);
}

/** NULL can't be taken for a string of these letters: by its colour, or else by its brackets. */
function cell(value: string | undefined, terminal: Terminal): string {
  if (value !== undefined) return printable(value);
  return terminal.colour ? terminal.paint(['dim', 'italic'], 'NULL') : '[NULL]';
}

function vertical(
  columns: readonly ResultColumn[],
  rows: readonly (readonly string[])[],
  terminal: Terminal,
): string[] {
  const names = columns.map((column) => printable(column.name));
  const nameWidth = Math.max(...names.map(displayWidth));
  const width = Math.min(terminal.columns(), 80);
  const line = terminal.unicode ? '─' : '-';
  const separator = terminal.paint('dim', terminal.unicode ? '│' : '|');
  return rows.flatMap((row, index) => {
    const title = `${line.repeat(2)} row ${index + 1} `;
    return [
      terminal.paint('dim', title + line.repeat(Math.max(0, width - title.length))),
      ...names.map((name, column) =>
        fit(
          ` ${terminal.paint('bold', padEnd(name, nameWidth))} ${separator} ${row[column] ?? ''}`,
          terminal.columns(),
          terminal.unicode ? '…' : '~',
        ),
      ),
    ];
  });
}
