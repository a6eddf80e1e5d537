import { DeltaError } from '../errors.ts';
import { enableTypeWidening } from '../properties/table-properties.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { DEFAULT_KEY, sameType } from '../schema/types.ts';
import { pathText } from '../schema/walk.ts';
import { canWiden, withTypeChange } from '../schema/widening.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { writeRules } from '../write/prepare.ts';
import { assertUnused } from './column-uses.ts';
import { type AlterResult, commitChange } from './commit-change.ts';
import { type ColumnPath, editFieldAt, editTypeAt, pathOf, splitPath } from './field-paths.ts';
import { type ColumnPosition, placed } from './position.ts';
import { schemaChange } from './schema-change.ts';

export interface ColumnChange {
  /** A path may end in `element`, `key` or `value` for the type of what an array or a map holds. */
  readonly column: ColumnPath;
  /** A wider type, where `delta.enableTypeWidening` is set; files keep what they have. */
  readonly type?: DataType;
  /** Only true: NOT NULL can be taken off, not put on. */
  readonly nullable?: true;
  /** Null removes it. */
  readonly comment?: string | null;
  /** The default of rows to come, an expression of Spark SQL; null removes it. */
  readonly default?: string | null;
  /** Among the fields of its struct. */
  readonly position?: ColumnPosition;
}

/**
 * Changes a column in place; no file is rewritten. Throws `invalid-schema` for a column that doesn't exist, a type that
 * is no wider one, and a type that rules depend on; `invalid-property` for a type while `delta.enableTypeWidening` is
 * off; `unsupported-feature` for a default that can't be evaluated.
 */
export async function changeColumn(context: TableContext, change: ColumnChange): Promise<AlterResult> {
  const path = pathOf(change.column);
  return commitChange(context, (state) => {
    let { schema } = state;
    if (change.type !== undefined) schema = withType(state, schema, { path, type: change.type });
    const { fields, access } = splitPath(schema, path);
    if (access.length === 0) schema = withAttributes(schema, fields, change);
    else if (change.type === undefined) throw invalid(`"${pathText(path)}" is no column of its own`);
    const planned = schemaChange(state, schema, { uuid: context.uuid });
    // Rules that can't be evaluated would make a table that can't be written.
    if (typeof change.default === 'string') writeRules(planned, { columns: [] });
    return {
      operation: 'CHANGE COLUMN',
      operationParameters: { column: { ...change, column: pathText(path) } },
      actions: planned.actions,
    };
  });
}

function withType(
  state: TableState,
  schema: StructType,
  { path, type }: { path: readonly string[]; type: DataType },
): StructType {
  const { fields, access } = splitPath(schema, path);
  let from: DataType | undefined;
  const changed = editTypeAt(schema, path, (existing) => {
    from = existing;
    return type;
  });
  if (from === undefined || sameType(from, type)) return schema;
  if (!enableTypeWidening(state.metadata.configuration)) {
    throw new DeltaError({
      code: 'invalid-property',
      message: `the type of the column "${pathText(path)}" can't be changed: the table has no type widening`,
      hint: 'Set the property delta.enableTypeWidening to true first.',
    });
  }
  if (!canWiden(from, type)) {
    throw invalid(
      `the column "${pathText(path)}" can't be changed from ${JSON.stringify(from)} to ${JSON.stringify(type)}: only to a wider type that holds every value`,
    );
  }
  assertUnused(state, fields, { change: 'changed in its type', uses: ['rules'] });
  const entry = {
    toType: type,
    fromType: from,
    ...(access.length === 0 ? {} : { fieldPath: access.join('.') }),
  };
  return editFieldAt(changed, fields, (siblings, at) => {
    const field = siblings[at];
    if (field === undefined) return siblings;
    return siblings.with(at, { ...field, metadata: withTypeChange(field.metadata, entry) });
  });
}

function withAttributes(schema: StructType, path: readonly string[], change: ColumnChange): StructType {
  return editFieldAt(schema, path, (siblings, at) => {
    const field = siblings[at];
    if (field === undefined) return siblings;
    if (change.default !== undefined && path.length > 1) {
      throw invalid(`the nested column "${pathText(path)}" can't have a default`);
    }
    const next: StructField = {
      ...field,
      nullable: change.nullable ?? field.nullable,
      metadata: withEntries(field.metadata, { comment: change.comment, [DEFAULT_KEY]: change.default }),
    };
    const replaced = siblings.with(at, next);
    return change.position === undefined
      ? replaced
      : placed(replaced, { from: at, position: change.position });
  });
}

/** Undefined leaves an entry as it is, null removes it. */
function withEntries(
  metadata: Readonly<Record<string, unknown>>,
  entries: Readonly<Record<string, string | null | undefined>>,
): Record<string, unknown> {
  const next: Record<string, unknown> = { ...metadata };
  for (const [key, value] of Object.entries(entries)) {
    if (value === null) delete next[key];
    else if (value !== undefined) next[key] = value;
  }
  return next;
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
