/** Which columns a rule reads, whether or not this library could evaluate it. */
import { DeltaError } from '../errors.ts';
import { parseSparkExpression, type SparkExpression } from './spark-parser.ts';

/** Paths of the columns as the expression spells them; undefined for one that can't be read. */
export function columnsReadBy(expression: string): readonly (readonly string[])[] | undefined {
  try {
    const found: (readonly string[])[] = [];
    collect(parseSparkExpression(expression), found);
    return found;
  } catch (error) {
    if (error instanceof DeltaError && error.code === 'invalid-expression') return undefined;
    throw error;
  }
}

function collect(expression: SparkExpression, found: (readonly string[])[]): void {
  if (expression.kind === 'column') found.push(expression.path);
  for (const part of partsOf(expression)) collect(part, found);
}

function partsOf(expression: SparkExpression): readonly SparkExpression[] {
  switch (expression.kind) {
    case 'column':
    case 'literal':
      return [];
    case 'unary':
    case 'is':
    case 'cast':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'between':
      return [expression.operand, expression.low, expression.high];
    case 'in':
      return [expression.operand, ...expression.list];
    case 'like':
      return [expression.operand, expression.pattern];
    case 'call':
      return expression.args;
    case 'case': {
      const { base, branches, otherwise } = expression;
      const ends = [base, otherwise].filter((part) => part !== undefined);
      return [...ends, ...branches.flatMap(({ when, value }) => [when, value])];
    }
  }
}
