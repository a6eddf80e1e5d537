import {
  and,
  compare,
  decimalOf,
  isNotNull,
  isNull,
  or,
  timestampMicros,
  unknown,
  type Literal,
  type Predicate,
  type StructType,
} from '@sluice/delta';
import type { Condition, ConditionValue } from '../../../ports/sql-engine.ts';

const INTEGERS = new Set<unknown>(['long', 'integer', 'short', 'byte']);

/** What the log's statistics can be asked; what they can't is `unknown`, which leaves no file out. */
export function predicateOf(condition: Condition, schema: StructType): Predicate {
  switch (condition.kind) {
    case 'and':
      return and(...condition.conditions.map((part) => predicateOf(part, schema)));
    case 'or':
      return or(...condition.conditions.map((part) => predicateOf(part, schema)));
    case 'null':
      return isNull(condition.column);
    case 'not-null':
      return isNotNull(condition.column);
    case 'compare': {
      const literal = literalOf(condition.value, condition.column, schema);
      return literal === undefined ? unknown() : compare(condition.column, condition.operator, literal);
    }
  }
}

function literalOf(value: ConditionValue, column: string, schema: StructType): Literal | undefined {
  switch (value.type) {
    case 'boolean':
      return value;
    case 'string':
      return { type: 'string', value: value.text };
    case 'date':
      return { type: 'date', value: value.text };
    case 'timestamp':
    case 'instant': {
      const text = `${value.text.replace(' ', 'T')}${value.type === 'instant' ? 'Z' : ''}`;
      if (timestampMicros(text) === undefined) return undefined;
      return { type: value.type === 'instant' ? 'timestamp' : 'timestamp_ntz', value: text };
    }
    case 'number': {
      const type = schema.fields.find((field) => field.name.toLowerCase() === column.toLowerCase())?.type;
      if (type === undefined) return undefined;
      if (INTEGERS.has(type)) {
        return /^-?\d+$/.test(value.text) ? { type: 'integer', value: BigInt(value.text) } : undefined;
      }
      if (decimalOf(type) !== undefined) {
        return /^-?\d+(\.\d+)?$/.test(value.text) ? { type: 'decimal', value: value.text } : undefined;
      }
      return type === 'double' ? { type: 'double', value: Number(value.text) } : undefined;
    }
  }
}
