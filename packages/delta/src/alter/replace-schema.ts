import type { StructField, StructType } from '../schema/types.ts';
import { sameType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { clusteringColumns } from '../write/indexed-leaves.ts';
import { writeRules } from '../write/prepare.ts';
import { DeltaError } from '../errors.ts';
import { columnMappingMode } from '../properties/table-properties.ts';
import { physicalName } from '../column-mapping/index.ts';
import { type SchemaChange, schemaChange } from './schema-change.ts';

/**
 * The change of a table to another schema and partitioning, for a commit that replaces all of its rows. A column that
 * stays as it is keeps its metadata, and so its name in files; the table keeps its properties and constraints. Throws
 * `invalid-schema`, and `unsupported-feature` where a constraint reads a column that would be gone.
 */
export function replacedSchema(
  state: TableState,
  replacement: {
    readonly schema: StructType;
    readonly partitionColumns?: readonly string[];
    readonly uuid: () => string;
  },
): SchemaChange {
  const before = new Map(state.schema.fields.map((field) => [field.name, field]));
  const fields = replacement.schema.fields.map((field): StructField => {
    const existing = before.get(field.name);
    if (existing === undefined || !sameType(existing.type, field.type)) return field;
    // Its nested fields have ids of their own.
    return {
      ...field,
      type: existing.type,
      metadata: { ...existing.metadata, ...field.metadata },
    };
  });
  const change = schemaChange(
    state,
    { type: 'struct', fields },
    {
      uuid: replacement.uuid,
      ...(replacement.partitionColumns === undefined
        ? {}
        : { partitionColumns: replacement.partitionColumns }),
    },
  );
  writeRules(change);
  assertClustering(state, change);
  return change;
}

function assertClustering(state: TableState, { schema, metadata }: SchemaChange): void {
  const columns = clusteringColumns(state.domains);
  if (columns.length === 0) return;
  const mode = columnMappingMode(metadata.configuration);
  const names = new Set(schema.fields.map((field) => physicalName(field, mode)));
  const gone = columns.find(([name]) => name === undefined || !names.has(name));
  if (gone === undefined && metadata.partitionColumns.length === 0) return;
  throw new DeltaError({
    code: 'invalid-schema',
    message:
      gone === undefined
        ? "a clustered table can't be partitioned"
        : `the table is clustered by the column "${gone.join('.')}", which the new schema lacks`,
    hint: 'End the clustering with setClustering([]) first.',
  });
}
