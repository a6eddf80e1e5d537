/**
 * Plans of resharding, as splits in two and merges of two neighbours, so that every shard has one parent or two. A plan
 * that needs several steps opens shards that it closes again: they never have a record.
 */
import { assert } from '../../../base/assert.ts';
import { evenRanges, HASH_KEY_MAX, type HashRange } from './routing.ts';

/** A shard of a plan: by its position among those that are open now, followed by those that the plan opens. */
export type PlannedRef = number;

export interface PlannedShard extends HashRange {
  readonly parent: PlannedRef;
  /** The neighbour above, where two shards are merged. */
  readonly adjacentParent?: PlannedRef;
}

export interface ReshardPlan {
  /** In the order of their making: parents come before their children. */
  readonly opened: readonly PlannedShard[];
  /** Positions of all that are closed in the end, opened ones included. */
  readonly closed: ReadonlySet<PlannedRef>;
}

/** Whether a shard can be cut so that its upper part begins at `at`; both parts then have two hash keys or more. */
export function isSplittable({ start, end }: HashRange, at: bigint): boolean {
  return at > start + 1n && at < end;
}

export function planSplit(open: readonly HashRange[], shard: PlannedRef, at: bigint): ReshardPlan {
  const planner = new Planner(open);
  planner.split(shard, at);
  return planner.plan();
}

/** `lower` and `upper` must be neighbours, in this order. */
export function planMerge(
  open: readonly HashRange[],
  { lower, upper }: { lower: PlannedRef; upper: PlannedRef },
): ReshardPlan {
  const planner = new Planner(open);
  planner.merge(lower, upper);
  return planner.plan();
}

/**
 * Equal ranges for `count` shards, to a difference that rounding made: whatever crosses a new bound is split there, then
 * the pieces of each new range are merged. Shards that have the range already stay.
 */
export function planUniform(open: readonly HashRange[], count: number): ReshardPlan {
  const planner = new Planner(open);
  const pieces = [...open.keys()].sort((a, b) => (open[a]!.start < open[b]!.start ? -1 : 1));
  const ends = snapped(
    evenRanges(count).map(({ end }) => end),
    pieces.map((ref) => open[ref]!.end),
  );
  let at = 0;
  let piece = pieces[at]!;
  for (const targetEnd of ends) {
    let merged: PlannedRef | undefined;
    for (;;) {
      let rest: PlannedRef | undefined;
      let taken = piece;
      if (planner.at(piece).end > targetEnd) [taken, rest] = planner.split(piece, targetEnd + 1n);
      merged = merged === undefined ? taken : planner.merge(merged, taken);
      const isDone = planner.at(taken).end === targetEnd;
      piece = rest ?? pieces[++at] ?? -1;
      if (isDone) break;
      assert(piece !== -1, 'open shards cover all hash keys');
    }
  }
  return planner.plan();
}

/** Hash keys that two bounds may differ by and count as one: far more than rounding makes, far less than a shard. */
const SNAP_KEYS = 1n << 24n;

/** The wanted bounds, those beside an existing one replaced by it; both rise. */
function snapped(wanted: readonly bigint[], existing: readonly bigint[]): bigint[] {
  let at = 0;
  return wanted.map((end) => {
    while (at < existing.length - 1 && existing[at]! < end - SNAP_KEYS) at++;
    const near = existing[at]!;
    return near >= end - SNAP_KEYS && near <= end + SNAP_KEYS ? near : end;
  });
}

/** Bounds of one scaling: at most double, at least half. */
export function scalingProblem(open: number, target: number): 'over-double' | 'below-half' | undefined {
  if (target > open * 2) return 'over-double';
  return target < open / 2 ? 'below-half' : undefined;
}

class Planner {
  readonly #shards: HashRange[];
  readonly #openCount: number;
  readonly #opened: PlannedShard[] = [];
  readonly #closed = new Set<PlannedRef>();

  constructor(open: readonly HashRange[]) {
    this.#shards = [...open];
    this.#openCount = open.length;
  }

  at(ref: PlannedRef): HashRange {
    return this.#shards[ref]!;
  }

  split(ref: PlannedRef, at: bigint): [PlannedRef, PlannedRef] {
    const { start, end } = this.at(ref);
    assert(at > start && at <= end, 'a split is inside of its shard');
    this.#close(ref);
    return [this.#open({ start, end: at - 1n, parent: ref }), this.#open({ start: at, end, parent: ref })];
  }

  merge(lower: PlannedRef, upper: PlannedRef): PlannedRef {
    const { start, end } = this.at(lower);
    assert(end + 1n === this.at(upper).start, 'shards that are merged are neighbours');
    this.#close(lower);
    this.#close(upper);
    return this.#open({ start, end: this.at(upper).end, parent: lower, adjacentParent: upper });
  }

  plan(): ReshardPlan {
    const left = this.#shards.filter((_, ref) => !this.#closed.has(ref));
    const covered = left.reduce((sum, { start, end }) => sum + (end - start + 1n), 0n);
    assert(covered === HASH_KEY_MAX + 1n, 'open shards cover all hash keys once');
    return { opened: this.#opened, closed: this.#closed };
  }

  #close(ref: PlannedRef): void {
    assert(!this.#closed.has(ref), 'a shard is closed once');
    this.#closed.add(ref);
  }

  #open(shard: PlannedShard): PlannedRef {
    this.#opened.push(shard);
    this.#shards.push(shard);
    return this.#openCount + this.#opened.length - 1;
  }
}
