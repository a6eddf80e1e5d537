/**
 * Says what is wrong with an input in AWS's words. It runs only on inputs that the compiled schema refused, walks the
 * shape (never the input on its own, so that its depth is the shape's) and stops at a bounded number of findings.
 *
 * Wording: the answers of the AWS JSON services, as far as they are known from their SDKs' and emulators' test suites.
 */
import type { Shape } from './shapes.ts';
import { blobProblem, patternMatches, patternText } from './text-rules.ts';

export interface Findings {
  /** A value of the wrong JSON type: nothing after it counts, as a real service stops reading there. */
  unreadable: string | undefined;
  /** The first member that the shape doesn't know, by its path without positions. */
  unknown: string | undefined;
  /** Broken constraints, in the order of the shape. */
  readonly broken: string[];
}

const FINDINGS_MAX = 10;
/** Elements of a list that are read on for more once something is found broken. */
const LIST_WALK_MAX = 10_000;
const VALUE_LENGTH_MAX = 1_024;

export function findings(shape: Shape, input: unknown): Findings {
  const found: Findings = { unreadable: undefined, unknown: undefined, broken: [] };
  walk(shape, input, '', '', found);
  return found;
}

/** `path` is as AWS prints it (`records.1.member.data`), `name` as the parity tables do (`Records.Data`). */
function walk(shape: Shape, value: unknown, path: string, name: string, found: Findings): void {
  if (found.unreadable !== undefined) return;
  if (value === null && path !== '') {
    return broken(found, `Value null at '${path}' failed to satisfy constraint: Member must not be null`);
  }
  const problem = typeProblem(shape, value);
  if (problem !== undefined) {
    found.unreadable = problem;
    return;
  }
  switch (shape.kind) {
    case 'structure':
      return walkStructure(shape, value as Record<string, unknown>, path, name, found);
    case 'list':
      return walkList(shape, value as unknown[], path, name, found);
    case 'map':
      return walkMap(shape, value as Record<string, unknown>, path, name, found);
    case 'string':
      return checkString(shape, value as string, path, found);
    case 'integer':
    case 'long':
    case 'double':
      return checkRange(shape, value as number, path, found);
    case 'blob': {
      const sizeBytes =
        value instanceof Uint8Array ? value.length : Buffer.byteLength(value as string, 'base64');
      const shown = `java.nio.HeapByteBuffer[pos=0 lim=${sizeBytes} cap=${sizeBytes}]`;
      return checkLength(shape, sizeBytes, shown, path, found);
    }
    case 'boolean':
    case 'timestamp':
    case 'document':
  }
}

function walkStructure(
  shape: Shape & { kind: 'structure' },
  value: Record<string, unknown>,
  path: string,
  name: string,
  found: Findings,
): void {
  if (found.unknown === undefined) {
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(shape.members, key));
    if (unknown !== undefined) found.unknown = join(name, unknown);
  }
  for (const [key, member] of Object.entries(shape.members)) {
    const at = join(path, lowerFirst(key));
    if (!Object.hasOwn(value, key) || value[key] === null) {
      if (member.required) {
        broken(found, `Value null at '${at}' failed to satisfy constraint: Member must not be null`);
      }
    } else {
      walk(member.shape, value[key], at, join(name, key), found);
    }
  }
}

function walkList(
  shape: Shape & { kind: 'list' },
  value: readonly unknown[],
  path: string,
  name: string,
  found: Findings,
): void {
  checkLength(shape, value.length, () => listText(value), path, found);
  for (let position = 0; position < value.length && found.unreadable === undefined; position++) {
    if (position >= LIST_WALK_MAX && found.broken.length > 0) return;
    walk(shape.of, value[position], `${path}.${position + 1}.member`, name, found);
  }
}

function walkMap(
  shape: Shape & { kind: 'map' },
  value: Record<string, unknown>,
  path: string,
  name: string,
  found: Findings,
): void {
  const keys = Object.keys(value);
  const text = () => mapText(value, keys);
  checkLength(shape, keys.length, text, path, found);
  const inKeys = isolated();
  const inValues = isolated();
  for (const key of keys) {
    walk(shape.key, key, path, name, inKeys);
    walk(shape.value, value[key], `${path}.${shown(key)}`, name, inValues);
  }
  found.unreadable ??= inKeys.unreadable ?? inValues.unreadable;
  found.unknown ??= inValues.unknown;
  if (inKeys.broken.length > 0)
    fails(found, text(), path, `Map keys must satisfy constraint: ${rules(shape.key)}`);
  if (inValues.broken.length === 0) return;
  // The services name the map, not the key, where the values are plain.
  if (shape.value.kind === 'string') {
    fails(found, text(), path, `Map value must satisfy constraint: ${rules(shape.value)}`);
  } else {
    for (const problem of inValues.broken) broken(found, problem);
  }
}

const isolated = (): Findings => ({ unreadable: undefined, unknown: undefined, broken: [] });

/** The constraints of a plain shape, as errors of maps list them. */
function rules(shape: Shape): string {
  if (shape.kind !== 'string') return '[]';
  const { lengthMax, lengthMin, pattern, values } = shape;
  return `[${[
    lengthMax === undefined ? undefined : `Member must have length less than or equal to ${lengthMax}`,
    lengthMin === undefined ? undefined : `Member must have length greater than or equal to ${lengthMin}`,
    pattern === undefined
      ? undefined
      : `Member must satisfy regular expression pattern: ${patternText(pattern)}`,
    values === undefined ? undefined : `Member must satisfy enum value set: [${values.join(', ')}]`,
  ]
    .filter((rule) => rule !== undefined)
    .join(', ')}]`;
}

function checkString(shape: Shape & { kind: 'string' }, value: string, path: string, found: Findings): void {
  const long = value.length;
  // Lengths count code points, which can't be more than UTF-16 units nor fewer than half of them.
  const length = shape.lengthMin === undefined && shape.lengthMax === undefined ? long : codePoints(value);
  checkLength(shape, length, value, path, found);
  if (shape.pattern !== undefined && !patternMatches(shape.pattern, value)) {
    fails(
      found,
      value,
      path,
      `Member must satisfy regular expression pattern: ${patternText(shape.pattern)}`,
    );
  }
  if (shape.values !== undefined && !shape.values.includes(value)) {
    fails(found, value, path, `Member must satisfy enum value set: [${shape.values.join(', ')}]`);
  }
}

function checkRange(
  shape: { readonly min?: number; readonly max?: number },
  value: number,
  path: string,
  found: Findings,
): void {
  if (shape.min !== undefined && value < shape.min) {
    fails(found, String(value), path, `Member must have value greater than or equal to ${shape.min}`);
  }
  if (shape.max !== undefined && value > shape.max) {
    fails(found, String(value), path, `Member must have value less than or equal to ${shape.max}`);
  }
}

function checkLength(
  shape: { readonly lengthMin?: number; readonly lengthMax?: number },
  length: number,
  value: string | (() => string),
  path: string,
  found: Findings,
): void {
  const text = () => (typeof value === 'string' ? value : value());
  if (shape.lengthMax !== undefined && length > shape.lengthMax) {
    fails(found, text(), path, `Member must have length less than or equal to ${shape.lengthMax}`);
  }
  if (shape.lengthMin !== undefined && length < shape.lengthMin) {
    fails(found, text(), path, `Member must have length greater than or equal to ${shape.lengthMin}`);
  }
}

const STRUCTURE_UNEXPECTED = 'Start of structure or map found where not expected.';
const LIST_UNEXPECTED = 'Start of list found where not expected';

/** What a real service says about a JSON value of the wrong type; undefined for one of the right type. */
function typeProblem(shape: Shape, value: unknown): string | undefined {
  switch (shape.kind) {
    case 'structure':
    case 'map':
      if (Array.isArray(value)) return LIST_UNEXPECTED;
      return typeof value === 'object' && value !== null
        ? undefined
        : `Expected ${shape.kind === 'map' ? 'map' : 'structure'} or null`;
    case 'list':
      if (Array.isArray(value)) return undefined;
      return typeof value === 'object' && value !== null ? STRUCTURE_UNEXPECTED : 'Expected list or null';
    case 'document':
      return undefined;
    default:
      if (Array.isArray(value)) return LIST_UNEXPECTED;
      if (shape.kind === 'blob' && value instanceof Uint8Array) return undefined;
      if (typeof value === 'object') return STRUCTURE_UNEXPECTED;
      return scalarProblem(shape.kind, value as string | number | boolean);
  }
}

const SCALARS = {
  string: { type: 'string', name: 'a String' },
  blob: { type: 'string', name: 'a Blob' },
  boolean: { type: 'boolean', name: 'a Boolean' },
  integer: { type: 'number', name: 'an Integer' },
  long: { type: 'number', name: 'a Long' },
  double: { type: 'number', name: 'a Double' },
  timestamp: { type: 'number', name: 'milliseconds since epoch' },
} as const;

function scalarProblem(kind: keyof typeof SCALARS, value: string | number | boolean): string | undefined {
  const { type, name } = SCALARS[kind];
  if (typeof value !== type) return `${jsonToken(value)} can not be converted to ${name}`;
  if (kind === 'blob') return blobProblem(value as string);
  if (kind === 'string' && !(value as string).isWellFormed()) {
    return 'Malformed string: an unpaired surrogate is not a character';
  }
  if (kind === 'integer' && (value as number) !== ((value as number) | 0)) {
    return `${String(value)} can not be converted to an Integer`;
  }
  if (kind === 'long' && !Number.isInteger(value)) return `${String(value)} can not be converted to a Long`;
  // JSON has no such numbers, CBOR has.
  if (kind === 'double' && !Number.isFinite(value))
    return `${String(value)} can not be converted to a Double`;
  return undefined;
}

function jsonToken(value: string | number | boolean): string {
  if (typeof value === 'string') return 'STRING_VALUE';
  if (typeof value === 'number') return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE';
  return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
}

function fails(found: Findings, value: string, path: string, constraint: string): void {
  broken(found, `Value '${shown(value)}' at '${path}' failed to satisfy constraint: ${constraint}`);
}

function broken(found: Findings, text: string): void {
  if (found.broken.length < FINDINGS_MAX) found.broken.push(text);
}

function shown(value: string): string {
  return value.length <= VALUE_LENGTH_MAX ? value : `${value.slice(0, VALUE_LENGTH_MAX)}…`;
}

function listText(value: readonly unknown[]): string {
  const items = value.slice(0, 20).map(plainText);
  return `[${items.join(', ')}${value.length > items.length ? ', …' : ''}]`;
}

const plainText = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'object' ? '{…}' : JSON.stringify(value);

function mapText(value: Readonly<Record<string, unknown>>, keys: readonly string[]): string {
  const items = keys.slice(0, 20).map((key) => `${key}=${plainText(value[key])}`);
  return `{${items.join(', ')}${keys.length > items.length ? ', …' : ''}}`;
}

function codePoints(value: string): number {
  let count = value.length;
  for (let at = 0; at < value.length - 1; at++) {
    const unit = value.charCodeAt(at);
    if (unit >= 0xd8_00 && unit <= 0xdb_ff) {
      count--;
      at++;
    }
  }
  return count;
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);
const lowerFirst = (name: string): string => `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
