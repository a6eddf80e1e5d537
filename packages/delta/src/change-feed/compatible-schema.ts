/** Whether rows that were written by an older schema are rows of a newer one (Delta: "isReadCompatible"). */
import { physicalName } from '../column-mapping/index.ts';
import type { MetadataAction } from '../log/actions.ts';
import { columnMappingMode } from '../properties/table-properties.ts';
import { type DataType, sameType, type StructField, type StructType } from '../schema/types.ts';
import { canWiden } from '../schema/widening.ts';

export interface TableShape {
  readonly schema: StructType;
  readonly metadata: Pick<MetadataAction, 'partitionColumns' | 'configuration'>;
}

/**
 * Why changes that `older` describes can't be read as rows of `newer`, for the error's reader; undefined if they can:
 * columns were added, or made nullable, or types widened, and nothing else.
 */
export function incompatibility(older: TableShape, newer: TableShape): string | undefined {
  const [before, after] = [older, newer].map(({ metadata }) => metadata.partitionColumns.join(', '));
  if (before !== after) return `the partition columns changed from (${before}) to (${after})`;
  return fieldsIncompatibility(older.schema, newer.schema, {
    path: '',
    physicalName: (field, side) =>
      physicalName(field, columnMappingMode((side === 'older' ? older : newer).metadata.configuration)),
  });
}

interface Place {
  /** Of the struct, with a dot after it; '' for the table. */
  readonly path: string;
  readonly physicalName: (field: StructField, side: 'older' | 'newer') => string;
}

function fieldsIncompatibility(older: StructType, newer: StructType, place: Place): string | undefined {
  const byName = new Map(newer.fields.map((field) => [field.name.toLowerCase(), field]));
  for (const field of older.fields) {
    const name = `"${place.path}${field.name}"`;
    const next = byName.get(field.name.toLowerCase());
    if (next === undefined) return `the column ${name} was dropped or renamed`;
    if (place.physicalName(field, 'older') !== place.physicalName(next, 'newer')) {
      return `the column ${name} was dropped, and another was given its name`;
    }
    if (field.nullable && !next.nullable) return `the column ${name} became NOT NULL`;
    const reason = typeIncompatibility(field.type, next.type, {
      ...place,
      path: `${place.path}${field.name}.`,
    });
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function typeIncompatibility(older: DataType, newer: DataType, place: Place): string | undefined {
  if (typeof older !== 'string' && typeof newer !== 'string') {
    if (older.type === 'struct' && newer.type === 'struct') return fieldsIncompatibility(older, newer, place);
    if (older.type === 'array' && newer.type === 'array') {
      return typeIncompatibility(older.elementType, newer.elementType, place);
    }
    if (older.type === 'map' && newer.type === 'map') {
      return (
        typeIncompatibility(older.keyType, newer.keyType, place) ??
        typeIncompatibility(older.valueType, newer.valueType, place)
      );
    }
  }
  if (sameType(older, newer) || canWiden(older, newer)) return undefined;
  const [before, after] = [older, newer].map((type) => (typeof type === 'string' ? type : type.type));
  return `the column "${place.path.slice(0, -1)}" changed its type from ${before} to ${after}`;
}
