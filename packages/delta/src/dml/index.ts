/** Operations that change rows: delete, update, merge and overwrite. */
export { type DeleteFacts, type DeleteOptions, type DeleteResult, deleteRows } from './delete-rows.ts';
export { MergeBuilder, type MergeCondition, mergeInto } from './merge-builder.ts';
export type {
  MergeClause,
  MergeFacts,
  MergeRequest,
  MergeResult,
  MergeTarget,
  MergeValues,
} from './merge-request.ts';
export { mergeRows } from './merge-rows.ts';
export {
  type OverwriteFacts,
  type OverwriteMode,
  type OverwriteOptions,
  type OverwriteResult,
  overwriteRows,
} from './overwrite-rows.ts';
export type { RowOperationOptions, RowOperationResult } from './row-operation.ts';
export { type UpdateFacts, type UpdateOptions, type UpdateResult, updateRows } from './update-rows.ts';
