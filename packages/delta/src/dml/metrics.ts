/** Operation metrics under the names that Spark's writers give them (DeltaOperations.scala, `DeltaOperationMetrics`). */
import type { ChangeCounts } from './row-changes.ts';

type Metrics = Readonly<Record<string, number>>;

export function deleteMetrics(counts: ChangeCounts, executionTimeMs: number): Metrics {
  return { ...fileMetrics(counts), numDeletedRows: counts.rowsDeleted, executionTimeMs };
}

export function updateMetrics(counts: ChangeCounts, executionTimeMs: number): Metrics {
  return { ...fileMetrics(counts), numUpdatedRows: counts.rowsUpdated, executionTimeMs };
}

/** Of an overwrite of all rows or of partitions. */
export function overwriteMetrics(
  counts: Pick<
    ChangeCounts,
    'filesAdded' | 'rowsInserted' | 'rowsCopied' | 'bytesAdded' | 'filesRemoved' | 'bytesRemoved'
  >,
): Metrics {
  return {
    numFiles: counts.filesAdded,
    numOutputRows: counts.rowsInserted + counts.rowsCopied,
    numOutputBytes: counts.bytesAdded,
    numRemovedFiles: counts.filesRemoved,
    numRemovedBytes: counts.bytesRemoved,
  };
}

/** Of an overwrite of the rows that match a condition. */
export function replaceMetrics(counts: ChangeCounts): Metrics {
  return {
    ...overwriteMetrics(counts),
    numDeletedRows: counts.rowsDeleted,
    numCopiedRows: counts.rowsCopied,
    numAddedChangeFiles: counts.changeFilesAdded,
  };
}

/** Rows by the kind of clause that affected them. */
export interface MergeCounts {
  readonly sourceRows: number;
  readonly matchedUpdated: number;
  readonly matchedDeleted: number;
  readonly notMatchedBySourceUpdated: number;
  readonly notMatchedBySourceDeleted: number;
}

export function mergeMetrics(counts: ChangeCounts, merged: MergeCounts, executionTimeMs: number): Metrics {
  return {
    numSourceRows: merged.sourceRows,
    numTargetRowsInserted: counts.rowsInserted,
    numTargetRowsUpdated: counts.rowsUpdated,
    numTargetRowsMatchedUpdated: merged.matchedUpdated,
    numTargetRowsNotMatchedBySourceUpdated: merged.notMatchedBySourceUpdated,
    numTargetRowsDeleted: counts.rowsDeleted,
    numTargetRowsMatchedDeleted: merged.matchedDeleted,
    numTargetRowsNotMatchedBySourceDeleted: merged.notMatchedBySourceDeleted,
    numTargetRowsCopied: counts.rowsCopied,
    numOutputRows: counts.rowsInserted + counts.rowsUpdated + counts.rowsCopied,
    // A file that gets a vector counts as removed and added, as in Spark's metrics.
    numTargetFilesAdded: counts.filesAdded + counts.vectorsAdded,
    numTargetFilesRemoved: counts.filesRemoved + counts.vectorsAdded,
    numTargetBytesAdded: counts.bytesAdded,
    numTargetBytesRemoved: counts.bytesRemoved,
    numTargetChangeFilesAdded: counts.changeFilesAdded,
    numTargetDeletionVectorsAdded: counts.vectorsAdded,
    numTargetDeletionVectorsRemoved: counts.vectorsRemoved,
    executionTimeMs,
  };
}

function fileMetrics(counts: ChangeCounts): Metrics {
  return {
    numAddedFiles: counts.filesAdded,
    numRemovedFiles: counts.filesRemoved,
    numAddedBytes: counts.bytesAdded,
    numRemovedBytes: counts.bytesRemoved,
    numAddedChangeFiles: counts.changeFilesAdded,
    numCopiedRows: counts.rowsCopied,
    numDeletionVectorsAdded: counts.vectorsAdded,
    numDeletionVectorsRemoved: counts.vectorsRemoved,
  };
}
