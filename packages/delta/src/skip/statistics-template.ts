/**
 * The form of a file's statistics: all of their text but strings and numbers that are values. Neighbouring files mostly
 * have one form, and comparing with it takes a fraction of looking at every member.
 */
import { assert } from '../errors.ts';
import { NONE, QUOTE, skipNumber, skipSpace, skipString } from './json-bytes.ts';

const [MINUS, ZERO, NINE, COLON] = [0x2d, 0x30, 0x39, 0x3a];

export class StatisticsTemplate {
  /** By value, where each begins and ends in the text that matched last. */
  starts = new Uint32Array(16);
  ends = new Uint32Array(16);
  #text: Uint8Array = new Uint8Array(0);
  /** In `#text`, by value. */
  #valueStarts: number[] = [];
  #valueEnds: number[] = [];

  /** Takes the form of a text that is JSON. */
  learn(bytes: Uint8Array, start: number, end: number): void {
    this.#text = bytes.slice(start, end);
    this.#valueStarts = [];
    this.#valueEnds = [];
    for (let at = 0; at < this.#text.length;) {
      const byte = this.#text[at] ?? 0;
      if (byte === QUOTE) {
        const after = skipString(this.#text, at + 1);
        assert(after > at, 'a form is learnt from JSON');
        if (this.#text[skipSpace(this.#text, after)] !== COLON) this.#addValue(at, after);
        at = after;
      } else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) {
        const after = skipNumber(this.#text, at);
        assert(after > at, 'a form is learnt from JSON');
        this.#addValue(at, after);
        at = after;
      } else {
        at += 1;
      }
    }
    if (this.starts.length < this.#valueStarts.length) {
      this.starts = new Uint32Array(this.#valueStarts.length);
      this.ends = new Uint32Array(this.#valueStarts.length);
    }
  }

  /** The number of the value at a position of the text that was learnt; {@link NONE} if none begins there. */
  valueAt(position: number): number {
    return this.#valueStarts.indexOf(position);
  }

  /**
   * The position behind a text that has this form, and so is JSON with the same members, of which the values were found;
   * {@link NONE} for any other.
   */
  match(bytes: Uint8Array, start: number): number {
    const text = this.#text;
    const count = this.#valueStarts.length;
    let [from, at] = [0, start];
    for (let value = 0; value < count; value += 1) {
      const until = this.#valueStarts[value] ?? 0;
      for (; from < until; from += 1, at += 1) if (text[from] !== bytes[at]) return NONE;
      this.starts[value] = at;
      at = bytes[at] === QUOTE ? skipString(bytes, at + 1) : skipNumber(bytes, at);
      if (at === NONE) return NONE;
      this.ends[value] = at;
      from = this.#valueEnds[value] ?? 0;
    }
    for (; from < text.length; from += 1, at += 1) if (text[from] !== bytes[at]) return NONE;
    return at;
  }

  #addValue(start: number, end: number): void {
    this.#valueStarts.push(start);
    this.#valueEnds.push(end);
  }
}
