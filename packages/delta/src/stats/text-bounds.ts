/** Bounds of strings, cut so that long values don't bloat the log; strings compare by their UTF-8 bytes. */

/** Code points that a bound keeps. */
const BOUND_CODE_POINTS = 32;
const ASCII_MAX = '\u007F';
const UNICODE_MAX = '\u{10FFFF}';

/** A text not above `value`: its first characters. Undefined if the text isn't well-formed Unicode. */
export function textLowerBound(value: string): string | undefined {
  if (!value.isWellFormed()) return undefined;
  return prefix(value, BOUND_CODE_POINTS).join('');
}

/**
 * A text not below `value`: itself, or its first characters and one that is greater than the next. Undefined if there
 * is none, because all that follow are the greatest that there is, or if the text isn't well-formed Unicode.
 */
export function textUpperBound(value: string): string | undefined {
  if (!value.isWellFormed()) return undefined;
  const characters = prefix(value, BOUND_CODE_POINTS);
  let length = characters.join('').length;
  if (length === value.length) return value;
  for (;;) {
    const next = value.codePointAt(length);
    if (next === undefined) return value;
    if (next < 0x7f) return value.slice(0, length) + ASCII_MAX;
    if (next < 0x10ffff) return value.slice(0, length) + UNICODE_MAX;
    length += 2;
  }
}

/** The first code points of a text, without walking the whole of it. */
function prefix(value: string, count: number): string[] {
  return Array.from(value.slice(0, 2 * count)).slice(0, count);
}
