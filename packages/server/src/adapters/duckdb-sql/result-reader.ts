import { open, readFile, type FileHandle } from 'node:fs/promises';
import {
  SqlError,
  type ReadResultRequest,
  type ResultRows,
  type SmallResult,
} from '../../ports/sql-engine.ts';
import { BLOCK_ROWS, CsvRows, metadataFile, type ResultMetadata } from './result-format.ts';

const PIECE_BYTES = 65_536;
const METADATA_KEPT_MAX = 32;

/** Reads pages of finished results by byte ranges. */
export class ResultReader {
  readonly #metadata = new Map<string, ResultMetadata>();

  async read({ resultFile, small, firstRow, rowsMax, bytesMax }: ReadResultRequest): Promise<ResultRows> {
    if (small !== undefined) return readSmall(small, { firstRow, rowsMax, bytesMax });
    const metadata = await this.#metadataOf(resultFile);
    const { columns, rows: rowsTotal } = metadata;
    const count = Math.min(rowsMax, rowsTotal - firstRow);
    if (count <= 0) return { columns, rows: [], rowsTotal };
    const file = await open(resultFile, 'r').catch((error: unknown) => {
      throw missing(error);
    });
    try {
      const rows = await readRows(file, metadata, { firstRow, count, bytesMax });
      return { columns, rows, rowsTotal };
    } catch (error) {
      throw error instanceof SqlError ? error : missing(error);
    } finally {
      await file.close();
    }
  }

  async #metadataOf(resultFile: string): Promise<ResultMetadata> {
    const known = this.#metadata.get(resultFile);
    if (known) return known;
    const text = await readFile(metadataFile(resultFile), 'utf8').catch((error: unknown) => {
      throw missing(error);
    });
    const metadata = JSON.parse(text) as ResultMetadata;
    this.#metadata.set(resultFile, metadata);
    const oldest = this.#metadata.keys().next();
    if (this.#metadata.size > METADATA_KEPT_MAX && !oldest.done) this.#metadata.delete(oldest.value);
    return metadata;
  }
}

function readSmall(
  { columns, rows: rowsTotal, text }: SmallResult,
  { firstRow, rowsMax, bytesMax }: Omit<ReadResultRequest, 'resultFile' | 'small'>,
): ResultRows {
  // The row before the first is the header.
  const all = new CsvRows().push(Buffer.from(text), 1 + firstRow + rowsMax).slice(1 + firstRow);
  let bytes = 0;
  const beyond = all.findIndex((row) => (bytes += charsOf(row)) > bytesMax);
  return { columns, rows: beyond < 0 ? all : all.slice(0, Math.max(1, beyond)), rowsTotal };
}

function charsOf(row: readonly (string | undefined)[]): number {
  return row.reduce((sum, value) => sum + (value?.length ?? 0), 0);
}

async function readRows(
  file: FileHandle,
  metadata: ResultMetadata,
  range: { readonly firstRow: number; readonly count: number; readonly bytesMax: number },
): Promise<(string | undefined)[][]> {
  const block = Math.floor(range.firstRow / BLOCK_ROWS);
  let position = metadata.blocks[block];
  if (position === undefined) throw missing(undefined);
  let skip = range.firstRow - block * BLOCK_ROWS;
  const parser = new CsvRows();
  const rows: (string | undefined)[][] = [];
  let bytes = 0;
  let pieceBytes = PIECE_BYTES;
  while (rows.length < range.count && (rows.length === 0 || bytes < range.bytesMax)) {
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, metadata.sizeBytes - position));
    const { bytesRead } =
      piece.length === 0 ? { bytesRead: 0 } : await file.read(piece, 0, piece.length, position);
    if (bytesRead === 0) throw missing(undefined);
    position += bytesRead;
    // A row that is larger than a piece is looked at again with each: growing pieces keep that linear.
    pieceBytes *= 2;
    for (const row of parser.push(piece.subarray(0, bytesRead), skip + range.count - rows.length)) {
      if (skip > 0) {
        skip -= 1;
        continue;
      }
      const size = charsOf(row);
      if (rows.length > 0 && bytes + size > range.bytesMax) return rows;
      rows.push(row);
      bytes += size;
    }
  }
  return rows;
}

function missing(cause: unknown): SqlError {
  return new SqlError({
    code: 'result-missing',
    message: 'the file of the result is gone or damaged',
    hint: 'Run the query again.',
    cause,
  });
}
