import type { AddFile, RemoveFile } from '../log/actions.ts';

/** The remove that ends an add, with all that the protocol lets it say. */
export function removeOf(add: AddFile, options: { dataChange: boolean; nowMs: number }): RemoveFile {
  const { path, partitionValues, size, stats, tags, deletionVector, baseRowId, defaultRowCommitVersion } =
    add;
  return {
    path,
    deletionTimestamp: options.nowMs,
    dataChange: options.dataChange,
    extendedFileMetadata: true,
    partitionValues,
    size,
    ...(stats === undefined || stats === null ? {} : { stats }),
    ...(tags === undefined || tags === null ? {} : { tags }),
    ...(deletionVector === undefined || deletionVector === null ? {} : { deletionVector }),
    ...(baseRowId === undefined || baseRowId === null ? {} : { baseRowId }),
    ...(defaultRowCommitVersion === undefined || defaultRowCommitVersion === null
      ? {}
      : { defaultRowCommitVersion }),
  };
}
