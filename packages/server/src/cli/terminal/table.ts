/** Tables for people, laid out by cli-table3 in columns that fit the terminal. */
import Table from 'cli-table3';
import type { Terminal } from './terminal.ts';
import { displayWidth, fit } from './width.ts';

export interface TableColumn {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Its values are useless when cut (numbers, times): others give way, and only its title may be cut. */
  readonly whole?: boolean;
}

export interface TableInput {
  readonly columns: readonly TableColumn[];
  /** Cells as they are shown, colours included. */
  readonly rows: readonly (readonly string[])[];
}

/** Columns are not narrowed below these; when they don't fit even so, the table doesn't. */
const TEXT_WIDTH_MIN = 10;
const TITLE_WIDTH_MIN = 8;
/** cli-table3's time grows with the square of the rows that it is given at once. */
const ROWS_LAID_OUT_MAX = 100;
/** A blank on either side. */
const PADDING = 2;

export interface ColumnWidths {
  readonly natural: number;
  readonly min: number;
}

/** Widths of the columns without padding that fit into `available` columns; undefined when none do. */
export function fitColumns(columns: readonly ColumnWidths[], available: number): number[] | undefined {
  const widths = columns.map(({ natural, min }) => Math.max(min, Math.min(natural, available)));
  const spent = () => widths.reduce((sum, width) => sum + width + PADDING, widths.length - 1);
  for (let over = spent() - available; over > 0; over--) {
    const isWide = (width: number, index: number) => width > columns[index]!.min;
    const widest = Math.max(...widths.filter(isWide));
    // The last of equals gives way first: what stands in front is read first.
    const index = widths.findLastIndex((width, at) => width === widest && isWide(width, at));
    if (index === -1) return undefined;
    widths[index] = widest - 1;
  }
  return widths;
}

export function columnWidths({ columns, rows }: TableInput): ColumnWidths[] {
  return columns.map(({ title, whole }, index) => {
    const titleWidth = Math.max(1, displayWidth(title));
    const data = rows.reduce((widest, row) => Math.max(widest, displayWidth(row[index] ?? '')), 0);
    const natural = Math.max(titleWidth, data);
    const min = whole === true ? Math.max(data, Math.min(titleWidth, TITLE_WIDTH_MIN)) : TEXT_WIDTH_MIN;
    return { natural, min: Math.min(natural, min) };
  });
}

/** The table as lines, cells cut where they must be; undefined when the terminal is too narrow for its columns. */
export function renderTable(input: TableInput, terminal: Terminal): string[] | undefined {
  const widths = fitColumns(columnWidths(input), terminal.columns());
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
