/**
 * Inputs at and over each bound of a service's model, made from one valid sample an operation: a member that is
 * required is left out, a text is one character too long, a number one too large, and so on, each alone.
 */
import { trait, type Model, type ModelShape } from './models.ts';

export interface BoundaryCase {
  readonly operation: string;
  /** As the services print it: `records.1.member.data`. */
  readonly path: string;
  readonly constraint: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** What the refusal says of the member; undefined for an input on the bound, which no constraint refuses. */
  readonly refusal: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;
type Path = readonly (string | number)[];

export function boundaryCases(model: Model, operation: string, sample: Json): BoundaryCase[] {
  const cases: BoundaryCase[] = [];
  const add = (path: Path, printed: string, constraint: string, value: unknown, rule: string | undefined) => {
    cases.push({
      operation,
      path: printed,
      constraint,
      input: replaced(sample, path, value) as Json,
      refusal: rule === undefined ? undefined : `at '${printed}' failed to satisfy constraint: ${rule}`,
    });
  };
  walk(model, model.inputOf(operation), sample, [], '', add);
  return cases;
}

type Add = (
  path: Path,
  printed: string,
  constraint: string,
  value: unknown,
  rule: string | undefined,
) => void;

function walk(model: Model, shape: ModelShape, value: unknown, path: Path, printed: string, add: Add): void {
  constraints(shape, value, path, printed, add);
  if (shape.type === 'structure' || shape.type === 'union') {
    for (const [name, member] of Object.entries(shape.members ?? {})) {
      if (!Object.hasOwn(value as Json, name)) continue;
      const at = printed === '' ? lowerFirst(name) : `${printed}.${lowerFirst(name)}`;
      if (trait(member, 'required') !== undefined) {
        add([...path, name], at, 'required', undefined, 'Member must not be null');
      }
      walk(model, model.shape(member.target), (value as Json)[name], [...path, name], at, add);
    }
  }
  if (shape.type === 'list') {
    walk(
      model,
      model.shape(shape.member!.target),
      (value as unknown[])[0],
      [...path, 0],
      `${printed}.1.member`,
      add,
    );
  }
}

function constraints(shape: ModelShape, value: unknown, path: Path, printed: string, add: Add): void {
  const length = trait(shape, 'length');
  if (length?.max !== undefined && length.max <= LENGTH_TRIED_MAX) {
    const rule = `Member must have length less than or equal to ${length.max}`;
    add(path, printed, 'length max', resized(shape, value, length.max + 1), rule);
    if (trait(shape, 'pattern') === undefined && shape.type !== 'map') {
      add(path, printed, 'at length max', resized(shape, value, length.max), undefined);
    }
  }
  if (length?.min !== undefined && length.min > 0) {
    const rule = `Member must have length greater than or equal to ${length.min}`;
    add(path, printed, 'length min', resized(shape, value, length.min - 1), rule);
  }
  const range = trait(shape, 'range');
  if (range?.max !== undefined) {
    add(
      path,
      printed,
      'range max',
      range.max + 1,
      `Member must have value less than or equal to ${range.max}`,
    );
    add(path, printed, 'at range max', range.max, undefined);
  }
  if (range?.min !== undefined) {
    add(
      path,
      printed,
      'range min',
      range.min - 1,
      `Member must have value greater than or equal to ${range.min}`,
    );
    add(path, printed, 'at range min', range.min, undefined);
  }
  const pattern = trait(shape, 'pattern');
  const broken = pattern === undefined ? undefined : breaking(pattern);
  if (broken !== undefined)
    add(path, printed, 'pattern', broken, 'Member must satisfy regular expression pattern: ');
  if (shape.type === 'enum') {
    add(path, printed, 'enum', 'NOT_A_VALUE', `Member must satisfy enum value set: [`);
  }
}

/** Longer ones make requests over the bound of a body. */
const LENGTH_TRIED_MAX = 1_100_000;

function resized(shape: ModelShape, value: unknown, length: number): unknown {
  if (shape.type === 'blob') return Buffer.alloc(length, 1).toString('base64');
  if (shape.type === 'list') return Array.from({ length }, () => (value as unknown[])[0]);
  if (shape.type === 'map') return Object.fromEntries(Array.from({ length }, (_, at) => [`key${at}`, 'v']));
  return 'a'.repeat(length);
}

const CANDIDATES = ['not ok!', '\u0001', 'a:b*', ' ', '!'];

function breaking(pattern: string): string | undefined {
  const whole = new RegExp(/^\^.*\$$/s.test(pattern) ? pattern : `^(?:${pattern})$`, 'u');
  return CANDIDATES.find((candidate) => !whole.test(candidate));
}

function replaced(from: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(from))
    return from.map((item, at) => (at === key ? replaced(item, rest, value) : (item as unknown)));
  const { [String(key)]: present, ...others } = from as Json;
  const next = replaced(present, rest, value);
  return next === undefined ? others : { ...others, [key]: next };
}

const lowerFirst = (name: string): string => `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
