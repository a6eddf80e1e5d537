/** Bounds that were worked out, since files meet many predicates; they go with the files. */
import type { FileBlock } from '../log/file-block.ts';
import { type ColumnBounds, columnBounds } from './column-bounds.ts';
import type { TableColumn } from './file-facts.ts';

/** Columns of which a block's bounds are kept; those that were looked at last. */
const COLUMNS_MAX = 8;

const known = new WeakMap<FileBlock, Map<string, ColumnBounds>>();

/** As {@link columnBounds}, worked out once for the columns that were looked at last. */
export function knownBounds(block: FileBlock, column: TableColumn): ColumnBounds {
  const ofBlock = known.get(block) ?? new Map<string, ColumnBounds>();
  const key = column.isPartition ? `partition ${column.key}` : column.key;
  const bounds = ofBlock.get(key) ?? columnBounds(block, column);
  // A map's order is that of insertion: the first is the one that was not looked at for the longest time.
  ofBlock.delete(key);
  ofBlock.set(key, bounds);
  const [oldest] = ofBlock.keys();
  if (ofBlock.size > COLUMNS_MAX && oldest !== undefined) ofBlock.delete(oldest);
  known.set(block, ofBlock);
  return bounds;
}
