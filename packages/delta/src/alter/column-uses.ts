/** What stands in the way of a column's change: rules and layouts that depend on it. */
import { columnsReadBy } from '../constraints/column-references.ts';
import { checkConstraints, columnInvariants } from '../constraints/table-checks.ts';
import { physicalName } from '../column-mapping/index.ts';
import { DeltaError } from '../errors.ts';
import { columnMappingMode } from '../properties/table-properties.ts';
import { GENERATION_KEY } from '../schema/types.ts';
import { fieldPlaces, pathText } from '../schema/walk.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { clusteringColumns } from '../write/indexed-leaves.ts';
import { structFieldsAt } from './field-paths.ts';

type Used = 'rules' | 'partitioning' | 'clustering';

/**
 * Throws `invalid-schema` where one of these kinds of use reads the column at a path, or a part of it. A rule that can't
 * be read might.
 */
export function assertUnused(
  state: TableState,
  path: readonly string[],
  { change, uses }: { change: 'renamed' | 'dropped' | 'changed in its type'; uses: readonly Used[] },
): void {
  const found = [
    ...(uses.includes('partitioning') ? partitioning(state, path) : []),
    ...(uses.includes('clustering') ? clustering(state, path) : []),
    ...(uses.includes('rules') ? rules(state, { path, isGone: change === 'dropped' }) : []),
  ];
  if (found.length === 0) return;
  throw new DeltaError({
    code: 'invalid-schema',
    message: `the column "${pathText(path)}" can't be ${change}: ${found.join(', ')}`,
    hint: 'Change or remove what depends on the column first.',
  });
}

function partitioning({ metadata }: TableState, path: readonly string[]): string[] {
  return metadata.partitionColumns.some((name) => path.length === 1 && same(name, path[0]))
    ? ['it partitions the table']
    : [];
}

function clustering(state: TableState, path: readonly string[]): string[] {
  const columns = clusteringColumns(state.domains);
  if (columns.length === 0) return [];
  const mode = columnMappingMode(state.metadata.configuration);
  const physical = structFieldsAt(state.schema, path).map((field) => physicalName(field, mode));
  return columns.some((column) => overlap(column, physical)) ? ['the table is clustered by it'] : [];
}

function rules(
  { metadata, schema }: TableState,
  { path, isGone }: { path: readonly string[]; isGone: boolean },
): string[] {
  const texts = [
    ...checkConstraints(metadata).map(({ name, expression }) => ({
      rule: `the CHECK constraint ${name}`,
      expression,
    })),
    // A column's own invariant goes with it.
    ...columnInvariants(schema).flatMap(({ column, expression }) =>
      isGone && column === pathText(path) ? [] : [{ rule: `the invariant of "${column}"`, expression }],
    ),
    ...[...fieldPlaces(schema)].flatMap(({ field, path: own }) => {
      const expression = field.metadata[GENERATION_KEY];
      if (typeof expression !== 'string') return [];
      return [{ rule: `the generated column "${pathText(own)}"`, expression }];
    }),
  ];
  return texts.flatMap(({ rule, expression }) => {
    const columns = columnsReadBy(expression);
    if (columns === undefined) return [`${rule} (${expression}) can't be read to see whether it uses it`];
    return columns.some((column) => overlap(column, path)) ? [`${rule} (${expression}) uses it`] : [];
  });
}

/** Whether one path is the other, or leads into it. */
function overlap(left: readonly string[], right: readonly string[]): boolean {
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).every((name, at) => same(name, right[at]));
}

function same(left: string, right: string | undefined): boolean {
  return left.toLowerCase() === right?.toLowerCase();
}
