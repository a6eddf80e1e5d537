import { DeltaError, isDeltaError } from '../errors.ts';
import type { CommitInfo } from '../log/actions.ts';
import { commitTimes, ownTimestampsFrom } from './commit-times.ts';
import { loadCommit, loadState, type TableIo, wholeLog } from './load.ts';
import type { TableState } from './table-state.ts';

/** Commits that a history returns unless told otherwise. */
const HISTORY_LIMIT_DEFAULT = 1000;

export interface CommitSummary {
  readonly version: number;
  /** Rises strictly with the version; by it `snapshot({ timestampMs })` finds versions. Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly operation: string | undefined;
  readonly operationParameters: Readonly<Record<string, unknown>>;
  readonly operationMetrics: Readonly<Record<string, string>>;
  readonly userMetadata: string | undefined;
  readonly engineInfo: string | undefined;
  readonly isBlindAppend: boolean | undefined;
  /** The version that the writer had read; undefined where it does not say. */
  readonly readVersion: number | undefined;
  /** `Serializable`, `WriteSerializable` or `SnapshotIsolation`. */
  readonly isolationLevel: string | undefined;
}

/**
 * The newest commits first; those that a clean-up removes meanwhile are left out. `newest` is the newest state, if it is
 * known.
 */
export async function readHistory(
  io: TableIo,
  limit = HISTORY_LIMIT_DEFAULT,
  newest?: TableState,
): Promise<CommitSummary[]> {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new DeltaError({ code: 'invalid-data', message: `the history's limit can't be ${limit}` });
  }
  const { commits } = await wholeLog(io);
  const { metadata } = newest ?? (await loadState(io));
  const ownFrom = ownTimestampsFrom(metadata)?.version ?? Infinity;
  const byFile = commitTimes(commits.filter(({ version }) => version < ownFrom));
  const times = [...byFile, ...commits.filter(({ version }) => version >= ownFrom)].slice(-limit);
  const summaries: CommitSummary[] = [];
  for (const time of times.reverse()) {
    const commit = await loadCommit(io, time.version).catch((error: unknown) => {
      if (isDeltaError(error, 'not-found')) return undefined;
      throw error;
    });
    if (commit === undefined) continue;
    const info = commit.actions.find((action) => action.commitInfo)?.commitInfo ?? {};
    const byFileMs = 'timestampMs' in time ? time.timestampMs : time.modifiedMs;
    const own = time.version >= ownFrom ? info.inCommitTimestamp : undefined;
    summaries.push(summaryOf(info, { version: time.version, timestampMs: own ?? byFileMs }));
  }
  return summaries;
}

function summaryOf(info: CommitInfo, at: { version: number; timestampMs: number }): CommitSummary {
  return {
    ...at,
    operation: info.operation,
    operationParameters: info.operationParameters ?? {},
    operationMetrics: info.operationMetrics ?? {},
    userMetadata: info.userMetadata,
    engineInfo: info.engineInfo,
    isBlindAppend: info.isBlindAppend,
    readVersion: info.readVersion,
    isolationLevel: info.isolationLevel,
  };
}
