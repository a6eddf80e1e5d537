/** Tables for people, laid out by cli-table3 in columns that fit the terminal. */
import Table from 'cli-table3';
import type { Terminal } from './terminal.ts';
import { displayWidth, fit } from './width.ts';

export interface TableColumn {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

export interface TableInput {
  readonly columns: readonly TableColumn[];
  /** Cells as they are shown, colours included. */
  readonly rows: readonly (readonly string[])[];
}

/** A column is not narrowed below this; when the columns don't fit even so, the table doesn't. */
const COLUMN_WIDTH_MIN = 6;
/** cli-table3's time grows with the square of the rows that it is given at once. */
const ROWS_LAID_OUT_MAX = 100;
/** A blank on either side. */
const PADDING = 2;

/** Widths of the columns without padding that fit into `available` columns; undefined when none do. */
export function fitColumns(natural: readonly number[], available: number): number[] | undefined {
  const widths = [...natural];
  const spent = () => widths.reduce((sum, width) => sum + width + PADDING, widths.length - 1);
  for (let over = spent() - available; over > 0; over = spent() - available) {
    const widest = Math.max(...widths);
    if (widest <= COLUMN_WIDTH_MIN) return undefined;
    const next = Math.max(COLUMN_WIDTH_MIN, ...widths.filter((width) => width < widest));
    const atWidest = widths.filter((width) => width === widest).length;
    const cut = Math.max(1, Math.min(widest - next, Math.ceil(over / atWidest)));
    for (const [index, width] of widths.entries()) if (width === widest) widths[index] = width - cut;
  }
  return widths;
}

export function naturalWidths({ columns, rows }: TableInput): number[] {
  return columns.map(({ title }, index) =>
    rows.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index] ?? '')),
      Math.max(1, displayWidth(title)),
    ),
  );
}

/** The table as lines, cells cut where they must be; undefined when the terminal is too narrow for its columns. */
export function renderTable(input: TableInput, terminal: Terminal): string[] | undefined {
  const widths = fitColumns(naturalWidths(input), terminal.columns());
  if (widths === undefined) return undefined;
  const { unicode, paint } = terminal;
  const ellipsis = unicode ? '…' : '~';
  const separator = paint('dim', unicode ? '│' : '|');
  const shape = {
    chars: { ...NO_LINES, middle: separator },
    style: { 'padding-left': 1, 'padding-right': 1, head: [], border: [], compact: true },
    colWidths: widths.map((width) => width + PADDING),
    colAligns: input.columns.map((column) => column.align ?? 'left'),
  };
  const lay = (rows: string[][]) => {
    const table = new Table(shape);
    table.push(...rows);
    return rows.length === 0 ? [] : table.toString().split('\n');
  };
  const cut = (text: string, index: number) => fit(text, widths[index] ?? 0, ellipsis);
  const head = lay([input.columns.map((column, index) => paint('bold', cut(column.title, index)))]);
  const rule = widths.map((width) => (unicode ? '─' : '-').repeat(width + PADDING)).join(unicode ? '┼' : '+');
  const body: string[] = [];
  for (let from = 0; from < input.rows.length; from += ROWS_LAID_OUT_MAX) {
    body.push(...lay(input.rows.slice(from, from + ROWS_LAID_OUT_MAX).map((row) => row.map(cut))));
  }
  return [...head, paint('dim', rule), ...body].map((line) => line.trimEnd());
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
} as const;
