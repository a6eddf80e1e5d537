/** Which versions a reading of the change feed covers; the rules are those of Delta's own readers. */
import { DeltaError, isDeltaError } from '../errors.ts';
import type { TableContext } from '../table-context.ts';
import { timeText } from '../schema/timestamp-text.ts';
import type { CommitClock } from './commit-clock.ts';

/** An end of a range; both ends are inclusive. */
export type ChangeBound = { readonly version: number } | { readonly timestampMs: number };

export interface ChangeRange {
  /**
   * A version; or a time in milliseconds since 1970, for the first version of that time or later. A time before the
   * oldest commit left means that commit.
   */
  readonly from: ChangeBound;
  /**
   * A version, where one that does not exist yet means the newest; or a time, for the last version of that time or
   * earlier. Default: the newest version.
   */
  readonly to?: ChangeBound;
  /** Makes a range that begins, or a time that ends, after the newest version no error: what is there is read. */
  readonly allowOutOfRange?: boolean;
}

/** Inclusive versions; `to` is less than `from` for a range without any. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Throws `version-not-found` for a range that begins after the newest version, or whose end is a time before the oldest
 * or after the newest commit; `invalid-data` for one that ends before it begins.
 */
export async function resolveRange(
  context: Pick<TableContext, 'versionAt'>,
  range: ChangeRange,
  log: { readonly newest: number; readonly clock: CommitClock },
): Promise<VersionRange> {
  const { from, to, allowOutOfRange = false } = range;
  assertBound(from, 'begin');
  if (to !== undefined) assertBound(to, 'end');
  const first =
    'version' in from ? from.version : await firstVersionFrom(context, from.timestampMs, log.clock);
  if (first > log.newest) {
    if (allowOutOfRange) return { from: first, to: first - 1 };
    throw beyond(`the changes can't begin at ${boundText(from)}`, log.newest);
  }
  if (to === undefined) return { from: first, to: log.newest };
  if ('version' in to) {
    if (to.version < first) throw reversed(from, to);
    return { from: first, to: Math.min(to.version, log.newest) };
  }
  const last = await context.versionAt(to.timestampMs);
  if (last >= log.newest && !allowOutOfRange && (await log.clock.timeOf(last)) < to.timestampMs) {
    throw beyond(`the changes can't end at ${boundText(to)}`, log.newest);
  }
  if ('timestampMs' in from) {
    if (from.timestampMs > to.timestampMs) throw reversed(from, to);
    // Both times may lie between two commits: nothing happened then.
    if (last === first - 1) return { from: first, to: last };
  }
  if (last < first) throw reversed(from, to);
  return { from: first, to: last };
}

async function firstVersionFrom(
  context: Pick<TableContext, 'versionAt'>,
  timestampMs: number,
  clock: CommitClock,
): Promise<number> {
  try {
    const before = await context.versionAt(timestampMs);
    return (await clock.timeOf(before)) >= timestampMs ? before : before + 1;
  } catch (error) {
    if (isDeltaError(error, 'version-not-found')) return clock.oldest;
    throw error;
  }
}

function assertBound(bound: ChangeBound, verb: string): void {
  const isValid =
    'version' in bound
      ? Number.isSafeInteger(bound.version) && bound.version >= 0
      : Number.isFinite(bound.timestampMs);
  if (isValid) return;
  const value = 'version' in bound ? `version ${bound.version}` : `time ${bound.timestampMs}`;
  throw new DeltaError({ code: 'invalid-data', message: `changes can't ${verb} at ${value}` });
}

function beyond(what: string, newest: number): DeltaError {
  return new DeltaError({
    code: 'version-not-found',
    message: `${what}: that is after the newest version, ${newest}`,
    hint: 'Wait for the next commit, or allow the range to be out of range.',
  });
}

function reversed(from: ChangeBound, to: ChangeBound): DeltaError {
  const message = `the changes would end, at ${boundText(to)}, before they begin, at ${boundText(from)}`;
  return new DeltaError({ code: 'invalid-data', message });
}

function boundText(bound: ChangeBound): string {
  return 'version' in bound ? `version ${bound.version}` : timeText(bound.timestampMs);
}
