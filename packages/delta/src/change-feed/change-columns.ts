import { DeltaError } from '../errors.ts';
import { field, type StructField, type StructType } from '../schema/types.ts';

/** What happened to a row, as the protocol names it. */
export type ChangeType = 'insert' | 'update_preimage' | 'update_postimage' | 'delete';

export const CHANGE_TYPE = '_change_type';
export const COMMIT_VERSION = '_commit_version';
export const COMMIT_TIMESTAMP = '_commit_timestamp';

/** The columns that a change has besides the table's (protocol: "Reader Requirements for AddCDCFile"). */
export const CHANGE_FIELDS: readonly StructField[] = [
  field(CHANGE_TYPE, 'string'),
  field(COMMIT_VERSION, 'long'),
  field(COMMIT_TIMESTAMP, 'timestamp'),
];

/**
 * The schema of the changes of a table: its own columns, and then those of the change. Throws `changes-unavailable` for
 * a table that has a column of such a name itself.
 */
export function changeSchema(schema: StructType): StructType {
  const taken = schema.fields.find(({ name }) =>
    CHANGE_FIELDS.some((reserved) => reserved.name === name.toLowerCase()),
  );
  if (taken !== undefined) {
    throw new DeltaError({
      code: 'changes-unavailable',
      message: `the table has a column "${taken.name}", a name that its change feed needs`,
      hint: 'Rename the column.',
    });
  }
  return { type: 'struct', fields: [...schema.fields, ...CHANGE_FIELDS] };
}
