/** What retention keeps (I6). All times are arrival times in milliseconds. */

export interface RetainedShard {
  readonly retentionMs: number;
  /** Records from it on are kept whatever their age; Infinity when nothing is held. */
  readonly holdOffset: number;
}

/** Gives undefined for a shard that is gone: nothing keeps its records. */
export type RetentionOf = (uid: number) => RetainedShard | undefined;

export interface ShardInSegment {
  readonly uid: number;
  /** Number of its batches in the segment. */
  readonly entries: number;
  readonly lastArrivalMs: number;
  /** Its next offset at the end of the segment. */
  readonly end: number;
}

/** When all records of a segment are older than their streams keep them, holds apart; 0 when nothing is kept. */
export function expiresAtMs(rows: Iterable<ShardInSegment>, retentionOf: RetentionOf): number {
  let latest = 0;
  for (const row of rows) {
    const retained = row.entries > 0 ? retentionOf(row.uid) : undefined;
    if (retained) latest = Math.max(latest, row.lastArrivalMs + retained.retentionMs);
  }
  return latest;
}

export function isHeld(rows: Iterable<ShardInSegment>, retentionOf: RetentionOf): boolean {
  for (const row of rows)
    if (row.entries > 0 && (retentionOf(row.uid)?.holdOffset ?? Infinity) < row.end) return true;
  return false;
}

/** Arrivals before it are beyond retention. */
export function cutoffMs(nowMs: number, retentionMs: number): number {
  return nowMs - retentionMs;
}

/** Inclusive ranges of segment numbers that retention removed, with one more; they stay few, as neighbours join. */
export function withRemoved(ranges: readonly NumberRange[], number: number): NumberRange[] {
  const joined: NumberRange[] = [];
  for (const range of [...ranges, { first: number, last: number }].sort((a, b) => a.first - b.first)) {
    const before = joined.at(-1);
    if (before && range.first <= before.last + 1)
      joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
    else joined.push(range);
  }
  return joined;
}

export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** Whether every number strictly between the two was removed. */
export function allRemoved(
  ranges: readonly NumberRange[],
  between: { readonly after: number; readonly before: number },
): boolean {
  if (between.after + 1 >= between.before) return true;
  return ranges.some((range) => range.first <= between.after + 1 && range.last >= between.before - 1);
}
