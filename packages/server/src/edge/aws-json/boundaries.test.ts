import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { boundaryCases } from '../../../../conformance/src/boundaries.ts';
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
import { patternText } from './text-rules.ts';
import { InputCheck } from './validate.ts';
import { AwsError, type AwsService, type Operation, type Shape } from './index.ts';

const unused = {} as never;
const SERVICES: readonly AwsService[] = [
  createFirehoseService({ delivery: unused }),
  createGlueService({ catalog: unused }),
  createAthenaService({ query: unused }),
];

for (const service of SERVICES) {
  suite(`${service.name} against its model`, { skip: modelsAbsent }, () => {
    test('every operation of the model is supported or known as unsupported', () => {
      const named = new Set([...Object.keys(service.operations), ...service.unsupported]);
      const missing = readModel(service.name)
        .operations()
        .filter((name) => !named.has(name));
      assert.deepEqual(missing, []);
    });
    for (const [name, operation] of Object.entries(service.operations)) {
      test(`${name}: every member and constraint is the model's`, () => {
        const model = readModel(service.name);
        const differences = compare(model, model.inputOf(name), operation);
        assert.deepEqual(differences, []);
      });
      test(`${name}: each bound of the model is held, in the words of AWS`, () => checkBounds(service, name));
    }
  });
}

function checkBounds(service: AwsService, name: string): void {
  const operation = service.operations[name]!;
  const check = new InputCheck(service, name, operation);
  const sample = SAMPLES[service.name as ServiceName].operations[name]!;
  const seen = { nulls: false, surrogates: false };
  check.check(structuredClone(sample), seen);
  const cases = boundaryCases(readModel(service.name), name, sample);
  assert.ok(cases.length > 0);
  for (const { input, refusal, path, constraint } of cases) {
    const about = `${path}: ${constraint}`;
    if (refusal === undefined) {
      assert.doesNotThrow(() => check.check(input, seen), about);
      continue;
    }
    assert.throws(
      () => check.check(input, seen),
      (error) => {
        assert.ok(error instanceof AwsError, about);
        assert.equal(error.type, service.validationError, about);
        assert.ok(error.message.includes(refusal), `${about}: ${error.message.slice(0, 500)}`);
        return true;
      },
      about,
    );
  }
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
      if (!Object.hasOwn(of.members ?? {}, name)) differences.push(`${path}.${name} is not in the model`);
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
