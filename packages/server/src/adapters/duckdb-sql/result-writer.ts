import { open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SqlError, type EngineColumn, type SmallResult } from '../../ports/sql-engine.ts';
import { BLOCK_ROWS, csvRow, metadataFile, type ResultMetadata } from './result-format.ts';

const BUFFER_BYTES = 1_048_576;

export interface ResultBounds {
  readonly bytesMax: number;
  /** Results of up to this many bytes are given back whole, and their files not synced. */
  readonly smallBytesMax: number;
}

/** Writes one result, row by row, holding about a megabyte. The caller ends with `finish` or `discard`. */
export class ResultWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #bounds: ResultBounds;
  readonly #blocks: number[] = [];
  #pending: string[] = [];
  #pendingChars = 0;
  #pendingBytes = 0;
  #written = 0;
  #rows = 0;

  private constructor(path: string, file: FileHandle, bounds: ResultBounds) {
    this.#path = path;
    this.#file = file;
    this.#bounds = bounds;
  }

  static async create(path: string, names: readonly string[], bounds: ResultBounds): Promise<ResultWriter> {
    const writer = new ResultWriter(path, await open(path, 'w'), bounds);
    writer.#add(csvRow(names));
    return writer;
  }

  /** Gives a promise when the caller must wait before the next row. `row` ends with a newline. */
  add(row: string): Promise<void> | undefined {
    if (this.#rows % BLOCK_ROWS === 0) this.#blocks.push(this.#written + this.#pendingBytes);
    this.#rows += 1;
    this.#add(row);
    return this.#pendingChars >= BUFFER_BYTES ? this.#flush() : undefined;
  }

  /** Durable on return, unless it is given back whole. */
  async finish(
    columns: readonly EngineColumn[],
  ): Promise<{ rows: number; sizeBytes: number; small?: SmallResult }> {
    const rows = this.#rows;
    if (this.#written === 0 && this.#pendingBytes <= this.#bounds.smallBytesMax) {
      const text = this.#pending.join('');
      await this.#flush();
      await this.#file.close();
      return { rows, sizeBytes: this.#written, small: { columns, rows, text } };
    }
    await this.#flush();
    const metadata: ResultMetadata = {
      format: 1,
      columns,
      rows,
      sizeBytes: this.#written,
      blocks: this.#blocks,
    };
    // The caller's own record says that a result is whole, so these may become durable in any order.
    const metadataPath = metadataFile(this.#path);
    const file = await open(metadataPath, 'w');
    await Promise.all([
      this.#sync(),
      writeSynced(file, JSON.stringify(metadata)),
      syncDirectory(dirname(metadataPath)),
    ]);
    return { rows, sizeBytes: this.#written };
  }

  /** Removes what was written. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await discardResult(this.#path);
  }

  async #sync(): Promise<void> {
    await this.#file.datasync();
    await this.#file.close();
  }

  #add(text: string): void {
    this.#pending.push(text);
    this.#pendingChars += text.length;
    this.#pendingBytes += Buffer.byteLength(text);
    const { bytesMax } = this.#bounds;
    if (this.#written + this.#pendingBytes > bytesMax) {
      throw new SqlError({
        code: 'result-too-large',
        message: `the result is larger than ${bytesMax} bytes`,
        hint: 'Select fewer rows or columns, or aggregate them.',
      });
    }
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#pending.join(''));
    this.#pending = [];
    this.#pendingChars = 0;
    this.#pendingBytes = 0;
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#written + done);
      done += bytesWritten;
    }
    this.#written += bytes.length;
  }
}

async function writeSynced(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Removes a result, finished or not; absent is fine. */
export async function discardResult(resultFile: string): Promise<void> {
  await Promise.all([resultFile, metadataFile(resultFile)].map((path) => rm(path, { force: true })));
}
