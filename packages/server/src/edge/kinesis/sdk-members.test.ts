import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@aws-sdk/client-kinesis';
import { pathsOf } from '../aws-json/index.ts';
import { createKinesisService } from './index.ts';

/** As the SDK's client writes them: an operation is [9, …, input, output], a structure [3, …, names, shapes], a list [1, …, of]. */
type Schema = readonly [kind: number, namespace: string, name: string, traits: unknown, ...unknown[]];

test('every operation and member of the SDK is supported, different or refused', () => {
  const service = createKinesisService({ streams: {} as never, clock: {} as never });
  const missing: string[] = [];
  let operations = 0;
  for (const schema of Object.values(sdk) as unknown[]) {
    if (!isSchema(schema) || schema[0] !== 9) continue;
    operations++;
    const operation = service.operations[schema[2]];
    if (operation === undefined) {
      if (!service.unsupported.includes(schema[2])) missing.push(schema[2]);
      continue;
    }
    const known = new Set([...pathsOf(operation.input, ''), ...Object.keys(operation.refused ?? {})]);
    for (const path of membersOf((schema[4] as () => unknown)(), '')) {
      // What is refused whole isn't looked into.
      const whole = path.split('.').map((_, at, names) => names.slice(0, at + 1).join('.'));
      if (!known.has(path) && !whole.some((part) => operation.refused?.[part] !== undefined))
        missing.push(`${schema[2]} ${path}`);
    }
  }
  const commands = Object.keys(sdk).filter((name) => /^[A-Z].*Command$/.test(name));
  assert.equal(operations, commands.length);
  assert.deepEqual(missing, []);
});

function* membersOf(schema: unknown, path: string): Generator<string> {
  const shape: unknown = typeof schema === 'function' ? (schema as () => unknown)() : schema;
  if (!isSchema(shape)) return;
  if (shape[0] === 1) yield* membersOf(shape[4], path);
  if (shape[0] !== 3) return;
  const [names, shapes] = shape.slice(4) as [string[], unknown[]];
  for (const [at, name] of names.entries()) {
    const member = path === '' ? name : `${path}.${name}`;
    yield member;
    const of: unknown = shapes[at];
    yield* membersOf(Array.isArray(of) && Array.isArray(of[0]) ? of[0] : of, member);
  }
}

const isSchema = (value: unknown): value is Schema =>
  Array.isArray(value) && typeof value[0] === 'number' && typeof value[2] === 'string';
