/** The actions that give a table another schema, with what must come along: ids of columns, and the protocol. */
import { assignMapping, MAX_COLUMN_ID_PROPERTY } from '../column-mapping/index.ts';
import type { Action, MetadataAction } from '../log/actions.ts';
import { DeltaError } from '../errors.ts';
import {
  columnMappingMaxId,
  columnMappingMode,
  enableChangeDataFeed,
} from '../properties/table-properties.ts';
import { upgradedProtocol } from '../protocol/features.ts';
import { schemaToJson } from '../schema/json.ts';
import type { StructType } from '../schema/types.ts';
import { assertValidSchema } from '../schema/validate.ts';
import type { TableState } from '../snapshot/table-state.ts';

export interface SchemaChange {
  readonly schema: StructType;
  readonly metadata: MetadataAction;
  /** `protocol`, if it changes, and `metaData`; none if the table is so already. */
  readonly actions: readonly Action[];
}

export interface SchemaChangeOptions {
  readonly uuid: () => string;
  /** Default: the table's. */
  readonly configuration?: Readonly<Record<string, string>>;
  readonly partitionColumns?: readonly string[];
  /** Properties that were asked for and that only the protocol keeps, such as `delta.feature.*`. */
  readonly requested?: Readonly<Record<string, string>>;
  /** Table features that the change needs besides those of its schema and properties. */
  readonly features?: readonly string[];
  /** Physical names of fields that have none yet; default: `generated`. */
  readonly physicalNames?: 'generated' | 'as-named';
}

/**
 * The change of a table to a schema and properties: new fields have ids and physical names where columns are mapped.
 * Throws what `assertValidSchema` throws.
 */
export function schemaChange(
  state: Pick<TableState, 'metadata' | 'protocol' | 'schema'>,
  schema: StructType,
  options: SchemaChangeOptions,
): SchemaChange {
  const configuration = options.configuration ?? state.metadata.configuration;
  const partitionColumns = options.partitionColumns ?? state.metadata.partitionColumns;
  const isMapped = columnMappingMode(configuration) !== 'none';
  assertValidSchema(schema, partitionColumns, { isMapped });
  if (enableChangeDataFeed(configuration)) assertNoChangeColumns(schema);
  const mapped = isMapped
    ? assignMapping(schema, {
        physicalNames: options.physicalNames ?? 'generated',
        maxColumnId: columnMappingMaxId(configuration),
        uuid: options.uuid,
      })
    : { schema, maxColumnId: undefined };
  const metadata: MetadataAction = {
    ...state.metadata,
    schemaString: schemaText(mapped.schema, state),
    partitionColumns,
    configuration:
      mapped.maxColumnId === undefined
        ? configuration
        : { ...configuration, [MAX_COLUMN_ID_PROPERTY]: String(mapped.maxColumnId) },
  };
  const protocol = upgradedProtocol(state.protocol, mapped.schema, {
    properties: { ...configuration, ...options.requested },
    features: options.features ?? [],
  });
  const actions: Action[] = [
    ...(protocol === state.protocol ? [] : [{ protocol }]),
    ...(isSameMetadata(metadata, state.metadata) ? [] : [{ metaData: metadata }]),
  ];
  return { schema: mapped.schema, metadata, actions };
}

/** Columns that the change feed adds to those of the table. */
const CHANGE_COLUMNS = ['_change_type', '_commit_version', '_commit_timestamp'];

function assertNoChangeColumns(schema: StructType): void {
  const clash = schema.fields.find(({ name }) => CHANGE_COLUMNS.includes(name.toLowerCase()));
  if (clash === undefined) return;
  throw new DeltaError({
    code: 'invalid-schema',
    message: `the column "${clash.name}" has a name that the change data feed needs`,
    hint: 'Rename the column, or leave delta.enableChangeDataFeed off.',
  });
}

/** The text as it is where nothing changed, however another writer put it. */
function schemaText(schema: StructType, state: Pick<TableState, 'metadata' | 'schema'>): string {
  const text = schemaToJson(schema);
  return text === schemaToJson(state.schema) ? state.metadata.schemaString : text;
}

function isSameMetadata(left: MetadataAction, right: MetadataAction): boolean {
  return (
    left.schemaString === right.schemaString &&
    JSON.stringify(left.partitionColumns) === JSON.stringify(right.partitionColumns) &&
    sorted(left.configuration) === sorted(right.configuration)
  );
}

function sorted(configuration: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(configuration).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
