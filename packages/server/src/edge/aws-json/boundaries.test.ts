import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { boundaryCases, type BoundaryCase } from '../../../../conformance/src/boundaries.ts';
import {
  modelsAbsent,
  readModel,
  trait,
  type Model,
  type ModelShape,
} from '../../../../conformance/src/models.ts';
import { SAMPLES, type ServiceName } from '../../../../conformance/src/samples.ts';
import { createAthenaService } from '../athena/index.ts';
import { createFirehoseService } from '../firehose/index.ts';
import { createGlueService } from '../glue/index.ts';
import { createKinesisService } from '../kinesis/index.ts';
import { patternText } from './text-rules.ts';
import { encodeCbor } from '../aws-cbor/index.ts';
import { CBOR_1_1 } from './cbor-wire.ts';
import { JSON_1_1 } from './json-wire.ts';
import { InputCheck } from './validate.ts';
import type { Wire } from './wire.ts';
import { AwsError, type AwsService, type Operation, type Shape } from './index.ts';

const unused = {} as never;
const SERVICES: readonly AwsService[] = [
  createKinesisService({ streams: unused, clock: unused }),
  createFirehoseService({ delivery: unused }),
  createGlueService({ catalog: unused }),
  createAthenaService({ query: unused }),
];

/** Of the SDK's clients; the models of 2025 don't have them yet. */
const NEWER_OPERATIONS = new Set([
  'TagResource',
  'UntagResource',
  'ListTagsForResource',
  'UpdateMaxRecordSize',
  'DescribeAccountSettings',
  'UpdateAccountSettings',
]);

for (const service of SERVICES) {
  suite(`${service.name} against its model`, { skip: modelsAbsent }, () => {
    test('every operation of the model is supported or known as unsupported', () => {
      const named = new Set([...Object.keys(service.operations), ...service.unsupported]);
      const missing = readModel(service.name)
        .operations()
        .filter((name) => !named.has(name));
      assert.deepEqual(missing, []);
    });
    test('the members that are timestamps are those of the model, and no others are named like one', () => {
      const model = readModel(service.name);
      const found = { timestamps: new Set<string>(), others: new Set<string>() };
      for (const name of Object.keys(service.operations)) {
        const output = NEWER_OPERATIONS.has(name) ? undefined : model.outputOf(name);
        if (output !== undefined) sortMembers(model, output, found, new Set());
      }
      const ours = service.timestampMembers ?? new Set();
      assert.deepEqual([...ours.difference(found.timestamps)], []);
      assert.deepEqual([...ours.intersection(found.others)], []);
    });
    for (const [name, operation] of Object.entries(service.operations)) {
      if (NEWER_OPERATIONS.has(name)) continue;
      test(`${name}: every member and constraint is the model's`, () => {
        const model = readModel(service.name);
        const differences = compare(model, model.inputOf(name), operation);
        assert.deepEqual(differences, []);
      });
      test(`${name}: each bound of the model is held, in the words of AWS`, () => checkBounds(service, name));
    }
  });
}

/** Over JSON, and over CBOR with blobs as bytes. */
function checkBounds(service: AwsService, name: string): void {
  const operation = service.operations[name]!;
  const check = new InputCheck(service, name, operation);
  const sample = SAMPLES[service.name as ServiceName].operations[name]!;
  const sent = (value: unknown, wire: Wire) => {
    const body =
      wire === JSON_1_1
        ? Buffer.from(JSON.stringify(value))
        : encodeCbor(inBytes(operation.input, value) as object, CBOR_INPUT);
    const { input, seen } = wire.decode(body, operation.input);
    check.check(input, seen);
  };
  const model = readModel(service.name);
  const cases = boundaryCases(model, name, sample);
  assert.ok(cases.length > 0 || Object.keys(sample).length === 0);
  for (const wire of [JSON_1_1, CBOR_1_1]) {
    sent(sample, wire);
    for (const each of cases) checkBound(service, each, (input) => sent(input, wire));
  }
}

const CBOR_INPUT = {
  timestampMembers: new Set(['Timestamp', 'StreamCreationTimestamp']),
  timestampsPerSecond: 1000,
} as const;

/** The input with its base64 decoded. */
function inBytes(shape: Shape | undefined, value: unknown): unknown {
  if (shape?.kind === 'blob' && typeof value === 'string') return Buffer.from(value, 'base64');
  if (shape?.kind === 'list' && Array.isArray(value)) return value.map((item) => inBytes(shape.of, item));
  if (shape?.kind !== 'structure' || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, inBytes(shape.members[key]?.shape, member)]),
  );
}

function checkBound(
  service: AwsService,
  { input, refusal, path, constraint }: BoundaryCase,
  check: (input: unknown) => void,
): void {
  const about = `${path}: ${constraint}`;
  if (refusal === undefined) {
    assert.doesNotThrow(() => check(input), about);
    return;
  }
  assert.throws(
    () => check(input),
    (error) => {
      assert.ok(error instanceof AwsError, about);
      assert.equal(error.type, service.validationError, about);
      assert.ok(error.message.includes(refusal), `${about}: ${error.message.slice(0, 500)}`);
      return true;
    },
    about,
  );
}

function sortMembers(
  model: Model,
  shape: ModelShape,
  found: { readonly timestamps: Set<string>; readonly others: Set<string> },
  seen: Set<ModelShape>,
): void {
  if (seen.has(shape)) return;
  seen.add(shape);
  for (const [name, { target }] of Object.entries(shape.members ?? {})) {
    const member = model.shape(target);
    (member.type === 'timestamp' ? found.timestamps : found.others).add(name);
    sortMembers(model, member, found, seen);
  }
  for (const part of [shape.member, shape.value])
    if (part !== undefined) sortMembers(model, model.shape(part.target), found, seen);
}

/** Members of the SDK's clients that the models of 2025 don't have yet. */
const NEWER_THAN_MODEL = new Set([
  'Name',
  'AuditContext',
  'AttributesToGet',
  'ResourceShareType',
  'TableInput.FederatedTable',
  'UpdateOpenTableFormatInput',
  'EngineConfiguration',
  'QueryResultType',
  'StreamId',
  'DryRun',
  'WarmThroughputMiBps',
  'MaxRecordSizeInKiB',
  'RecordDistributionStrategy',
  'Tags',
]);

/** What a shape of ours says otherwise than the model, and members of the model that it doesn't know. */
function compare(model: Model, input: ModelShape, operation: Operation): string[] {
  const differences: string[] = [];
  const refused = new Set(Object.keys(operation.refused ?? {}));
  const equal = (path: string, what: string, ours: unknown, theirs: unknown) => {
    if (ours !== theirs) differences.push(`${path} ${what}: ${String(ours)}, in the model ${String(theirs)}`);
  };
  const walk = (shape: Shape, of: ModelShape, path: string) => {
    for (const [what, ours, theirs] of facts(shape, of)) equal(path, what, ours, theirs);
    if (shape.kind === 'list') walk(shape.of, model.shape(of.member!.target), path);
    if (shape.kind === 'map') {
      walk(shape.key, model.shape(of.key!.target), path);
      walk(shape.value, model.shape(of.value!.target), path);
    }
    if (shape.kind !== 'structure') return;
    for (const [name, member] of Object.entries(of.members ?? {})) {
      const at = path === '' ? name : `${path}.${name}`;
      const own = shape.members[name];
      if (own === undefined) {
        if (!refused.delete(at)) differences.push(`${at} is neither supported nor refused`);
      } else {
        equal(at, 'required', own.required, trait(member, 'required') !== undefined);
        walk(own.shape, model.shape(member.target), at);
      }
    }
    for (const name of Object.keys(shape.members)) {
      if (!Object.hasOwn(of.members ?? {}, name) && !NEWER_THAN_MODEL.has(name))
        differences.push(`${path}.${name} is not in the model`);
    }
  };
  walk(operation.input, input, '');
  const strange = [...refused].filter((path) => !NEWER_THAN_MODEL.has(path));
  return [...differences, ...strange.map((path) => `${path} is refused and not in the model`)];
}

function facts(shape: Shape, of: ModelShape): [string, unknown, unknown][] {
  const kind = of.type === 'enum' ? 'string' : of.type === 'union' ? 'structure' : of.type;
  const bounds = shape as {
    lengthMin?: number;
    lengthMax?: number;
    min?: number;
    max?: number;
    pattern?: string;
  };
  const length = trait(of, 'length');
  const range = trait(of, 'range');
  const pattern = trait(of, 'pattern');
  const values = Object.values(of.members ?? {}).map((member) => trait(member, 'enumValue'));
  return [
    ['kind', shape.kind, kind],
    ['lengthMin', bounds.lengthMin, length?.min],
    ['lengthMax', bounds.lengthMax, length?.max],
    ['min', bounds.min, range?.min],
    ['max', bounds.max, range?.max],
    ['pattern', bounds.pattern && patternText(bounds.pattern), pattern && patternText(pattern)],
    [
      'values',
      shape.kind === 'string' ? shape.values?.join() : undefined,
      of.type === 'enum' ? values.join() : undefined,
    ],
  ];
}
