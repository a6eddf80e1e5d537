/** Renames and drops columns without rewriting files, which column mapping makes possible. */
import { DeltaError } from '../errors.ts';
import { columnMappingMode, dataSkippingStatsColumns } from '../properties/table-properties.ts';
import { pathText } from '../schema/walk.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { assertUnused } from './column-uses.ts';
import { type AlterResult, commitChange } from './commit-change.ts';
import { type ColumnPath, editFieldAt, pathOf, splitPath } from './field-paths.ts';
import { schemaChange } from './schema-change.ts';

/**
 * Gives a column, or a field of a struct at any depth, another name. Throws `invalid-property` for a table without
 * column mapping, and `invalid-schema` for a column that doesn't exist or that rules depend on, and for a name that is
 * taken.
 */
export async function renameColumn(
  context: TableContext,
  { column, to }: { readonly column: ColumnPath; readonly to: string },
): Promise<AlterResult> {
  const path = pathOf(column);
  return commitChange(context, (state) => {
    assertMapped(state, { path, change: 'renamed' });
    assertField(state, path);
    assertUnused(state, path, { change: 'renamed', uses: ['rules'] });
    const schema = editFieldAt(state.schema, path, (fields, at) => {
      const field = fields[at];
      return field === undefined ? fields : fields.with(at, { ...field, name: to });
    });
    const partitionColumns = state.metadata.partitionColumns.map((name) =>
      path.length === 1 && name.toLowerCase() === path[0]?.toLowerCase() ? to : name,
    );
    const configuration = withStatsColumns(state, (named) =>
      isBelow(named, path) ? [...named.slice(0, path.length - 1), to, ...named.slice(path.length)] : named,
    );
    return {
      operation: 'RENAME COLUMN',
      operationParameters: {
        oldColumnPath: pathText(path),
        newColumnPath: pathText([...path.slice(0, -1), to]),
      },
      actions: schemaChange(state, schema, { uuid: context.uuid, partitionColumns, configuration }).actions,
    };
  });
}

/**
 * Takes columns, or fields of structs, from the schema; their values stay in the files until those are rewritten.
 * Throws `invalid-property` for a table without column mapping, and `invalid-schema` for a column that doesn't exist,
 * that is the last of its struct, or that the partitioning, the clustering or rules depend on.
 */
export async function dropColumns(
  context: TableContext,
  columns: readonly ColumnPath[],
): Promise<AlterResult> {
  const paths = columns.map(pathOf);
  return commitChange(context, (state) => {
    let { schema } = state;
    for (const path of paths) {
      assertMapped(state, { path, change: 'dropped' });
      assertField(state, path);
      assertUnused(state, path, { change: 'dropped', uses: ['partitioning', 'clustering', 'rules'] });
      schema = editFieldAt(schema, path, (fields, at) => {
        if (fields.length > 1) return fields.toSpliced(at, 1);
        throw new DeltaError({
          code: 'invalid-schema',
          message: `the column "${pathText(path)}" can't be dropped: it is the only one of its struct or table`,
        });
      });
    }
    const configuration = withStatsColumns(state, (named) =>
      paths.some((path) => isBelow(named, path)) ? undefined : named,
    );
    return {
      operation: 'DROP COLUMNS',
      operationParameters: { columns: paths.map(pathText) },
      actions: schemaChange(state, schema, { uuid: context.uuid, configuration }).actions,
    };
  });
}

function assertMapped(
  { metadata }: TableState,
  { path, change }: { path: readonly string[]; change: string },
): void {
  if (columnMappingMode(metadata.configuration) !== 'none') return;
  throw new DeltaError({
    code: 'invalid-property',
    message: `the column "${pathText(path)}" can't be ${change}: the table has no column mapping`,
    hint: 'Set the property delta.columnMapping.mode to "name" first.',
  });
}

function assertField({ schema }: TableState, path: readonly string[]): void {
  if (splitPath(schema, path).access.length === 0) return;
  throw new DeltaError({ code: 'invalid-schema', message: `"${pathText(path)}" is no column of its own` });
}

/** The properties with `delta.dataSkippingStatsColumns` changed along with the columns that it names. */
function withStatsColumns(
  { metadata: { configuration } }: TableState,
  change: (path: readonly string[]) => readonly string[] | undefined,
): Readonly<Record<string, string>> {
  const named = dataSkippingStatsColumns(configuration);
  if (named === undefined) return configuration;
  const changed = named.flatMap((path) => {
    const next = change(path);
    return next === undefined ? [] : [next];
  });
  const { 'delta.dataSkippingStatsColumns': _, ...others } = configuration;
  if (changed.length === 0) return others;
  const text = changed.map((path) => path.map(quoted).join('.')).join(',');
  return { ...others, 'delta.dataSkippingStatsColumns': text };
}

function quoted(name: string): string {
  return /^[\p{L}\p{N}_]+$/u.test(name) ? name : `\`${name.replaceAll('`', '``')}\``;
}

function isBelow(named: readonly string[], path: readonly string[]): boolean {
  return (
    path.length <= named.length && path.every((name, at) => name.toLowerCase() === named[at]?.toLowerCase())
  );
}
