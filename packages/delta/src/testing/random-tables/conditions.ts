/** Random conditions, as SQL for the library and as a test of rows of the model, in SQL's logic of three values. */
import { quoteIdentifier } from '../../scan/quote.ts';
import { type DataType, decimalOf, type StructField } from '../../schema/types.ts';
import type { Dice } from './dice.ts';
import {
  cell,
  compareScalars,
  type ModelRow,
  type ModelValue,
  plainText,
  randomValue,
  sqlLiteral,
} from './values.ts';

export type Truth = boolean | null;

export interface Condition {
  readonly sql: string;
  readonly test: (row: ModelRow) => Truth;
}

export interface ConditionScope {
  readonly fields: readonly StructField[];
  /** Qualifies the columns; default: none. */
  readonly alias?: string;
}

/** A value that a condition can look at. */
interface Operand {
  readonly sql: string;
  readonly type: DataType;
  readonly of: (row: ModelRow) => ModelValue;
}

type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';
const COMPARISONS: readonly Comparison[] = ['=', '<>', '<', '<=', '>', '>='];

export function randomCondition(dice: Dice, scope: ConditionScope, depth = 0): Condition {
  if (depth < 2 && dice.once(3)) return randomConnective(dice, scope, depth);
  const operand = randomOperand(dice, scope);
  if (dice.once(12)) return dice.of<Condition>([ALWAYS, NEVER, UNKNOWN]);
  if (dice.once(5) || typeof operand.type !== 'string') return nullTest(dice, operand);
  if (dice.once(6)) return membership(dice, operand);
  if (dice.once(8)) return between(dice, operand);
  const same = scopeOperands(scope).filter(({ type }) => type === operand.type);
  if (dice.once(8) && same.length > 1) return columnComparison(dice, operand, dice.of(same));
  return constantComparison(dice, operand);
}

const ALWAYS: Condition = { sql: 'true', test: () => true };
const NEVER: Condition = { sql: 'false', test: () => false };
const UNKNOWN: Condition = { sql: 'NULL', test: () => null };

function randomConnective(dice: Dice, scope: ConditionScope, depth: number): Condition {
  const [left, right] = [randomCondition(dice, scope, depth + 1), randomCondition(dice, scope, depth + 1)];
  switch (dice.below(3)) {
    case 0:
      return {
        sql: `(${left.sql} AND ${right.sql})`,
        test: (row) => {
          const both = [left.test(row), right.test(row)];
          return both.includes(false) ? false : both.includes(null) ? null : true;
        },
      };
    case 1:
      return {
        sql: `(${left.sql} OR ${right.sql})`,
        test: (row) => {
          const both = [left.test(row), right.test(row)];
          return both.includes(true) ? true : both.includes(null) ? null : false;
        },
      };
    default:
      return {
        sql: `NOT (${left.sql})`,
        test: (row) => {
          const truth = left.test(row);
          return truth === null ? null : !truth;
        },
      };
  }
}

function nullTest(dice: Dice, { sql, of }: Operand): Condition {
  return dice.once(2)
    ? { sql: `${sql} IS NULL`, test: (row) => of(row) === null }
    : { sql: `${sql} IS NOT NULL`, test: (row) => of(row) !== null };
}

function membership(dice: Dice, operand: Operand): Condition {
  const values = Array.from({ length: 1 + dice.below(3) }, () => constant(dice, operand));
  const list = values.map((value) => sqlLiteral(value, operand.type)).join(', ');
  const isNegated = dice.once(3);
  return {
    sql: `${operand.sql} ${isNegated ? 'NOT IN' : 'IN'} (${list})`,
    test: (row) => {
      const value = operand.of(row);
      if (value === null) return null;
      const isIn = values.some((other) => other !== null && compareScalars(value, other) === 0);
      if (!isIn && values.includes(null)) return null;
      return isIn !== isNegated;
    },
  };
}

function between(dice: Dice, operand: Operand): Condition {
  const [low, high] = [notNull(dice, operand), notNull(dice, operand)];
  return {
    sql: `${operand.sql} BETWEEN ${sqlLiteral(low, operand.type)} AND ${sqlLiteral(high, operand.type)}`,
    test: (row) => {
      const value = operand.of(row);
      return value === null ? null : compareScalars(value, low) >= 0 && compareScalars(value, high) <= 0;
    },
  };
}

function columnComparison(dice: Dice, left: Operand, right: Operand): Condition {
  const operator = dice.of(COMPARISONS);
  return {
    sql: `${left.sql} ${operator} ${right.sql}`,
    test: (row) => compared(left.of(row), operator, right.of(row)),
  };
}

function constantComparison(dice: Dice, operand: Operand): Condition {
  const value = constant(dice, operand);
  if (dice.once(6)) {
    return {
      sql: `${operand.sql} IS DISTINCT FROM ${sqlLiteral(value, operand.type)}`,
      test: (row) => {
        const own = operand.of(row);
        if (own === null || value === null) return own !== value;
        return compareScalars(own, value) !== 0;
      },
    };
  }
  const operator = dice.of(COMPARISONS);
  const literal = dice.once(2) ? looseLiteral(value, operand.type) : sqlLiteral(value, operand.type);
  const isTurned = dice.once(4);
  const turned: Record<Comparison, Comparison> = {
    '=': '=',
    '<>': '<>',
    '<': '>',
    '<=': '>=',
    '>': '<',
    '>=': '<=',
  };
  return {
    sql: isTurned ? `${literal} ${turned[operator]} ${operand.sql}` : `${operand.sql} ${operator} ${literal}`,
    test: (row) => compared(operand.of(row), operator, value),
  };
}

/** As people write it: numbers plain, dates and timestamps as text. */
function looseLiteral(value: ModelValue, type: DataType): string {
  if (value === null) return 'NULL';
  if (['byte', 'short', 'integer', 'long'].includes(type as string)) return String(value);
  if (type === 'date' || type === 'timestamp' || type === 'timestamp_ntz')
    return `'${plainText(value, type)}'`;
  const isPlain = typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0);
  if (type === 'double' && isPlain) return `${String(value)}::DOUBLE`;
  return decimalOf(type) === undefined ? sqlLiteral(value, type) : plainText(value, type);
}

function compared(left: ModelValue, operator: Comparison, right: ModelValue): Truth {
  if (left === null || right === null) return null;
  const order = compareScalars(left, right);
  switch (operator) {
    case '=':
      return order === 0;
    case '<>':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    default:
      return order >= 0;
  }
}

function constant(dice: Dice, { type }: Operand): ModelValue {
  return randomValue(dice, { type, nullable: dice.once(4) });
}

function notNull(dice: Dice, { type }: Operand): ModelValue {
  return randomValue(dice, { type, nullable: false });
}

function randomOperand(dice: Dice, scope: ConditionScope): Operand {
  const operand = dice.of(scopeOperands(scope));
  return { ...operand, sql: dice.once(4) && scope.alias === undefined ? recased(operand.sql) : operand.sql };
}

/** Names mean the same in any case; only letters of ASCII, as DuckDB has it. */
function recased(sql: string): string {
  return sql.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase());
}

/** Every column, and every member of a struct below. */
function scopeOperands({ fields, alias }: ConditionScope): Operand[] {
  const prefix = alias === undefined ? '' : `${quoteIdentifier(alias)}.`;
  return fields.flatMap(({ name, type }, at) =>
    withMembers({ sql: `${prefix}${quoteIdentifier(name)}`, type, of: (row) => cell(row, at) }),
  );
}

function withMembers(operand: Operand): Operand[] {
  const { sql, type, of } = operand;
  if (typeof type === 'string' || type.type !== 'struct') return [operand];
  const members = type.fields.flatMap((member, at) =>
    withMembers({
      sql: `(${sql}).${quoteIdentifier(member.name)}`,
      type: member.type,
      of: (row) => (of(row) as ModelValue[] | null)?.[at] ?? null,
    }),
  );
  return [operand, ...members];
}
