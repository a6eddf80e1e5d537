/** Bodies of requests to maintain a table: JSON objects with known members of known types, and nothing else. */
import { AwsError } from '../aws-json/index.ts';

/** Reads a member's value; throws for one that can't be. */
type Member<Value> = (value: unknown, name: string) => Value;

type Members = Readonly<Record<string, Member<unknown>>>;

/** What a body with these members gives; absent and null members are left out. */
export type Read<Shape extends Members> = {
  readonly [Name in keyof Shape]?: Exclude<ReturnType<Shape[Name]>, undefined>;
};

/** Throws an `AwsError` with the status 400 that names the member. */
export function readBody<Shape extends Members>(body: Buffer, members: Shape): Read<Shape> {
  const value = parse(body);
  const read: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    const member = Object.hasOwn(members, name) ? members[name] : undefined;
    if (member === undefined) {
      throw invalid(`The member "${name}" is unknown; known are: ${Object.keys(members).join(', ')}.`);
    }
    if (given !== null && given !== undefined) read[name] = member(given, name);
  }
  return read as Read<Shape>;
}

export const text: Member<string> = (value, name) => {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`The member "${name}" must be a text that is not empty.`);
};

export const flag: Member<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value;
  throw invalid(`The member "${name}" must be true or false.`);
};

/** From 0. */
export const whole: Member<number> = (value, name) => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`The member "${name}" must be a whole number from 0.`);
};

export const texts: Member<string[]> = (value, name) => {
  if (Array.isArray(value)) return value.map((each) => text(each, name));
  throw invalid(`The member "${name}" must be a list of texts.`);
};

/** The value of a member that must be there. */
export function needed<Value>(value: Value | undefined, name: string): Value {
  if (value !== undefined) return value;
  throw invalid(`The member "${name}" is missing.`);
}

export function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message, 400);
}

function parse(body: Buffer): object {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw invalid('The body is not JSON.');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalid('The body must be a JSON object.');
}
