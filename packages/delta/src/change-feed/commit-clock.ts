import { DeltaError } from '../errors.ts';
import type { Action } from '../log/actions.ts';
import { commitTimes, ownTimestampsFrom } from '../snapshot/commit-times.ts';
import { loadCommit, type TableIo, wholeLog } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';

/** Times of the commits that are left in the log, in milliseconds since 1970, as the history tells them. */
export interface CommitClock {
  /** The oldest version whose commit is left. */
  readonly oldest: number;
  /** Of a version whose actions are at hand, or are read. Throws `version-not-found` if its commit is gone. */
  timeOf(version: number, actions?: readonly Action[]): Promise<number>;
}

/** Reads the log's listing; versions after it are unknown to the clock. `newest` is the newest state. */
export async function openCommitClock(io: TableIo, newest: TableState): Promise<CommitClock> {
  const { commits } = await wholeLog(io);
  const ownFrom = ownTimestampsFrom(newest.metadata)?.version ?? Number.POSITIVE_INFINITY;
  const byFile = commitTimes(commits.filter(({ version }) => version < ownFrom));
  const modified = commits.map(({ version, modifiedMs }) => [version, modifiedMs] as const);
  // Times by files are corrected where they don't rise; those in commits rise by themselves.
  const times = new Map([
    ...modified,
    ...byFile.map(({ version, timestampMs }) => [version, timestampMs] as const),
  ]);
  return {
    oldest: commits[0]?.version ?? 0,
    async timeOf(version, actions) {
      const fileMs = times.get(version);
      if (fileMs === undefined) throw commitGone(version);
      if (version < ownFrom) return fileMs;
      const found = actions ?? (await loadCommit(io, version))?.actions;
      if (found === undefined) throw commitGone(version);
      const own: unknown = found.find(({ commitInfo }) => commitInfo)?.commitInfo?.inCommitTimestamp;
      return typeof own === 'number' ? own : fileMs;
    },
  };
}

export function commitGone(version: number): DeltaError {
  return new DeltaError({
    code: 'version-not-found',
    message: `the commit of version ${version} is gone: the log has been cleaned up, and its changes with it`,
    hint: 'Begin at a version that the history still shows.',
  });
}
