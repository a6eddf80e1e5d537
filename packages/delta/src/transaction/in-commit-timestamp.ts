/** In-commit timestamps (protocol: "In-Commit Timestamps"): each commit's own time, which rises with the version. */
import type { Action } from '../log/actions.ts';
import type { TableState } from '../snapshot/table-state.ts';

const ENABLED = 'delta.enableInCommitTimestamps';
const ENABLEMENT_VERSION = 'delta.inCommitTimestampEnablementVersion';
const ENABLEMENT_TIMESTAMP = 'delta.inCommitTimestampEnablementTimestamp';

/**
 * The actions of a commit, the commitInfo first, with the timestamp that the table as of this commit demands; as they
 * are if it demands none. A commit that switches the timestamps on for an existing table says from which version and
 * time on.
 */
export function stampedActions(
  actions: readonly Action[],
  commit: { state: TableState | undefined; version: number; previousMs: number; nowMs: number },
): readonly Action[] {
  const before = commit.state?.metadata.configuration ?? {};
  const after = actions.findLast((action) => action.metaData)?.metaData?.configuration ?? before;
  if (!isEnabled(after)) return actions;
  const inCommitTimestamp = Math.max(commit.nowMs, commit.previousMs + 1);
  const isSwitchedOn = commit.version > 0 && !isEnabled(before);
  const enablement = {
    [ENABLEMENT_VERSION]: String(commit.version),
    [ENABLEMENT_TIMESTAMP]: String(inCommitTimestamp),
  };
  return actions.map((action): Action => {
    if (action.commitInfo) return { commitInfo: { ...action.commitInfo, inCommitTimestamp } };
    if (!action.metaData || !isSwitchedOn) return action;
    const configuration = { ...action.metaData.configuration, ...enablement };
    return { metaData: { ...action.metaData, configuration } };
  });
}

function isEnabled(configuration: Readonly<Record<string, string>>): boolean {
  return configuration[ENABLED]?.toLowerCase() === 'true';
}
