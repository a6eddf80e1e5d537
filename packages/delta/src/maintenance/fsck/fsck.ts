import { assertWritable } from '../../protocol/features.ts';
import type { TableContext } from '../../table-context.ts';
import { retryOnConflict } from '../../transaction/retry-on-conflict.ts';
import { fileKey } from '../../log/actions.ts';
import type { LongWork } from '../long-work.ts';
import { removeOf } from '../remove-of.ts';
import { checkFiles } from './data-files.ts';
import type { Finding } from './findings.ts';
import { checkLog } from './log-files.ts';

export interface FsckOptions extends LongWork {
  /** Whether nothing is repaired (default). */
  readonly dryRun?: boolean;
  /** Whether the footer of every data file is read: one read of each file, rather than one look-up. */
  readonly deep?: boolean;
}

export interface FsckResult {
  /** The version that was checked. */
  readonly version: number;
  readonly filesChecked: number;
  readonly findings: readonly Finding[];
  /** The commit that took missing files out of the table, and how many; undefined when there was nothing to repair. */
  readonly repaired: { readonly version: number; readonly files: number } | undefined;
}

/**
 * Holds the newest version against its files, and the log's checkpoints and checksums against its commits. Unless
 * `dryRun`, files that are missing are removed from the table in one commit, so that the rest can be read again: their
 * rows are lost. Nothing else is repaired: what damaged files and logs should hold nobody knows.
 *
 * Phases of the progress: `files`, and when `deep` `footers`. Throws `aborted`, `conflict`, and the errors of the store
 * and of opening the table.
 */
export async function fsck(context: TableContext, options: FsckOptions = {}): Promise<FsckResult> {
  const { dryRun = true, deep = false, onProgress, signal } = options;
  const state = await context.refresh();
  const files = [...state.files.files()];
  const { findings, missing } = await checkFiles(context, files, { deep, onProgress, signal });
  const all = [...findings, ...(await checkLog(context, options))];
  const result = { version: state.version, filesChecked: files.length, findings: all };
  if (dryRun || missing.length === 0) return { ...result, repaired: undefined };
  const lost = new Set(missing.map((file) => fileKey(file)));
  const repaired = await retryOnConflict(context, async (newest) => {
    assertWritable(newest);
    // Others may have removed some meanwhile.
    const left = [...newest.files.files()].filter((file) => lost.has(fileKey(file)));
    if (left.length === 0) return { kind: 'unchanged', files: 0, version: newest.version } as const;
    const nowMs = context.now();
    const outcome = await context.commit({
      state: newest,
      reads: { kind: 'files', keys: new Set(left.map((file) => fileKey(file))) },
      operation: 'FSCK',
      operationParameters: { numRemovedFiles: left.length },
      operationMetrics: { numMissingFiles: left.length, numFilesScanned: files.length },
      actions: left.map((file) => ({ remove: removeOf(file, { dataChange: false, nowMs }) })),
    });
    return outcome.kind === 'conflict' ? outcome : { ...outcome, files: left.length };
  });
  if (repaired.kind === 'unchanged') return { ...result, repaired: undefined };
  return { ...result, repaired: { version: repaired.version, files: repaired.files } };
}
