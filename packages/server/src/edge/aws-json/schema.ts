/**
 * Compiles a shape to a JSON Schema function that says yes or no. Yes is the rule and has to be fast; the words for a
 * no come from `findings`, which is bounded, whereas a schema that collects all errors makes one object an error and
 * lets a body of bad elements take a gigabyte.
 */
import { Ajv, type AnySchemaObject } from 'ajv';
import type { Shape } from './shapes.ts';
import { isBase64, patternMatches } from './text-rules.ts';

export type Gate = (input: unknown) => boolean;

export function compileGate(shape: Shape): Gate {
  ajv ??= createAjv();
  const validate = ajv.compile(schemaOf(shape));
  return (input) => validate(input) as boolean;
}

let ajv: Ajv | undefined;

function createAjv(): Ajv {
  const made = new Ajv({ allErrors: false, strict: true, strictTypes: false, addUsedSchema: false });
  made.addKeyword({
    keyword: 'amzText',
    type: 'string',
    schemaType: 'object',
    compile: (rule: { pattern?: string }) => {
      const { pattern } = rule;
      return pattern === undefined
        ? (text: string) => text.isWellFormed()
        : (text: string) => text.isWellFormed() && patternMatches(pattern, text);
    },
  });
  made.addKeyword({
    keyword: 'amzBlob',
    schemaType: 'object',
    compile:
      ({ lengthMin = 0, lengthMax = Infinity }: { lengthMin?: number; lengthMax?: number }) =>
      (data: unknown) => {
        const sizeBytes = blobBytes(data);
        return sizeBytes >= lengthMin && sizeBytes <= lengthMax;
      },
  });
  return made;
}

/** NaN for what is no blob. */
function blobBytes(data: unknown): number {
  if (typeof data === 'string') return isBase64(data) ? Buffer.byteLength(data, 'base64') : Number.NaN;
  return data instanceof Uint8Array ? data.length : Number.NaN;
}

const INTEGER_MIN = -(2 ** 31);
const INTEGER_MAX = 2 ** 31 - 1;

function schemaOf(shape: Shape): AnySchemaObject {
  switch (shape.kind) {
    case 'structure': {
      const members = Object.entries(shape.members);
      return {
        type: 'object',
        properties: Object.fromEntries(members.map(([name, member]) => [name, schemaOf(member.shape)])),
        required: members.filter(([, member]) => member.required).map(([name]) => name),
        additionalProperties: false,
      };
    }
    case 'list':
      return defined({
        type: 'array',
        items: schemaOf(shape.of),
        minItems: shape.lengthMin,
        maxItems: shape.lengthMax,
      });
    case 'map':
      return defined({
        type: 'object',
        propertyNames: schemaOf(shape.key),
        additionalProperties: schemaOf(shape.value),
        minProperties: shape.lengthMin,
        maxProperties: shape.lengthMax,
      });
    case 'string':
      return defined({
        type: 'string',
        minLength: shape.lengthMin,
        maxLength: shape.lengthMax,
        enum: shape.values === undefined ? undefined : [...shape.values],
        amzText: defined({ pattern: shape.pattern }),
      });
    case 'blob':
      return { amzBlob: defined({ lengthMin: shape.lengthMin, lengthMax: shape.lengthMax }) };
    case 'integer':
      return {
        type: 'integer',
        minimum: Math.max(shape.min ?? INTEGER_MIN, INTEGER_MIN),
        maximum: Math.min(shape.max ?? INTEGER_MAX, INTEGER_MAX),
      };
    case 'long':
      return defined({ type: 'integer', minimum: shape.min, maximum: shape.max });
    case 'double':
      return defined({ type: 'number', minimum: shape.min, maximum: shape.max });
    case 'timestamp':
      return { type: 'number' };
    case 'boolean':
      return { type: 'boolean' };
    case 'document':
      return {};
  }
}

const defined = (schema: Record<string, unknown>): AnySchemaObject =>
  Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined));
