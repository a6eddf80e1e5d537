import type { RewrittenBin } from './rewrite-bin.ts';

/** The operation metrics of one commit, by the names that Spark's OPTIMIZE gives them. */
export function metricsOf(rewritten: readonly RewrittenBin[]): Record<string, number> {
  const sizes = rewritten.flatMap(({ adds }) => adds.map(({ size }) => size)).toSorted((a, b) => a - b);
  const removed = rewritten.flatMap(({ bin }) => bin.files);
  const vectors = removed.flatMap(({ deletionVector }) => (deletionVector ? [deletionVector] : []));
  const quantile = (part: number): number =>
    sizes[Math.min(sizes.length - 1, Math.floor(part * sizes.length))] ?? 0;
  return {
    numRemovedFiles: removed.length,
    numRemovedBytes: removed.reduce((sum, { size }) => sum + size, 0),
    numAddedFiles: sizes.length,
    numAddedBytes: sizes.reduce((sum, size) => sum + size, 0),
    minFileSize: sizes[0] ?? 0,
    p25FileSize: quantile(0.25),
    p50FileSize: quantile(0.5),
    p75FileSize: quantile(0.75),
    maxFileSize: sizes.at(-1) ?? 0,
    numDeletionVectorsRemoved: vectors.length,
    numDeletionVectorRowsRemoved: vectors.reduce((sum, { cardinality }) => sum + cardinality, 0),
    numDeletionVectorBytesRemoved: vectors.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0),
  };
}
