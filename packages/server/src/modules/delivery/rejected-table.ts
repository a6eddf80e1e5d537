/** `<table>_rejected`: the records that a delivery refused, whole, with the reason and where they came from. */
import type { StructField, StructType } from '@sluice/delta';
import type { OpenTable, Catalog, HiveColumn } from '../catalog/index.ts';
import { codeOf, deliveryError } from './errors.ts';

const SUB_SEQUENCE_NUMBER = 'sub_sequence_number';

export const REJECTED_COLUMNS: readonly HiveColumn[] = [
  {
    name: 'error_code',
    type: 'string',
    comment: 'Why the record was refused: see the table of codes in the documentation',
  },
  { name: 'error_message', type: 'string' },
  { name: 'delivery', type: 'string', comment: 'Name of the delivery' },
  { name: 'stream', type: 'string' },
  { name: 'shard_id', type: 'string' },
  { name: 'sequence_number', type: 'string' },
  {
    name: SUB_SEQUENCE_NUMBER,
    type: 'bigint',
    comment: 'Position in an aggregated record, from 0; NULL for other records',
  },
  { name: 'partition_key', type: 'string' },
  { name: 'arrival_time', type: 'timestamp' },
  { name: 'data', type: 'string', comment: 'The record; NULL when it is not UTF-8' },
  { name: 'data_base64', type: 'string', comment: 'The record when it is not UTF-8' },
];

export function rejectedName(table: string): string {
  return `${table}_rejected`;
}

export interface TableName {
  readonly database: string;
  readonly table: string;
}

/** Undefined when there is none yet. */
export async function openRejected(
  catalog: Catalog,
  { database, table }: TableName,
): Promise<OpenTable | undefined> {
  try {
    return await catalog.open(database, rejectedName(table));
  } catch (error) {
    if (codeOf(error) === 'table-not-found') return undefined;
    throw error;
  }
}

/**
 * Columns that a table of a version before aggregated records lacks: they are added with the first commit to it that
 * follows.
 */
export function rejectedColumnsToAdd(schema: StructType): StructField[] {
  if (schema.fields.some((field) => field.name === SUB_SEQUENCE_NUMBER)) return [];
  return [{ name: SUB_SEQUENCE_NUMBER, type: 'long', nullable: true, metadata: {} }];
}

/** Creates it when it is absent. Rejects with `invalid` when a table of this name has other columns. */
export async function ensureRejected(catalog: Catalog, name: TableName): Promise<OpenTable> {
  const found = (await openRejected(catalog, name)) ?? (await createRejected(catalog, name));
  const { schema } = await found.snapshot();
  const missing = REJECTED_COLUMNS.find(
    ({ name: column }) =>
      column !== SUB_SEQUENCE_NUMBER && !schema.fields.some((field) => field.name === column),
  );
  if (missing !== undefined)
    throw deliveryError(
      'invalid',
      `the table "${rejectedName(name.table)}" has no column "${missing.name}"`,
      {
        hint: 'Rename or delete that table: rejected records are written to a table of this name.',
      },
    );
  return found;
}

async function createRejected(catalog: Catalog, { database, table }: TableName): Promise<OpenTable> {
  try {
    await catalog.createTable(database, {
      name: rejectedName(table),
      description: `Records that could not be delivered into ${table}`,
      columns: REJECTED_COLUMNS,
      partitionKeys: [],
      parameters: { table_type: 'DELTA' },
    });
  } catch (error) {
    if (codeOf(error) !== 'table-exists') throw error;
  }
  return catalog.open(database, rejectedName(table));
}
