import type { RowSource } from '../../engine.ts';
import type { StructField } from '../../schema/types.ts';
import { DeltaTable } from '../../table.ts';
import type { OpenOptions } from '../../table-context.ts';
import type { Dice } from './dice.ts';
import type { Model } from './model.ts';
import { sourceOf } from './sources.ts';
import type { ModelRow } from './values.ts';

/** A table, and the model that it must agree with. */
export interface World {
  readonly dice: Dice;
  readonly model: Model;
  options: OpenOptions;
  /** A directory for files of sources. */
  readonly directory: string;
  table: DeltaTable;
  /** Made so far, for names that differ. */
  count: number;
}

/** Does one thing to the table and to the model; what it did, for the reader of a failure. */
export type Operation = (world: World) => Promise<string>;

export function sourceFor(
  world: World,
  rows: readonly ModelRow[],
  fields: readonly StructField[] = world.model.fields,
): Promise<RowSource> {
  world.count += 1;
  const file = `${world.directory}/source-${world.count}.ndjson`;
  return sourceOf(world.dice, rows, { fields, file });
}

export async function reopen(world: World): Promise<string> {
  world.table = await DeltaTable.open(world.options);
  return 'reopen';
}
