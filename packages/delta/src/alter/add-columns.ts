import { DeltaError } from '../errors.ts';
import { pathText } from '../schema/walk.ts';
import type { StructField, StructType } from '../schema/types.ts';
import { DEFAULT_KEY, GENERATION_KEY, sameType } from '../schema/types.ts';
import type { TableContext } from '../table-context.ts';
import { type AlterResult, commitChange } from './commit-change.ts';
import { editStructAt } from './field-paths.ts';
import { type ColumnPosition, placed } from './position.ts';
import { schemaChange } from './schema-change.ts';

export interface NewColumn {
  readonly field: StructField;
  /** The struct that it is added to: names, and `element`, `key` and `value` within arrays and maps; default: the table. */
  readonly parent?: readonly string[];
  /** Default: the last. */
  readonly position?: ColumnPosition;
  readonly comment?: string;
}

/**
 * Adds columns, or fields to structs at any depth; older rows have NULL there. A column that the table has with the
 * same type already is left alone. Throws `invalid-schema` for one that isn't nullable, that the table has otherwise,
 * or that would need values for the rows there are (generated, identity, default).
 */
export async function addColumns(
  context: TableContext,
  columns: readonly (NewColumn | StructField)[],
): Promise<AlterResult> {
  const added = columns.map((column) => ('field' in column ? column : { field: column }));
  return commitChange(context, (state) => ({
    operation: 'ADD COLUMNS',
    operationParameters: {
      columns: added.map(({ field: { name, type, nullable, metadata }, parent = [], position }) => ({
        column: { name: pathText([...parent, name]), type, nullable, metadata },
        ...(position === undefined ? {} : { position }),
      })),
    },
    actions: schemaChange(state, added.reduce(withColumn, state.schema), { uuid: context.uuid }).actions,
  }));
}

function withColumn(schema: StructType, column: NewColumn): StructType {
  const { parent = [], position = 'last', comment } = column;
  const path = pathText([...parent, column.field.name]);
  const field: StructField =
    comment === undefined
      ? column.field
      : { ...column.field, metadata: { ...column.field.metadata, comment } };
  return editStructAt(schema, parent, (fields) => {
    const existing = fields.find(({ name }) => name.toLowerCase() === field.name.toLowerCase());
    if (existing !== undefined) {
      if (existing.name === field.name && sameType(existing.type, field.type)) return fields;
      throw invalid(
        `the column "${path}" can't be added: the table has "${existing.name}" of the type ${JSON.stringify(existing.type)}`,
      );
    }
    assertAddable(field, path);
    return placed([...fields, field], { from: fields.length, position });
  });
}

function assertAddable({ nullable, metadata }: StructField, path: string): void {
  if (!nullable) throw invalid(`the new column "${path}" must be nullable: rows before it have no value`);
  for (const key of [GENERATION_KEY, DEFAULT_KEY, 'delta.identity.start']) {
    if (metadata[key] === undefined) continue;
    throw invalid(`the new column "${path}" can't have ${key}: rows before it have no value`);
  }
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
