/**
 * JSON (RFC 8259) with what `JSON.parse` drops: the text of numbers, and duplicate keys. Strict: no comments, no
 * trailing commas, no byte order mark.
 */
import { Rejection } from './reject.ts';

/** Levels of arrays and objects in one row. */
export const DEPTH_MAX = 100;

export class JsonNumber {
  /** As it stands in the document. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Members in the order of the document, duplicates included. */
export class JsonObject {
  readonly keys: string[] = [];
  readonly values: JsonValue[] = [];
}

export type JsonValue = null | boolean | string | JsonNumber | JsonObject | JsonValue[];

/**
 * The objects of a text that holds one, or several with or without white space between them. Throws a `Rejection`
 * (`malformed-json`, `not-an-object`, `too-deep`, `empty-record`); a byte position is the character's index.
 */
export function parseObjects(text: string): JsonObject[] {
  const reader = new Reader(text);
  const objects: JsonObject[] = [];
  for (reader.space(); !reader.ended; reader.space()) {
    const value = reader.value(0);
    if (!(value instanceof JsonObject))
      throw new Rejection('not-an-object', `the record holds ${kindOf(value)} where an object is expected`);
    objects.push(value);
  }
  if (objects.length === 0) throw new Rejection('empty-record', 'the record holds no object');
  return objects;
}

/** Compact text of a value; numbers as they stood. */
export function textOf(value: JsonValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  return `{${value.keys.map((key, at) => `${JSON.stringify(key)}:${textOf(value.values[at]!)}`).join(',')}}`;
}

/** A word for a message: `a number`, `an array` … */
export function kindOf(value: JsonValue): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'string') return 'a string';
  if (value instanceof JsonNumber) return 'a number';
  return Array.isArray(value) ? 'an array' : 'an object';
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// oxlint-disable-next-line no-control-regex
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const QUOTE = 34;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#at >= this.#text.length;
  }

  space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      this.#at++;
    }
  }

  value(depth: number): JsonValue {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    if (depth > DEPTH_MAX) throw tooDeep();
    const object = new JsonObject();
    this.#at++;
    this.space();
    if (this.#take('}')) return object;
    for (;;) {
      if (this.#text.charCodeAt(this.#at) !== QUOTE) throw this.#malformed('a key');
      object.keys.push(this.#string());
      this.space();
      if (!this.#take(':')) throw this.#malformed('":"');
      this.space();
      object.values.push(this.value(depth));
      this.space();
      if (this.#take('}')) return object;
      if (!this.#take(',')) throw this.#malformed('"," or "}"');
      this.space();
    }
  }

  #array(depth: number): JsonValue[] {
    if (depth > DEPTH_MAX) throw tooDeep();
    const array: JsonValue[] = [];
    this.#at++;
    this.space();
    if (this.#take(']')) return array;
    for (;;) {
      array.push(this.value(depth));
      this.space();
      if (this.#take(']')) return array;
      if (!this.#take(',')) throw this.#malformed('"," or "]"');
      this.space();
    }
  }

  #string(): string {
    const start = this.#at;
    for (this.#at++; ;) {
      PLAIN.lastIndex = this.#at;
      PLAIN.exec(this.#text);
      this.#at = PLAIN.lastIndex;
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (code !== 92) throw this.#malformed('the end of the string');
      this.#at += 2;
    }
    this.#at++;
    let value: string;
    try {
      value = JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      this.#at = start;
      throw this.#malformed('a string with valid escapes');
    }
    if (!value.isWellFormed()) throw new Rejection('not-utf8', 'a string holds half of a surrogate pair');
    return value;
  }

  #number(): JsonNumber {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) throw this.#malformed('a value');
    this.#at = NUMBER.lastIndex;
    return new JsonNumber(match[0]);
  }

  #word<Value extends boolean | null>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) throw this.#malformed('a value');
    this.#at += word.length;
    return value;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #malformed(expected: string): Rejection {
    const found = this.ended ? 'the end of the record' : JSON.stringify(this.#text[this.#at]);
    return new Rejection('malformed-json', `expected ${expected} at character ${this.#at}, found ${found}`);
  }
}

function tooDeep(): Rejection {
  return new Rejection('too-deep', `arrays and objects are nested more than ${DEPTH_MAX} levels deep`);
}
