/** Batches in the making, each an encoder over two files: what runs behind the RowWriter port, in whatever thread. */
import type { BatchRequest, RecordsToWrite, RowsFile, SealedRows } from '../../../ports/row-writer.ts';
import { assert } from '../../../base/assert.ts';
import { BatchEncoder } from './encoder.ts';
import type { LineBuffer } from './line-buffer.ts';

/** Makes the temporary files; what it throws fails the batch. */
export type MakeFile = (name: string) => BatchFile;

export interface BatchFile {
  readonly path: string;
  append(bytes: Uint8Array): void;
  close(): void;
  /** Absent is fine. */
  remove(): void;
}

interface Batch {
  readonly encoder: BatchEncoder;
  readonly files: { rows: BatchFile | undefined; rejected: BatchFile | undefined };
}

export class BatchHandler {
  readonly #makeFile: MakeFile;
  readonly #batches = new Map<number, Batch>();

  constructor(makeFile: MakeFile) {
    this.#makeFile = makeFile;
  }

  open(id: number, request: BatchRequest): void {
    assert(!this.#batches.has(id), `batch ${id} is open already`);
    const files: Batch['files'] = { rows: undefined, rejected: undefined };
    // Most batches reject nothing: a file is made with its first line.
    const sink = (kind: keyof Batch['files']) => (bytes: Uint8Array) => {
      files[kind] ??= this.#makeFile(`delivery-${id}-${kind}.ndjson`);
      files[kind].append(bytes);
    };
    const encoder = new BatchEncoder(request, { rows: sink('rows'), rejected: sink('rejected') });
    this.#batches.set(id, { encoder, files });
  }

  add(id: number, runs: readonly RecordsToWrite[]): void {
    const { encoder } = this.#batch(id);
    for (const run of runs) encoder.add(run);
  }

  seal(id: number): SealedRows {
    const { encoder, files } = this.#batch(id);
    encoder.flush();
    const { addedColumns } = encoder;
    return {
      rows: close(files.rows, encoder.rows, encoder.rowCount),
      rejected: close(files.rejected, encoder.rejected, encoder.rejectedCount),
      rejectedOffsets: encoder.rejectedOffsets,
      rejectedParts: encoder.rejectedParts,
      rejectedByCode: encoder.rejectedByCode,
      fieldsIgnored: encoder.fieldsIgnored,
      addColumnsJson: addedColumns.length === 0 ? undefined : JSON.stringify(addedColumns),
    };
  }

  discard(id: number): void {
    const batch = this.#batches.get(id);
    this.#batches.delete(id);
    batch?.files.rows?.remove();
    batch?.files.rejected?.remove();
  }

  close(): void {
    for (const id of this.#batches.keys()) this.discard(id);
  }

  #batch(id: number): Batch {
    const batch = this.#batches.get(id);
    assert(batch !== undefined, `batch ${id} is not open`);
    return batch;
  }
}

function close(file: BatchFile | undefined, lines: LineBuffer, rows: number): RowsFile | undefined {
  file?.close();
  return file === undefined ? undefined : { file: file.path, rows, bytes: lines.totalBytes };
}
