/** The action that gives a file of the table a new deletion vector. */
import type { AddFile, DeletionVectorDescriptor } from '../log/actions.ts';

/** The same file with a vector in place of the one that it had; `rows` are those in the file, deleted ones counted. */
export function withVector(
  file: AddFile,
  { vector, rows }: { vector: DeletionVectorDescriptor; rows: number },
): AddFile {
  return { ...file, dataChange: true, stats: wideStatistics(file.stats, rows), deletionVector: vector };
}

/** The reviver's third parameter, which the compiler's own declarations lack. */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

type RawJson = { rawJSON(text: string): unknown };

/**
 * A file's statistics once some of its rows are deleted (protocol: "Per-file Statistics"): bounds stay true but are no
 * longer tight, and the number of records, which a vector demands, still counts all rows of the file. Digits that a
 * double lacks are kept.
 */
export function wideStatistics(stats: string | null | undefined, rows: number): string {
  let known: object = {};
  // Anything but an object says nothing.
  if (stats?.trimStart().startsWith('{') === true) {
    try {
      known = parseKeepingNumbers(stats) as object;
    } catch {
      // So do damaged statistics.
    }
  }
  return JSON.stringify({ ...known, numRecords: rows, tightBounds: false });
}

function parseKeepingNumbers(text: string): unknown {
  return (JSON.parse as ParseWithSource)(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? (JSON as unknown as RawJson).rawJSON(source) : value,
  );
}
