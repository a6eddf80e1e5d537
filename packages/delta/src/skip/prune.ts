/** Decides, from the log alone, whether a file can hold a row that matches. */
import { unreachable } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import type { FileBlock } from '../log/file-block.ts';
import {
  type BoundsTest,
  comparisonTest,
  HAS_NULLS,
  HAS_VALUES,
  KEEP_ALL,
  MAYBE,
  NO,
  YES,
} from './bounds-comparison.ts';
import { scaleOf } from './column-bounds.ts';
import { type Comparable, compareValues, literalFor } from './comparable.ts';
import {
  type ColumnFacts,
  columnFacts,
  resolveColumn,
  type TableColumn,
  type TableColumns,
} from './file-facts.ts';
import { knownBounds } from './known-bounds.ts';
import type { ColumnPath, ComparisonOperator, Literal, Predicate } from './predicate.ts';

/** Whether a file may hold a matching row: false only if none of its rows makes the predicate true. */
export type FileTest = (file: AddFile) => boolean;

/** For each file of a block: NO where the file test is false, YES where it is true, MAYBE where it has to be asked. */
export type BlockTest = (block: FileBlock) => Uint8Array;

/**
 * The tests of a table's files for a predicate. SQL's logic: a comparison with NULL is not true, and neither is its
 * negation.
 */
export function filesTest(predicate: Predicate, table: TableColumns): { file: FileTest; block: BlockTest } {
  const test = testFor(predicate, table);
  return { file: testOfFile(test), block: testOfBlock(test) };
}

/** A predicate as tests of columns, joined. */
type Test =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Test[] }
  | { readonly kind: 'column'; readonly column: TableColumn; readonly test: ColumnTest }
  | { readonly kind: 'keep' };

/** One test in two forms, for facts of a file and for the bounds of a block's files. */
interface ColumnTest {
  readonly facts: (facts: ColumnFacts) => boolean;
  readonly bounds: BoundsTest;
}

const IS_NULL: ColumnTest = { facts: ({ mayBeNull }) => mayBeNull, bounds: HAS_NULLS };
const IS_NOT_NULL: ColumnTest = { facts: ({ mayBeValue }) => mayBeValue, bounds: HAS_VALUES };
const ANYTHING: ColumnTest = { facts: () => true, bounds: KEEP_ALL };

function testFor(predicate: Predicate, table: TableColumns): Test {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return { kind: predicate.kind, of: predicate.of.map((part) => testFor(part, table)) };
    case 'not':
      return testFor(negated(predicate.of), table);
    case 'compare': {
      const { operator, value } = predicate;
      return columnTest(predicate.column, table, (column) => comparison(operator, value, column));
    }
    case 'in': {
      const { values } = predicate;
      return columnTest(predicate.column, table, (column) =>
        anyOf(values.map((value) => comparison('=', value, column))),
      );
    }
    case 'is-null':
      return columnTest(predicate.column, table, () => IS_NULL);
    case 'is-not-null':
      return columnTest(predicate.column, table, () => IS_NOT_NULL);
    case 'unknown':
      return { kind: 'keep' };
    default:
      return unreachable(predicate);
  }
}

function anyOf(tests: readonly ColumnTest[]): ColumnTest {
  return {
    facts: (facts) => tests.some((test) => test.facts(facts)),
    bounds: (bounds) => {
      const answers = new Uint8Array(bounds.flags.length);
      for (const test of tests) join(answers, test.bounds(bounds), Math.max);
      return answers;
    },
  };
}

/** Joins the second answers to the first. They are ordered: NO is below MAYBE, and that below YES. */
function join(answers: Uint8Array, others: Uint8Array, choose: (a: number, b: number) => number): void {
  for (let at = 0; at < answers.length; at += 1) {
    answers[at] = choose(answers[at] ?? MAYBE, others[at] ?? MAYBE);
  }
}

function columnTest(
  path: ColumnPath,
  table: TableColumns,
  testOf: (column: TableColumn) => ColumnTest,
): Test {
  const column = resolveColumn(path, table);
  return column === undefined ? { kind: 'keep' } : { kind: 'column', column, test: testOf(column) };
}

function testOfFile(test: Test): FileTest {
  switch (test.kind) {
    case 'and': {
      const tests = test.of.map(testOfFile);
      return (file) => tests.every((each) => each(file));
    }
    case 'or': {
      const tests = test.of.map(testOfFile);
      return (file) => tests.some((each) => each(file));
    }
    case 'column': {
      const { column, test: columnOwn } = test;
      return (file) => columnOwn.facts(columnFacts(file, column));
    }
    case 'keep':
      return () => true;
    default:
      return unreachable(test);
  }
}

function testOfBlock(test: Test): BlockTest {
  switch (test.kind) {
    case 'and':
      return joined(test.of.map(testOfBlock), { none: YES, choose: Math.min });
    case 'or':
      return joined(test.of.map(testOfBlock), { none: NO, choose: Math.max });
    case 'column': {
      const { column, test: columnOwn } = test;
      return (block) => columnOwn.bounds(knownBounds(block, column));
    }
    case 'keep':
      return (block) => new Uint8Array(block.count).fill(YES);
    default:
      return unreachable(test);
  }
}

function joined(
  tests: readonly BlockTest[],
  { none, choose }: { none: number; choose: (a: number, b: number) => number },
): BlockTest {
  // Once all answers are this, no other column needs to be known.
  const settled = none === YES ? NO : YES;
  return (block) => {
    const answers = new Uint8Array(block.count).fill(none);
    for (const test of tests) {
      if (answers.every((answer) => answer === settled)) break;
      join(answers, test(block), choose);
    }
    return answers;
  };
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

function comparison(operator: ComparisonOperator, literal: Literal, column: TableColumn): ColumnTest {
  const value = literalFor(literal, column.type);
  if (value === undefined) return ANYTHING;
  return {
    facts: (facts) => facts.mayBeValue && mayCompare(facts, operator, value),
    bounds: comparisonTest(operator, value, scaleOf(column)),
  };
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
