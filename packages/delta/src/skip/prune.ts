/** Decides, from the log alone, whether a file can hold a row that matches. */
import { unreachable } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import { compareValues, literalFor } from './comparable.ts';
import { type ColumnFacts, columnFacts, type TableColumns } from './file-facts.ts';
import type { ComparisonOperator, Literal, Predicate } from './predicate.ts';

/**
 * False only if no row of the file makes the predicate true. SQL's logic: a comparison with NULL is not true, and
 * neither is its negation.
 */
export function mayMatch(predicate: Predicate, file: AddFile, table: TableColumns): boolean {
  switch (predicate.kind) {
    case 'and':
      return predicate.of.every((part) => mayMatch(part, file, table));
    case 'or':
      return predicate.of.some((part) => mayMatch(part, file, table));
    case 'not':
      return mayMatch(negated(predicate.of), file, table);
    case 'compare': {
      const facts = columnFacts(file, predicate.column, table);
      return facts === undefined || mayCompare(facts, predicate.operator, predicate.value);
    }
    case 'in': {
      const facts = columnFacts(file, predicate.column, table);
      return facts === undefined || predicate.values.some((value) => mayCompare(facts, '=', value));
    }
    case 'is-null':
      return columnFacts(file, predicate.column, table)?.mayBeNull ?? true;
    case 'is-not-null':
      return columnFacts(file, predicate.column, table)?.mayBeValue ?? true;
    case 'unknown':
      return true;
    default:
      return unreachable(predicate);
  }
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

function mayCompare(facts: ColumnFacts, operator: ComparisonOperator, literal: Literal): boolean {
  const value = literalFor(literal, facts.type);
  if (value === undefined) return true;
  if (!facts.mayBeValue) return false;
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
