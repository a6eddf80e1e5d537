import { DeltaError } from '../errors.ts';
import type { StructField } from '../schema/types.ts';

/** Where a field stands among those of its struct. */
export type ColumnPosition = 'first' | 'last' | { readonly after: string };

/** The fields with the one at `from` moved; throws `invalid-schema` for a neighbour that doesn't exist. */
export function placed(
  fields: readonly StructField[],
  { from, position }: { from: number; position: ColumnPosition },
): StructField[] {
  const moved = fields[from];
  const others = fields.toSpliced(from, 1);
  if (moved === undefined || position === 'last') return [...others, ...(moved === undefined ? [] : [moved])];
  if (position === 'first') return [moved, ...others];
  const at = others.findIndex(({ name }) => name.toLowerCase() === position.after.toLowerCase());
  if (at < 0) {
    throw new DeltaError({
      code: 'invalid-schema',
      message: `the column "${moved.name}" can't be put after "${position.after}", which is not beside it`,
    });
  }
  return others.toSpliced(at + 1, 0, moved);
}
