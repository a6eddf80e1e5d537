/** Lines on their way to a file: gathered so that the file is written in few large pieces. */
const CAPACITY_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

export class LineBuffer {
  /** Bytes added so far, those that went to the sink included. */
  totalBytes = 0;

  readonly #sink: (bytes: Uint8Array) => void;
  #buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES);
  #length = 0;

  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
  }

  /** Position for `truncate`; stays valid until the record ends. */
  get length(): number {
    return this.#length;
  }

  /** Copies a line from elsewhere and ends it. */
  addLine(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start + 1);
    const target = this.#buffer;
    let to = this.#length;
    for (let from = start; from < end; from++) target[to++] = bytes[from]!;
    target[to++] = NEWLINE;
    this.#length = to;
  }

  /** Adds whole lines and ends the record. */
  addText(lines: string): void {
    this.#reserve(lines.length * 3);
    this.#length += this.#buffer.write(lines, this.#length);
    this.endRecord();
  }

  truncate(length: number): void {
    this.#length = length;
  }

  /** Lets go of what is complete when there is enough of it. */
  endRecord(): void {
    if (this.#length >= CAPACITY_BYTES / 2) this.flush();
  }

  flush(): void {
    if (this.#length === 0) return;
    this.#sink(this.#buffer.subarray(0, this.#length));
    this.totalBytes += this.#length;
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
