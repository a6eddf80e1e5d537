/** Decimal digits in place: a sequence number ends in its record's offset, behind digits that are the shard's. */

const ZERO = 0x30;
const NINE = 0x39;

/** Writes `value` so that it ends before `end`; the places before it must hold zeros already. */
export function writeDigits(target: Uint8Array, end: number, value: number): void {
  for (let at = end - 1, rest = value; rest > 0; at--) {
    const tenth = Math.floor(rest / 10);
    target[at] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
}

/** Makes the number that ends before `end` greater by one. */
export function incrementDigits(target: Uint8Array, end: number): void {
  let at = end - 1;
  while (target[at] === NINE) target[at--] = ZERO;
  target[at]!++;
}
