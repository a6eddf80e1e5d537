/** The public models of AWS services (Smithy 2.0, JSON AST), as far as the tests read them. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface ModelShape {
  readonly type: string;
  readonly members?: Readonly<Record<string, ModelMember>>;
  readonly member?: ModelMember;
  readonly key?: ModelMember;
  readonly value?: ModelMember;
  readonly input?: { readonly target: string };
  readonly output?: { readonly target: string };
  readonly traits?: Readonly<Record<string, unknown>>;
}

interface ModelMember {
  readonly target: string;
  readonly traits?: Readonly<Record<string, unknown>>;
}

export class Model {
  readonly #shapes: Readonly<Record<string, ModelShape>>;

  constructor(shapes: Readonly<Record<string, ModelShape>>) {
    this.#shapes = shapes;
  }

  /** Types of the prelude (`smithy.api#String`) have no constraints. */
  shape(id: string): ModelShape {
    return this.#shapes[id] ?? { type: id.slice(id.indexOf('#') + 1).toLowerCase() };
  }

  inputOf(operation: string): ModelShape {
    const found = Object.entries(this.#shapes).find(
      ([id, { type }]) => type === 'operation' && id.endsWith(`#${operation}`),
    );
    if (found?.[1].input === undefined) throw new Error(`the model has no operation ${operation}`);
    return this.shape(found[1].input.target);
  }

  /** What the operation gives, and all that it holds. */
  outputOf(operation: string): ModelShape | undefined {
    const found = Object.entries(this.#shapes).find(
      ([id, { type }]) => type === 'operation' && id.endsWith(`#${operation}`),
    );
    return found?.[1].output === undefined ? undefined : this.shape(found[1].output.target);
  }

  operations(): string[] {
    return Object.entries(this.#shapes)
      .filter(([, { type }]) => type === 'operation')
      .map(([id]) => id.slice(id.indexOf('#') + 1));
  }
}

/** Traits that the tests read, with the values that they have. */
interface Traits {
  readonly required: object;
  readonly pattern: string;
  readonly enumValue: string;
  readonly length: { readonly min?: number; readonly max?: number };
  readonly range: { readonly min?: number; readonly max?: number };
}

export function trait<Name extends keyof Traits>(
  of: { readonly traits?: Readonly<Record<string, unknown>> },
  name: Name,
): Traits[Name] | undefined {
  return of.traits?.[`smithy.api#${name}`] as Traits[Name] | undefined;
}

const DIRECTORY = resolve(
  process.env['SLUICE_ORACLES'] ?? join(import.meta.dirname, '../../../../shared/oracles'),
  'aws-models',
);

/** Why tests against the models can't run here; false when they can. */
export const modelsAbsent: string | false = existsSync(DIRECTORY)
  ? false
  : `no AWS models in ${DIRECTORY}: set SLUICE_ORACLES to a folder that has aws-models`;

export function readModel(service: string): Model {
  const { shapes } = JSON.parse(readFileSync(join(DIRECTORY, `${service}.json`), 'utf8')) as {
    shapes: Readonly<Record<string, ModelShape>>;
  };
  return new Model({ ...shapes, ...NEWER[service] });
}

/** What the services say now, and the models of 2025 don't yet. */
const NEWER: Readonly<Record<string, Readonly<Record<string, ModelShape>>>> = {
  kinesis: {
    'com.amazonaws.kinesis#Data': {
      type: 'blob',
      traits: { 'smithy.api#length': { min: 0, max: 10_485_760 } },
    },
  },
};
