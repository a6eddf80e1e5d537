/**
 * Messages of `application/vnd.amazon.eventstream` (Amazon Event Stream Encoding, smithy.io): length, length of the
 * headers and their CRC-32, headers, body, CRC-32 of all before it; integers are big-endian. The body is written in
 * place, and the checksum is the runtime's, so that a message of a megabyte is neither copied nor walked over in
 * JavaScript; `@smithy/core`, whose encoder does both, reads what is written here in the tests.
 */
import { crc32 } from 'node:zlib';

const PRELUDE_BYTES = 8;
const CHECKSUM_BYTES = 4;
const STRING = 7;

/** Headers of one kind of message, all of them strings. */
export function messageHeaders(fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(fields).map(([name, value]) => {
      const header = Buffer.alloc(1 + name.length + 3);
      header[0] = name.length;
      header.write(name, 1, 'latin1');
      header[1 + name.length] = STRING;
      header.writeUInt16BE(Buffer.byteLength(value), 2 + name.length);
      return Buffer.concat([header, Buffer.from(value)]);
    }),
  );
}

export function bodyOffset(headers: Buffer): number {
  return PRELUDE_BYTES + CHECKSUM_BYTES + headers.length;
}

/** A message whose body is to be written from `bodyOffset` on, and which `seal` then completes. */
export function openMessage(headers: Buffer, bodyBytes: number): Buffer {
  const bytes = bodyOffset(headers) + bodyBytes + CHECKSUM_BYTES;
  // Not of the pool: a message that is kept must not keep others.
  const message = Buffer.allocUnsafeSlow(bytes);
  message.writeUInt32BE(bytes, 0);
  message.writeUInt32BE(headers.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, PRELUDE_BYTES)), PRELUDE_BYTES);
  message.set(headers, PRELUDE_BYTES + CHECKSUM_BYTES);
  return message;
}

/** Writes the checksum; gives that of the part without the last bytes of the body. */
export function seal(message: Buffer, lastBytes = 0): number {
  const end = message.length - CHECKSUM_BYTES;
  const first = crc32(message.subarray(0, end - lastBytes));
  message.writeUInt32BE(crc32(message.subarray(end - lastBytes, end), first), end);
  return first;
}

/** Other last bytes of a body, for a message that is the same before them, with their checksum. */
export function otherEnd(
  { bytes, before }: { readonly bytes: number; readonly before: number },
  write: (target: Buffer) => void,
): Buffer {
  const end = Buffer.allocUnsafe(bytes + CHECKSUM_BYTES);
  write(end);
  end.writeUInt32BE(crc32(end.subarray(0, bytes), before), bytes);
  return end;
}

/** Of a message that `openMessage` made. */
export const END_BYTES = CHECKSUM_BYTES;

export function message(headers: Buffer, body: string | Uint8Array): Buffer {
  const bytes = Buffer.from(body as string);
  const whole = openMessage(headers, bytes.length);
  whole.set(bytes, bodyOffset(headers));
  seal(whole);
  return whole;
}
