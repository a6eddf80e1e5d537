/** Bytes of a file into records: lines, or runs of lines that begin with one that a pattern meets. */
import { MATCHED_BYTES_MAX } from './limits.ts';

export interface SplitRecord {
  /** With its line breaks; cut to the bound, with the terminator at its end, when it is longer. */
  readonly data: Buffer;
  /** Position in the file after it: where to go on when it is delivered. */
  readonly end: number;
  readonly truncated: boolean;
}

export interface SplitterOptions {
  readonly startPattern?: RegExp | undefined;
  /** Lines at the beginning of the file that are no records. */
  readonly skipLines: number;
  readonly recordBytesMax: number;
  readonly terminator: Buffer;
}

const NEWLINE = 0x0a;

/** Bytes that belong together, of which no more than the bound is kept. */
class Cut {
  parts: Buffer[] = [];
  kept = 0;
  total = 0;

  add(bytes: Buffer, bytesMax: number): void {
    const room = Math.max(0, bytesMax - this.kept);
    if (room > 0 && bytes.length > 0) this.parts.push(bytes.subarray(0, room));
    this.kept += Math.min(room, bytes.length);
    this.total += bytes.length;
  }

  clear(): void {
    this.parts = [];
    this.kept = this.total = 0;
  }
}

export class RecordSplitter {
  readonly #options: SplitterOptions;
  readonly #records: SplitRecord[] = [];
  readonly #line = new Cut();
  /** Whole lines of the record in the making; only with a start pattern. */
  readonly #record = new Cut();
  /** Position in the file of the line in the making. */
  #lineStart: number;
  #skip: number;

  constructor(position: number, options: SplitterOptions) {
    this.#options = options;
    this.#lineStart = position;
    this.#skip = position === 0 ? options.skipLines : 0;
  }

  /** Position of the next byte to push. */
  get position(): number {
    return this.#lineStart + this.#line.total;
  }

  /** There are bytes that belong to no whole record yet. */
  get holds(): boolean {
    return this.#line.total + this.#record.total > 0;
  }

  /** Copies nothing: the bytes must not change afterwards. */
  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const newline = bytes.indexOf(NEWLINE, at);
      const end = newline === -1 ? bytes.length : newline + 1;
      this.#line.add(bytes.subarray(at, end), this.#options.recordBytesMax);
      if (newline !== -1) this.#endLine();
      at = end;
    }
  }

  /** Takes what is held for whole. */
  flush(): void {
    if (this.#line.total > 0) this.#endLine();
    if (this.#record.total > 0) this.#emit(this.#record, this.#lineStart);
  }

  /** The next whole record. */
  take(): SplitRecord | undefined {
    return this.#records.shift();
  }

  #endLine(): void {
    const start = this.#lineStart;
    const end = start + this.#line.total;
    const { startPattern, recordBytesMax } = this.#options;
    if (this.#skip > 0) this.#skip--;
    else if (startPattern === undefined) this.#emit(this.#line, end);
    else {
      if (this.#record.total > 0 && startPattern.test(this.#text())) this.#emit(this.#record, start);
      for (const part of this.#line.parts) this.#record.add(part, recordBytesMax);
      // What was cut of the line counts, or the record would seem whole.
      this.#record.total += this.#line.total - this.#line.kept;
    }
    this.#line.clear();
    this.#lineStart = end;
  }

  #text(): string {
    const line = Buffer.concat(this.#line.parts).subarray(0, MATCHED_BYTES_MAX).toString();
    return line.replace(/\r?\n$/, '');
  }

  #emit(cut: Cut, end: number): void {
    const { recordBytesMax, terminator } = this.#options;
    const truncated = cut.total > cut.kept;
    let data = Buffer.concat(cut.parts);
    if (truncated) data = Buffer.concat([data.subarray(0, recordBytesMax - terminator.length), terminator]);
    cut.clear();
    // A blank line is no record.
    if (!isBlank(data)) this.#records.push({ data, end, truncated });
  }
}

function isBlank(data: Buffer): boolean {
  return data.every((byte) => byte === NEWLINE || byte === 0x0d || byte === 0x20 || byte === 0x09);
}
