/** Files of the change feed (protocol: "Change Data Files", "Add CDC File"). */
import type { AddCdcFile, MetadataAction } from '../log/actions.ts';
import { enableChangeDataFeed } from '../properties/table-properties.ts';
import { field, type StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { writeNewRows } from './new-files.ts';
import type { Attempt } from './row-operation.ts';

/** Below the table's root. */
export const CHANGE_DATA_DIRECTORY = '_change_data';
/** `insert`, `delete`, `update_preimage` or `update_postimage`. */
export const CHANGE_TYPE_COLUMN = '_change_type';

export interface ChangeRows {
  /** That the table has after the operation. */
  readonly schema: StructType;
  /** Where the operation changes it. */
  readonly metadata?: MetadataAction | undefined;
  /** A SELECT of the schema's columns and {@link CHANGE_TYPE_COLUMN}. */
  readonly sql: string;
}

/** Whether writers must describe row changes: the property, in a table whose protocol has the feature. */
export function tracksChanges({ metadata, protocol }: TableState): boolean {
  if (!enableChangeDataFeed(metadata.configuration)) return false;
  return protocol.minWriterVersion < 7 || protocol.writerFeatures?.includes('changeDataFeed') === true;
}

/** Durable on return, and discarded with the attempt unless a commit names them. */
export async function writeChangeFiles(attempt: Attempt, rows: ChangeRows): Promise<AddCdcFile[]> {
  // The rows before the change obeyed the rules of their time, and those after it were checked as data.
  const schema: StructType = {
    type: 'struct',
    fields: [...rows.schema.fields, field(CHANGE_TYPE_COLUMN, 'string')],
  };
  const data = await writeNewRows(attempt, {
    source: { kind: 'sql', sql: rows.sql },
    schema,
    metadata: rows.metadata,
    directory: CHANGE_DATA_DIRECTORY,
  });
  return data.adds.map(({ path, partitionValues, size }) => ({
    path,
    partitionValues,
    size,
    dataChange: false,
  }));
}
