/** Columns that text takes on a terminal, with escape sequences for colours counted as nothing. */
import { stripVTControlCharacters } from 'node:util';

// oxlint-disable-next-line no-control-regex -- escape sequences start with a control character
const PLAIN = /^[\x20-\x7e]*$/;
// oxlint-disable-next-line no-control-regex -- as above
const SEQUENCE = /\x1b\[[0-9;]*m/y;
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** East Asian Wide and Fullwidth (UAX #11) and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += widthOf(character);
  return width;
}

/** The text cut to `width` columns, its last one then the ellipsis; colours that were open are closed. */
export function fit(text: string, width: number, ellipsis = '…'): string {
  if (displayWidth(text) <= width) return text;
  const room = Math.max(0, width - displayWidth(ellipsis));
  let used = 0;
  let out = '';
  let coloured = false;
  for (let at = 0; at < text.length;) {
    SEQUENCE.lastIndex = at;
    const sequence = SEQUENCE.exec(text)?.[0];
    if (sequence !== undefined) {
      out += sequence;
      coloured = true;
      at += sequence.length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    used += widthOf(character);
    if (used > room) break;
    out += character;
    at += character.length;
  }
  return `${out}${width > 0 ? ellipsis : ''}${coloured ? '\u001B[0m' : ''}`;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** Data as one line that can't move the cursor: control characters are shown as their escapes. */
export function printable(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(CONTROL, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (character === '\r') return '\\r';
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

function widthOf(character: string): number {
  if (PLAIN.test(character)) return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
