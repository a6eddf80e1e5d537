/** An engine's error with the place in the statement marked. */
import type { Terminal } from '../terminal/terminal.ts';
import { StatementError } from './athena.ts';

/** The message, and below it the statement's line with a mark when the message names a place. */
export function renderStatementError(error: StatementError, terminal: Terminal): string[] {
  const label =
    error.state === 'CANCELLED' ? terminal.paint('yellow', 'cancelled:') : terminal.paint('red', 'error:');
  const lines = error.message.trimEnd().split('\n');
  // DuckDB shows the line and the mark by itself.
  const marked = lines.some((line) => /^\s*\^+\s*$/.test(line));
  const shown = lines.map((line) =>
    /^\s*\^+\s*$/.test(line) ? terminal.paint(['red', 'bold'], line) : line,
  );
  const place = marked ? undefined : placeOf(error.message, error.sql);
  return [
    `${label} ${shown[0] ?? ''}`,
    ...shown.slice(1),
    ...(place === undefined ? [] : mark(place, terminal)),
  ];
}

interface Place {
  readonly text: string;
  /** From 0, in characters of the line. */
  readonly column: number;
  readonly line: number;
}

function placeOf(message: string, sql: string): Place | undefined {
  const found = /\bline (\d+):(\d+)/i.exec(message);
  if (found === null) return undefined;
  const line = Number(found[1]);
  const text = sql.split('\n')[line - 1];
  const column = Number(found[2]) - 1;
  return text === undefined || column < 0 || column > text.length ? undefined : { text, column, line };
}

const CONTEXT = 60;

function mark({ text, column, line }: Place, terminal: Terminal): string[] {
  const from = Math.max(0, column - CONTEXT);
  const head = `  ${line}: ${from > 0 ? '…' : ''}`;
  const excerpt = text.slice(from, column + CONTEXT);
  return [
    terminal.paint('dim', head) + excerpt,
    ' '.repeat(head.length + column - from) + terminal.paint(['red', 'bold'], '^'),
  ];
}
