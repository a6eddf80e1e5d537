import { randomFillSync, randomUUID } from 'node:crypto';

export const newRequestId = (): string => randomUUID();

const BYTES = 57;
const pool = Buffer.alloc(BYTES * 64);
let at = pool.length;

/** As `x-amz-id-2` looks: opaque base64, of use only to find a request again. */
export function extendedRequestId(): string {
  if (at >= pool.length) {
    randomFillSync(pool);
    at = 0;
  }
  at += BYTES;
  return pool.toString('base64', at - BYTES, at);
}
