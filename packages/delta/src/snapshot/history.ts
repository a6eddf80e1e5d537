import { DeltaError, isDeltaError } from '../errors.ts';
import type { CommitInfo } from '../log/actions.ts';
import { loadCommit, type TableIo, commitTimes, wholeLog } from './load.ts';

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
}

/** The newest commits first; those that a clean-up removes meanwhile are left out. */
export async function readHistory(io: TableIo, limit = HISTORY_LIMIT_DEFAULT): Promise<CommitSummary[]> {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new DeltaError({ code: 'invalid-data', message: `the history's limit can't be ${limit}` });
  }
  const times = commitTimes((await wholeLog(io)).commits).slice(-limit);
  const summaries: CommitSummary[] = [];
  for (const { version, timestampMs } of times.reverse()) {
    const commit = await loadCommit(io, version).catch((error: unknown) => {
      if (isDeltaError(error, 'not-found')) return undefined;
      throw error;
    });
    if (commit === undefined) continue;
    const info = commit.actions.find((action) => action.commitInfo)?.commitInfo ?? {};
    summaries.push(summaryOf(info, { version, timestampMs }));
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
  };
}
