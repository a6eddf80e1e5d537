/** Ways through the fields of a schema. */
import type { DataType, StructField, StructType } from './types.ts';

export interface FieldPlace {
  readonly field: StructField;
  /** Names from the top-level column down; `element`, `key` and `value` stand for what arrays and maps hold. */
  readonly path: readonly string[];
  /** Whether only structs are around the field, so that each row has it once. */
  readonly isSingle: boolean;
}

/** Every field of every struct, outer ones first, in schema order. */
export function* fieldPlaces(schema: StructType): Generator<FieldPlace> {
  yield* within(schema, { path: [], isSingle: true });
}

function* within(
  type: DataType,
  place: { readonly path: readonly string[]; readonly isSingle: boolean },
): Generator<FieldPlace> {
  if (typeof type === 'string') return;
  const below = (name: string): { path: string[]; isSingle: boolean } => ({
    path: [...place.path, name],
    isSingle: false,
  });
  if (type.type === 'array') {
    yield* within(type.elementType, below('element'));
  } else if (type.type === 'map') {
    yield* within(type.keyType, below('key'));
    yield* within(type.valueType, below('value'));
  } else {
    for (const field of type.fields) {
      const path = [...place.path, field.name];
      yield { field, path, isSingle: place.isSingle };
      yield* within(field.type, { path, isSingle: place.isSingle });
    }
  }
}

/** A path for the eyes of a reader. */
export function pathText(path: readonly string[]): string {
  return path.join('.');
}
