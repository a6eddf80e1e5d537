/** Java's regular expressions as RE2's, as far as they can be made to mean the same. */

const LINE_ENDS = '\\n\\r\\x{85}\\x{2028}\\x{2029}';
/** Characters that stand for themselves in both, inside and outside of classes. */
const PLAIN = /^[\p{L}\p{N} _@%#,=~'"/<>&;:!-]$/u;
/** Escapes that mean the same: ASCII classes, and symbols that stand for themselves. */
const ESCAPE = /^\\[dDwW.\-+*?()[\]{}^$|\\/@ ]$/;

/**
 * The pattern for `regexp_matches`, which like Java's `find` looks anywhere in the text; undefined for one that has
 * anything beyond literals, classes, groups, alternatives, quantifiers and anchors.
 */
export function re2Pattern(java: string): string | undefined {
  // Both count code points.
  const characters = Array.from(java);
  let result = '';
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    const pair = character + (characters[at + 1] ?? '');
    if (character === '\\') {
      if (!ESCAPE.test(pair)) return undefined;
      result += pair;
      at += 1;
    } else if (character === '[') {
      const end = classEnd(characters, at);
      if (end === undefined) return undefined;
      result += characters.slice(at, end + 1).join('');
      at = end;
    } else if (character === '.') {
      result += `[^${LINE_ENDS}]`;
    } else if (character === '$') {
      // Java's also matches before a line end that ends the text.
      result += `(?:\\r\\n|[${LINE_ENDS}])?\\z`;
      if (at !== characters.length - 1) return undefined;
    } else if (character === '^') {
      if (at !== 0) return undefined;
      result += '\\A';
    } else if (pair === '(?') {
      if (characters[at + 2] !== ':') return undefined;
      result += '(?:';
      at += 2;
    } else if (character === '{') {
      const bounds = /^\{\d{1,3}(,\d{0,3})?\}/.exec(characters.slice(at, at + 9).join(''))?.[0];
      if (bounds === undefined) return undefined;
      result += bounds;
      at += bounds.length - 1;
    } else if (/[()|*+?]/.test(character)) {
      // Possessive quantifiers don't exist in RE2.
      if (/^[*+?]\+$/.test(pair)) return undefined;
      result += character;
    } else if (PLAIN.test(character)) {
      result += character;
    } else {
      return undefined;
    }
  }
  return result;
}

/** Where a class of plain characters, ranges and simple escapes ends. */
function classEnd(characters: readonly string[], start: number): number | undefined {
  let at = start + 1;
  if (characters[at] === '^') at += 1;
  for (let first = true; at < characters.length; at += 1, first = false) {
    const character = characters[at] ?? '';
    const pair = character + (characters[at + 1] ?? '');
    if (character === ']') return first ? undefined : at;
    if (character === '\\') {
      if (!ESCAPE.test(pair)) return undefined;
      at += 1;
    } else if (pair === '&&' || (!PLAIN.test(character) && !/[.+*?()|${}^]/.test(character))) {
      return undefined;
    }
  }
  return undefined;
}
