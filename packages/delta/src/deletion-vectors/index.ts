/** Deletion vectors: which rows of a data file are deleted. */
export { type RowRange, RowSet } from './row-set.ts';
export {
  deletionVectorPath,
  readDeletionVector,
  readDeletionVectors,
  writeDeletionVectors,
} from './vector-store.ts';
