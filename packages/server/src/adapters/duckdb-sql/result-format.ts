/**
 * The file of a result: CSV with one header row, every value quoted, a quote doubled, NULL an empty field without
 * quotes, `\n` after each row. Beside it `<file>.metadata.json` says what is in it and where its rows are. Both mean
 * something only once `run` has returned: whoever called it keeps that.
 */
import type { EngineColumn } from '../../ports/sql-engine.ts';

/** A position is kept for each block of this many rows. */
export const BLOCK_ROWS = 1_000;

export interface ResultMetadata {
  readonly format: 1;
  readonly columns: readonly EngineColumn[];
  readonly rows: number;
  readonly sizeBytes: number;
  /** Byte position of the first row of each block. */
  readonly blocks: readonly number[];
}

export const metadataFile = (resultFile: string): string => `${resultFile}.metadata.json`;

export function csvRow(values: readonly (string | undefined)[]): string {
  return `${values.map(csvField).join(',')}\n`;
}

export function csvField(value: string | undefined): string {
  if (value === undefined) return '';
  return value.includes('"') ? `"${value.replaceAll('"', '""')}"` : `"${value}"`;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const NEWLINE = 0x0a;

/** Takes rows out of bytes that come in pieces. */
export class CsvRows {
  #rest: Buffer = Buffer.alloc(0);

  /** The whole rows up to `rowsMax` in what came so far. */
  push(bytes: Buffer, rowsMax: number): (string | undefined)[][] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const rows: (string | undefined)[][] = [];
    let start = 0;
    while (rows.length < rowsMax) {
      const found = rowAt(all, start);
      if (found === undefined) break;
      rows.push(found.values);
      start = found.end;
    }
    this.#rest = all.subarray(start);
    return rows;
  }
}

function rowAt(bytes: Buffer, start: number): { values: (string | undefined)[]; end: number } | undefined {
  const values: (string | undefined)[] = [];
  let at = start;
  for (;;) {
    if (at >= bytes.length) return undefined;
    if (bytes[at] === QUOTE) {
      const field = quotedAt(bytes, at + 1);
      if (field === undefined) return undefined;
      values.push(field.value);
      at = field.end;
    } else {
      values.push(undefined);
    }
    if (at >= bytes.length) return undefined;
    if (bytes[at] === NEWLINE) return { values, end: at + 1 };
    if (bytes[at] !== COMMA) throw new Error(`no row at byte ${start} of the piece`);
    at += 1;
  }
}

function quotedAt(bytes: Buffer, start: number): { value: string; end: number } | undefined {
  let from = start;
  let doubled = false;
  for (;;) {
    const quote = bytes.indexOf(QUOTE, from);
    // A quote at the very end may be the first of two.
    if (quote < 0 || quote + 1 >= bytes.length) return undefined;
    if (bytes[quote + 1] !== QUOTE) {
      const text = bytes.toString('utf8', start, quote);
      return { value: doubled ? text.replaceAll('""', '"') : text, end: quote + 1 };
    }
    doubled = true;
    from = quote + 2;
  }
}
