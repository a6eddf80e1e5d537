/** Writes what the Kinesis Producer Library writes, for tests that read it. */
import { hash } from 'node:crypto';

interface Part {
  readonly partitionKey: string;
  readonly data: Uint8Array;
}

/** One record's data that holds all of `parts`; at most 127 of them, none and no message longer than 127 bytes. */
export function aggregate(parts: readonly Part[]): Buffer {
  const keys = [...new Set(parts.map(({ partitionKey }) => partitionKey))];
  const message = Buffer.concat([
    ...keys.map((key) => field(1, Buffer.from(key))),
    ...parts.map(({ partitionKey, data }) =>
      field(3, Buffer.concat([Buffer.of(0x08, keys.indexOf(partitionKey)), field(3, data)])),
    ),
  ]);
  return Buffer.concat([Buffer.of(0xf3, 0x89, 0x9a, 0xc2), message, hash('md5', message, 'buffer')]);
}

const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(number * 8 + 2, bytes.length), bytes]);
