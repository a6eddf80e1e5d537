/**
 * What callers without a compiler's checks may have handed in. A shape says of a value what is wrong with it, before
 * anything is done with it: a condition that is overlooked deletes every row.
 */
import { DeltaError } from '../errors.ts';

/** What is wrong with a value, which is called `at`; undefined if nothing is. */
export type Shape = (value: unknown, at: string) => string | undefined;

/** Structs, lists and maps within one another. */
const DEPTH_MAX = 100;

/** Throws `invalid-data`, naming what was called and the member that is wrong. */
export function assertShape(value: unknown, shape: Shape, what: string): void {
  const wrong = shape(value, '');
  if (wrong !== undefined) throw new DeltaError({ code: 'invalid-data', message: `${what}: ${wrong}` });
}

function simple(expected: string, test: (value: unknown) => boolean): Shape {
  return (value, at) => (test(value) ? undefined : `${named(at)} must be ${expected}, not ${shown(value)}`);
}

export const text: Shape = simple('a text', (value) => typeof value === 'string');
export const flag: Shape = simple('true or false', (value) => typeof value === 'boolean');
export const number: Shape = simple('a number', (value) => typeof value === 'number' && !Number.isNaN(value));
/** Of which no digit is lost. */
export const whole: Shape = simple('a whole number', Number.isSafeInteger);
export const json: Shape = simple('what JSON can hold', (value) => {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
});
export const callback: Shape = simple('a function', (value) => typeof value === 'function');
export const signal: Shape = simple(
  'an AbortSignal',
  (value) => typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
);
/** Something with methods of its own, such as a store. */
export const instance: Shape = simple('an object', (value) => typeof value === 'object' && value !== null);

export function oneOf(...values: readonly unknown[]): Shape {
  return simple(values.map((value) => JSON.stringify(value)).join(' or '), (value) => values.includes(value));
}

export function optional(shape: Shape): Shape {
  return (value, at) => (value === undefined ? undefined : shape(value, at));
}

export function orNull(shape: Shape): Shape {
  return (value, at) => (value === null ? undefined : shape(value, at));
}

/** As one shape or as another; the last one's complaint is given. */
export function either(...shapes: readonly Shape[]): Shape {
  return (value, at) => {
    const wrong = shapes.map((shape) => shape(value, at));
    return wrong.includes(undefined) ? undefined : wrong.at(-1);
  };
}

export function list(shape: Shape): Shape {
  return (value, at) => {
    if (!Array.isArray(value)) return `${named(at)} must be a list, not ${shown(value)}`;
    // Lists of rows are long: the place of one is put together only for an error.
    const index = value.findIndex((item) => shape(item, at) !== undefined);
    return index < 0 ? undefined : shape(value[index], `${at}[${index}]`);
  };
}

/** An object whose members, of any name, are all of one shape. */
export function record(shape: Shape): Shape {
  return (value, at) => {
    if (!isObject(value)) return `${named(at)} must be an object, not ${shown(value)}`;
    for (const [name, item] of Object.entries(value)) {
      const wrong = shape(item, memberOf(at, name));
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
}

type Members = Readonly<Record<string, Shape>>;

export function object(members: Members): Shape {
  return (value, at) => {
    if (!isObject(value)) return `${named(at)} must be an object, not ${shown(value)}`;
    for (const [name, shape] of Object.entries(members)) {
      const wrong = shape(value[name], memberOf(at, name));
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
}

/** As {@link object}, and no other members: where one that is misspelt, and so not heeded, would cost rows. */
export function exactly(members: Members): Shape {
  const known = object(members);
  return (value, at) => {
    const wrong = known(value, at);
    if (wrong !== undefined) return wrong;
    const other = Object.keys(value as object).find((name) => !Object.hasOwn(members, name));
    return other === undefined
      ? undefined
      : `${named(at)} can't have "${other}"; it can have: ${Object.keys(members).join(', ')}`;
  };
}

/** A type of a column, at any depth; whether there is such a type is for others to say. */
export const dataType: Shape = (value, at) => typeWithin(value, at, 0);

export const structType: Shape = (value, at) =>
  isObject(value) && value['type'] === 'struct'
    ? dataType(value, at)
    : `${named(at)} must be a struct type, not ${shown(value)}`;

export const structField: Shape = (value, at) => fieldWithin(value, at, 0);

function typeWithin(value: unknown, at: string, depth: number): string | undefined {
  if (typeof value === 'string') return undefined;
  if (depth > DEPTH_MAX) return `${named(at)} has types more than ${DEPTH_MAX} within one another`;
  const below: Shape = (inner, place) => typeWithin(inner, place, depth + 1);
  switch (isObject(value) ? value['type'] : undefined) {
    case 'array':
      return object({ elementType: below, containsNull: flag })(value, at);
    case 'map':
      return object({ keyType: below, valueType: below, valueContainsNull: flag })(value, at);
    case 'struct':
      return object({ fields: list((field, place) => fieldWithin(field, place, depth + 1)) })(value, at);
    default:
      return `${named(at)} must be a type, not ${shown(value)}`;
  }
}

function fieldWithin(value: unknown, at: string, depth: number): string | undefined {
  const type: Shape = (inner, place) => typeWithin(inner, place, depth);
  return object({ name: text, type, nullable: flag, metadata: record(() => undefined) })(value, at);
}

/** None of the kinds whose members are not what they hold, such as a Map, or a promise that was not awaited. */
function isObject(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function memberOf(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`;
}

function named(at: string): string {
  return at === '' ? 'what it is given' : `"${at}"`;
}

const SHOWN_CHARS_MAX = 40;

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, SHOWN_CHARS_MAX));
  if (Array.isArray(value)) return 'a list';
  if (value === null || ['undefined', 'number', 'boolean', 'bigint'].includes(typeof value))
    return String(value);
  return typeof value === 'object' ? 'an object of another kind' : `a ${typeof value}`;
}
