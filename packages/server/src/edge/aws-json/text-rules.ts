/** Rules on text that the compiled schemas and the wording of errors share. */

const compiled = new Map<string, RegExp>();

/** A pattern of an AWS model holds for the whole value, whether it is written with anchors or without. */
export function patternMatches(pattern: string, value: string): boolean {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    // Open at the end, as in `^arn:aws:glue:`: such a pattern is a prefix.
    const prefixOnly = pattern.startsWith('^') && !pattern.endsWith('$');
    expression = new RegExp(prefixOnly ? pattern : `^(?:${pattern})$`, 'u');
    compiled.set(pattern, expression);
  }
  return expression.test(value);
}

/**
 * As errors print it: without the anchors that the models put around the services' own patterns. A pattern that has
 * others of them in its alternatives is the service's as it stands.
 */
export function patternText(pattern: string): string {
  if (!pattern.startsWith('^') || !pattern.endsWith('$')) return pattern;
  const inner = pattern.slice(1, -1);
  return inner.includes('|') && /(?<!\[)\^|(?<!\\)\$/.test(inner) ? pattern : inner;
}

/** What a real service says about text that is not base64; undefined when it is. */
export function blobProblem(text: string): string | undefined {
  if (isBase64(text)) return undefined;
  if (text.length % 4 !== 0) {
    return `'${clip(text)}' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: ${text.length}`;
  }
  const strange = /[^a-zA-Z0-9+/=]|=(?!=?$)/.exec(text);
  if (strange !== null) {
    return `'${clip(text)}' can not be converted to a Blob: Invalid Base64 character: '${strange[0].charAt(0)}'`;
  }
  return `'${clip(text)}' can not be converted to a Blob: Invalid last non-pad Base64 character dectected`;
}

/** Whether `text` is base64 as the AWS services take it: whole groups of four, padded, with zero bits at the end. */
export function isBase64(text: string): boolean {
  const length = text.length;
  if (length % 4 !== 0) return false;
  if (length === 0) return true;
  if (length > LOOPED_LENGTH_MAX) return survivesRoundTrip(text);
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const end = length - padding;
  for (let at = 0; at < end; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 127 || VALUES[unit] === NOT_BASE64) return false;
  }
  const last = VALUES[text.charCodeAt(end - 1)] ?? NOT_BASE64;
  return padding === 0 || (last & (padding === 1 ? 0b11 : 0b1111)) === 0;
}

/** From here on the native codec is faster than a loop, even twice. */
const LOOPED_LENGTH_MAX = 64;
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

function survivesRoundTrip(text: string): boolean {
  const bytesMax = (text.length / 4) * 3;
  if (scratch.length < bytesMax) scratch = Buffer.allocUnsafeSlow(bytesMax);
  return scratch.toString('base64', 0, scratch.write(text, 'base64')) === text;
}

const NOT_BASE64 = 255;
const VALUES = new Uint8Array(128).fill(NOT_BASE64);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

const CLIPPED_LENGTH_MAX = 1_024;
const clip = (text: string): string =>
  text.length <= CLIPPED_LENGTH_MAX ? text : `${text.slice(0, CLIPPED_LENGTH_MAX)}…`;
