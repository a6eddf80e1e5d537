/** What a record's data holds, once unpacked. */
import { isUtf8 } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { Rejection } from './reject.ts';

/** Bytes of one record after inflation; the engine reads objects up to twice this size. */
export const RECORD_BYTES_MAX = 8 * 1024 * 1024;

export function isGzip(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > 2 && bytes[start] === 0x1f && bytes[start + 1] === 0x8b;
}

/** Inflates at most to `RECORD_BYTES_MAX`; throws a `Rejection` (`bad-gzip`, `too-large`). */
export function inflate(data: Uint8Array): Buffer {
  try {
    return gunzipSync(data, { maxOutputLength: RECORD_BYTES_MAX });
  } catch (error) {
    if (error instanceof RangeError)
      throw new Rejection('too-large', `the record inflates to more than ${RECORD_BYTES_MAX} bytes`);
    throw new Rejection(
      'bad-gzip',
      `the record is no valid gzip: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

export function checkUtf8(data: Uint8Array): void {
  if (!isUtf8(data)) throw new Rejection('not-utf8', 'the record is not valid UTF-8');
}
