/**
 * Steps over JSON (RFC 8259) in bytes. Each step gives the position behind what it steps over, or {@link NONE} where that
 * is no JSON; each ends at the end of the bytes, or at a control character, so that none is told where a text ends.
 */

const [COMMA, COLON, BRACE_END, BRACKET_END] = [0x2c, 0x3a, 0x7d, 0x5d];
const [MINUS, PLUS, POINT, ZERO, NINE] = [0x2d, 0x2b, 0x2e, 0x30, 0x39];
const BACKSLASH = 0x5c;
export const QUOTE = 0x22;
export const BRACE = 0x7b;
export const BRACKET = 0x5b;
/** No position. */
export const NONE = -1;
/** Values within values that are stepped into; statistics nest as columns do. */
const DEPTH_MAX = 100;

/** Of `"key": value`, where the value begins; {@link NONE} also for a key with an escape, which may be any. */
export function valueOfMember(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== QUOTE) return NONE;
  let at = start + 1;
  for (;;) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) break;
    if (byte === BACKSLASH || byte < 0x20) return NONE;
    at += 1;
  }
  at = skipSpace(bytes, at + 1);
  return bytes[at] === COLON ? skipSpace(bytes, at + 1) : NONE;
}

export function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at += 1;
  }
}

export function skipValue(bytes: Uint8Array, start: number, depth: number): number {
  switch (bytes[start]) {
    case QUOTE:
      return skipString(bytes, start + 1);
    case BRACE:
      return skipMembers(bytes, start + 1, depth + 1);
    case BRACKET:
      return skipItems(bytes, start + 1, depth + 1);
    case 0x74:
      return skipWord(bytes, start, 'true');
    case 0x66:
      return skipWord(bytes, start, 'false');
    case 0x6e:
      return skipWord(bytes, start, 'null');
    default:
      return skipNumber(bytes, start);
  }
}

function skipMembers(bytes: Uint8Array, start: number, depth: number): number {
  if (depth > DEPTH_MAX) return NONE;
  let at = skipSpace(bytes, start);
  if (bytes[at] === BRACE_END) return at + 1;
  for (;;) {
    at = valueOfMember(bytes, at);
    if (at < 0) return NONE;
    at = skipValue(bytes, at, depth);
    if (at < 0) return NONE;
    at = skipSpace(bytes, at);
    if (bytes[at] === BRACE_END) return at + 1;
    if (bytes[at] !== COMMA) return NONE;
    at = skipSpace(bytes, at + 1);
  }
}

function skipItems(bytes: Uint8Array, start: number, depth: number): number {
  if (depth > DEPTH_MAX) return NONE;
  let at = skipSpace(bytes, start);
  if (bytes[at] === BRACKET_END) return at + 1;
  for (;;) {
    at = skipValue(bytes, at, depth);
    if (at < 0) return NONE;
    at = skipSpace(bytes, at);
    if (bytes[at] === BRACKET_END) return at + 1;
    if (bytes[at] !== COMMA) return NONE;
    at = skipSpace(bytes, at + 1);
  }
}

export function skipString(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at + 1;
    if (byte < 0x20) return NONE;
    if (byte === BACKSLASH) {
      at = skipEscape(bytes, at + 1);
      if (at < 0) return NONE;
    } else {
      at += 1;
    }
  }
}

function skipEscape(bytes: Uint8Array, start: number): number {
  const kind = String.fromCharCode(bytes[start] ?? 0);
  if ('"\\/bfnrt'.includes(kind)) return start + 1;
  if (kind !== 'u') return NONE;
  for (let at = start + 1; at <= start + 4; at += 1) {
    if (!/[0-9a-fA-F]/.test(String.fromCharCode(bytes[at] ?? 0))) return NONE;
  }
  return start + 5;
}

function skipWord(bytes: Uint8Array, start: number, word: string): number {
  for (let at = 0; at < word.length; at += 1) {
    if (bytes[start + at] !== word.charCodeAt(at)) return NONE;
  }
  return start + word.length;
}

export function skipNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  if (bytes[at] === ZERO) at += 1;
  else {
    at = skipDigits(bytes, at);
    if (at < 0) return NONE;
  }
  if (bytes[at] === POINT) {
    at = skipDigits(bytes, at + 1);
    if (at < 0) return NONE;
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at += bytes[at + 1] === PLUS || bytes[at + 1] === MINUS ? 2 : 1;
    at = skipDigits(bytes, at);
  }
  return at;
}

/** One digit at least. */
function skipDigits(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) return at === start ? NONE : at;
    at += 1;
  }
}
