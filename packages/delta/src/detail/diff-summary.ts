import type { AddFile } from '../log/actions.ts';
import type { VersionDiff } from '../maintenance/diff.ts';

/** Paths of files that a summary lists. */
export const PATHS_SHOWN_MAX = 100;

/** A difference of bounded size, however many files it is of: what is shown, or sent to others. */
export interface DiffSummary extends Omit<VersionDiff, 'filesAdded' | 'filesRemoved' | 'filesMasked'> {
  readonly filesAdded: FilesSummary;
  readonly filesRemoved: FilesSummary;
  /** Of which other rows are deleted than before. */
  readonly filesMasked: FilesSummary;
}

export interface FilesSummary {
  readonly files: number;
  readonly bytes: number;
  /** As in the log; the first {@link PATHS_SHOWN_MAX}. */
  readonly paths: readonly string[];
}

export function summariseDiff(difference: VersionDiff): DiffSummary {
  const { filesAdded, filesRemoved, filesMasked } = difference;
  return {
    ...difference,
    filesAdded: summaryOf(filesAdded),
    filesRemoved: summaryOf(filesRemoved),
    filesMasked: summaryOf(filesMasked.map(({ after }) => after)),
  };
}

function summaryOf(files: readonly AddFile[]): FilesSummary {
  return {
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    paths: files.slice(0, PATHS_SHOWN_MAX).map(({ path }) => path),
  };
}
