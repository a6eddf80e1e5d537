/**
 * Ids by which an answer's request is found in the log. They are unique, also among those of other starts, and nothing
 * depends on them being hard to guess: one random beginning for the process and a count make each.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/** Of a UUID, before its last twelve digits. */
const BEGINNING_LENGTH = 24;
const BEGINNING = randomUUID().slice(0, BEGINNING_LENGTH);
/** From here on a count has twelve digits, and some 10^14 requests long. */
const COUNT_MIN = 16 ** 11;
let count = COUNT_MIN + randomInt(COUNT_MIN);

/** In the form of a UUID. */
export function newRequestId(): string {
  return BEGINNING + (count++).toString(16);
}

const EXTENDED_BEGINNING = randomBytes(48).toString('base64');

/** As `x-amz-id-2` looks: 76 characters of base64, which tell no more than the request's id does. */
export function extendedRequestId(requestId: string): string {
  return EXTENDED_BEGINNING + requestId.slice(BEGINNING_LENGTH);
}
