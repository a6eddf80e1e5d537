/** Bytes to upload, in pieces: of memory, or of a file that nobody changes meanwhile. */
import { open } from 'node:fs/promises';
import { DeltaError, messageOf } from '../errors.ts';

export interface PartSource {
  readonly sizeBytes: number;
  /** The bytes from `offset` (inclusive) to `offset + length` (exclusive); throws `io` if the source has become shorter. */
  part(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export function partsOfBytes(bytes: Uint8Array): PartSource {
  return {
    sizeBytes: bytes.length,
    part: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => undefined,
  };
}

/** Throws `not-found` or `io` when the file can't be opened. */
export async function partsOfFile(file: string): Promise<PartSource> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const message = `can't open the file "${file}": ${messageOf(cause)}`;
    throw new DeltaError({ code: isAbsent ? 'not-found' : 'io', message, cause });
  });
  try {
    const { size } = await handle.stat();
    return {
      sizeBytes: size,
      async part(offset, length) {
        const buffer = Buffer.allocUnsafe(length);
        for (let filled = 0; filled < length;) {
          const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
          if (bytesRead === 0) {
            const message = `the file "${file}" became shorter while it was uploaded`;
            throw new DeltaError({ code: 'io', message, retry: 'never' });
          }
          filled += bytesRead;
        }
        return buffer;
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
