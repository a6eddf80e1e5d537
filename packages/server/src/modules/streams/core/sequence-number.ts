/**
 * Public sequence numbers: 49, then the shard's epoch (its uid, which rises with every shard ever made) in 18 digits,
 * then the offset in 18. As numbers and as strings they rise within a shard, and from a parent to its children.
 */
import { assert } from '../../../base/assert.ts';

const DIGITS = 18;
const LOW_DIGITS = 6;
const LOW = 10 ** LOW_DIGITS;
const PREFIXES_MAX = 8192;

interface Prefix {
  /** All digits of the numbers whose offsets share `high`, but the last ones. */
  text: string;
  readonly shard: string;
  high: number;
}

const prefixes = new Map<number, Prefix>();
let lastUid = -1;
let lastPrefix: Prefix = { text: '', shard: '', high: -1 };

export function sequenceNumberOf(shard: { readonly uid: number }, offset: number): string {
  const prefix = shard.uid === lastUid ? lastPrefix : prefixOf(shard.uid);
  const high = Math.floor(offset / LOW);
  if (prefix.high !== high) {
    assert(Number.isSafeInteger(offset) && offset >= 0, `an offset must be a safe integer: ${offset}`);
    prefix.high = high;
    prefix.text = prefix.shard + String(high).padStart(DIGITS - LOW_DIGITS, '0');
  }
  return prefix.text + String(LOW + (offset - high * LOW)).slice(1);
}

/** The parts of a number made by `sequenceNumberOf`; undefined for any other text. */
export function parseSequenceNumber(text: string): { uid: number; offset: number } | undefined {
  if (!/^49\d{36}$/.test(text)) return undefined;
  const uid = Number(text.slice(2, 2 + DIGITS));
  const offset = Number(text.slice(2 + DIGITS));
  return Number.isSafeInteger(uid) && Number.isSafeInteger(offset) ? { uid, offset } : undefined;
}

function prefixOf(uid: number): Prefix {
  let prefix = prefixes.get(uid);
  if (prefix === undefined) {
    assert(Number.isSafeInteger(uid) && uid >= 0, `a shard's uid must be a safe integer: ${uid}`);
    if (prefixes.size >= PREFIXES_MAX) prefixes.clear();
    prefix = { text: '', shard: `49${String(uid).padStart(DIGITS, '0')}`, high: -1 };
    prefixes.set(uid, prefix);
  }
  lastUid = uid;
  lastPrefix = prefix;
  return prefix;
}
