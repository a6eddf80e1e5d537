/** Decides, from the log alone, whether a file can hold a row that matches. */
import { unreachable } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import type { DataType } from '../schema/types.ts';
import { type Comparable, compareValues, literalFor } from './comparable.ts';
import { type ColumnFacts, columnFacts, resolveColumn, type TableColumns } from './file-facts.ts';
import type { ColumnPath, ComparisonOperator, Literal, Predicate } from './predicate.ts';

/** Whether a file may hold a matching row: false only if none of its rows makes the predicate true. */
export type FileTest = (file: AddFile) => boolean;

const KEEP: FileTest = () => true;

/**
 * The test of a table's files for a predicate. SQL's logic: a comparison with NULL is not true, and neither is its
 * negation.
 */
export function fileTest(predicate: Predicate, table: TableColumns): FileTest {
  switch (predicate.kind) {
    case 'and': {
      const tests = predicate.of.map((part) => fileTest(part, table));
      return (file) => tests.every((test) => test(file));
    }
    case 'or': {
      const tests = predicate.of.map((part) => fileTest(part, table));
      return (file) => tests.some((test) => test(file));
    }
    case 'not':
      return fileTest(negated(predicate.of), table);
    case 'compare': {
      const { operator, value } = predicate;
      return columnTest(predicate.column, table, (type) => comparison(operator, value, type));
    }
    case 'in':
      return columnTest(predicate.column, table, (type) => {
        const tests = predicate.values.map((value) => comparison('=', value, type));
        return (facts) => tests.some((test) => test(facts));
      });
    case 'is-null':
      return columnTest(predicate.column, table, () => (facts) => facts.mayBeNull);
    case 'is-not-null':
      return columnTest(predicate.column, table, () => (facts) => facts.mayBeValue);
    case 'unknown':
      return KEEP;
    default:
      return unreachable(predicate);
  }
}

type FactsTest = (facts: ColumnFacts) => boolean;

function columnTest(path: ColumnPath, table: TableColumns, testFor: (type: DataType) => FactsTest): FileTest {
  const column = resolveColumn(path, table);
  if (column === undefined) return KEEP;
  const test = testFor(column.type);
  return (file) => test(columnFacts(file, column));
}

const NEGATED_OPERATOR: Record<ComparisonOperator, ComparisonOperator> = {
  '=': '<>',
  '<>': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
};

/** A predicate that is true wherever NOT `predicate` is. */
function negated(predicate: Predicate): Predicate {
  switch (predicate.kind) {
    case 'and':
      return { kind: 'or', of: predicate.of.map(negated) };
    case 'or':
      return { kind: 'and', of: predicate.of.map(negated) };
    case 'not':
      return predicate.of;
    case 'compare':
      return { ...predicate, operator: NEGATED_OPERATOR[predicate.operator] };
    case 'in': {
      const { column, values } = predicate;
      return { kind: 'and', of: values.map((value) => ({ kind: 'compare', column, operator: '<>', value })) };
    }
    case 'is-null':
      return { kind: 'is-not-null', column: predicate.column };
    case 'is-not-null':
      return { kind: 'is-null', column: predicate.column };
    case 'unknown':
      return predicate;
    default:
      return unreachable(predicate);
  }
}

function comparison(operator: ComparisonOperator, literal: Literal, type: DataType): FactsTest {
  const value = literalFor(literal, type);
  if (value === undefined) return () => true;
  return (facts) => facts.mayBeValue && mayCompare(facts, operator, value);
}

function mayCompare(facts: ColumnFacts, operator: ComparisonOperator, value: Comparable): boolean {
  const low = facts.min === undefined ? undefined : compareValues(facts.min, value);
  const high = facts.max === undefined ? undefined : compareValues(facts.max, value);
  switch (operator) {
    case '=':
      return (low ?? 0) <= 0 && (high ?? 0) >= 0;
    case '<>':
      return !(low === 0 && high === 0);
    case '<':
      return (low ?? -1) < 0;
    case '<=':
      return (low ?? 0) <= 0;
    case '>':
      return (high ?? 1) > 0;
    case '>=':
      return (high ?? 0) >= 0;
    default:
      return unreachable(operator);
  }
}
