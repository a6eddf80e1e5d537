/**
 * Compaction that keeps itself small: which files are worth joining now, told from the log alone, for whoever looks
 * after tables in the background.
 *
 * Files are in tiers by their number of rows, each tier `fanIn` times the one before. Files are joined once `fanIn` of
 * one tier, or below, have come together, or once they fill a file of the final size. Either way a row moves up at least
 * one tier with each rewriting and is left alone in a file of final size, so that it is rewritten at most
 * log(rows of a final file) / log(fanIn) times, however slowly the table grows.
 */
import type { AddFile } from '../log/actions.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { recordCount } from '../stats/record-count.ts';
import type { TableContext } from '../table-context.ts';
import { assertWritable } from '../protocol/features.ts';
import type { LongWork } from './long-work.ts';
import {
  type Bin,
  BIN_FILES_MAX,
  deletedRatio,
  DELETED_ROWS_RATIO_MAX,
  partitionKey,
} from './optimize/bins.ts';
import { targetBytes } from './optimize/optimize.ts';
import { type RewritePlan, rewriteTable } from './optimize/rewrite-table.ts';
import type { RewriteResult } from './optimize/rewrite-totals.ts';

export interface AutoCompactionPolicy {
  /**
   * `table-property` (default): tables whose `delta.autoOptimize.autoCompact`, or the older `delta.autoOptimize`, is
   * true or names a mode. `unless-refused`: all but those that say false.
   */
  readonly tables?: 'table-property' | 'unless-refused';
  /** Size at which a file is final; default: half of {@link targetFileSizeBytes}. */
  readonly finalFileSizeBytes?: number;
  /** That joined files sum up to at most; default: the table's target, at most {@link AUTO_TARGET_BYTES_MAX}. */
  readonly targetFileSizeBytes?: number;
  /** Files of one tier, or below, that are joined; at least 2. Default {@link FAN_IN_DEFAULT}. */
  readonly fanIn?: number;
  /** Bytes that one compaction reads, at most, unless a single bin is greater. Default {@link PLAN_BYTES_MAX_DEFAULT}. */
  readonly planBytesMax?: number;
}

/** As Delta's own auto compaction. */
export const AUTO_TARGET_BYTES_MAX = 128 * 2 ** 20;
export const FAN_IN_DEFAULT = 10;
export const PLAN_BYTES_MAX_DEFAULT = 2 * 2 ** 30;
/** Bytes of a row, where the log says no number of rows. */
const ROW_BYTES_GUESS = 100;

/** Bins that are worth rewriting now; those that join the most files first. */
export interface CompactionPlan {
  readonly bins: readonly [Bin, ...Bin[]];
  readonly files: number;
  readonly bytes: number;
  readonly targetFileSizeBytes: number;
}

/** What is due in a table; undefined when nothing is. Pure. */
export function autoCompactionDue(
  state: Pick<TableState, 'metadata' | 'files'>,
  policy: AutoCompactionPolicy = {},
): CompactionPlan | undefined {
  if (!isWanted(state.metadata.configuration, policy.tables ?? 'table-property')) return undefined;
  const limits = limitsOf(state, policy);
  const groups = new Map<string, AddFile[]>();
  for (const file of state.files.files()) {
    // A sort once paid for is not thrown away; clustering takes such files up itself.
    if (file.clusteringProvider !== undefined && file.clusteringProvider !== null) continue;
    if (file.size >= limits.finalBytes && deletedRatio(file) <= DELETED_ROWS_RATIO_MAX) continue;
    const key = partitionKey(file.partitionValues);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  const due = [...groups.values()].flatMap((files) => dueBins(files, limits));
  const chosen: Bin[] = [];
  let bytes = 0;
  for (const bin of due.toSorted((a, b) => b.files.length - a.files.length)) {
    if (chosen.length > 0 && bytes + bin.bytes > limits.planBytes) continue;
    chosen.push(bin);
    bytes += bin.bytes;
  }
  const [first, ...rest] = chosen;
  if (first === undefined) return undefined;
  const files = chosen.reduce((sum, bin) => sum + bin.files.length, 0);
  return { bins: [first, ...rest], files, bytes, targetFileSizeBytes: limits.targetBytes };
}

/**
 * Does what is due; undefined when nothing is. As `optimize` in everything else, with `auto` true in the history.
 */
export async function autoCompact(
  context: TableContext,
  policy: AutoCompactionPolicy & LongWork = {},
): Promise<RewriteResult | undefined> {
  if (autoCompactionDue(await context.refresh(), policy) === undefined) return undefined;
  return rewriteTable(
    context,
    async (state): Promise<RewritePlan> => {
      assertWritable(state);
      const plan = autoCompactionDue(state, policy);
      return {
        bins: plan?.bins ?? [],
        layout: { kind: 'plain' },
        targetFileSizeBytes: plan?.targetFileSizeBytes ?? AUTO_TARGET_BYTES_MAX,
        operation: 'OPTIMIZE',
        parameters: { predicate: [], zOrderBy: [], auto: true },
      };
    },
    policy,
  );
}

/** The tier of a number of rows: 0 for less than `fanIn`, one more for each time that there are `fanIn` as many. */
export function tierOf(rows: number, fanIn: number): number {
  // The logarithm of an exact power may fall just below the whole number.
  return rows <= 1 ? 0 : Math.floor(Math.log(rows) / Math.log(fanIn) + 1e-9);
}

function liveRows(file: AddFile): number {
  const rows = recordCount(file.stats) ?? file.size / ROW_BYTES_GUESS;
  return Math.max(0, rows - (file.deletionVector?.cardinality ?? 0));
}

interface Limits {
  readonly targetBytes: number;
  readonly finalBytes: number;
  readonly fanIn: number;
  readonly planBytes: number;
}

function limitsOf(state: Pick<TableState, 'metadata' | 'files'>, policy: AutoCompactionPolicy): Limits {
  const target = policy.targetFileSizeBytes ?? Math.min(targetBytes(state), AUTO_TARGET_BYTES_MAX);
  return {
    targetBytes: target,
    finalBytes: Math.min(policy.finalFileSizeBytes ?? target / 2, target),
    fanIn: Math.max(2, Math.floor(policy.fanIn ?? FAN_IN_DEFAULT)),
    planBytes: policy.planBytesMax ?? PLAN_BYTES_MAX_DEFAULT,
  };
}

function isWanted(
  configuration: Readonly<Record<string, string>>,
  tables: NonNullable<AutoCompactionPolicy['tables']>,
): boolean {
  const said = configuration['delta.autoOptimize.autoCompact'] ?? configuration['delta.autoOptimize'];
  if (said === undefined) return tables === 'unless-refused';
  return said.toLowerCase() !== 'false';
}

/** Bins of one partition's files. */
function dueBins(files: readonly AddFile[], limits: Limits): Bin[] {
  const bins: Bin[] = [];
  const small: AddFile[] = [];
  for (const file of files) {
    if (file.size < limits.finalBytes) small.push(file);
    // Too large to be joined, but too much of it is deleted.
    else bins.push(binOf([file]));
  }
  const byTier = small
    .map((file) => ({ file, tier: tierOf(liveRows(file), limits.fanIn) }))
    .toSorted((a, b) => a.tier - b.tier);
  let tail = 0;
  let bytes = 0;
  // The highest tier of which, with all below, there are enough takes everything below along.
  let dueUpTo = -1;
  for (const [at, { file, tier }] of byTier.entries()) {
    if (at > 0 && tier !== byTier[at - 1]?.tier) tail = at;
    bytes += file.size;
    const sameTier = at - tail + 1;
    if (sameTier >= limits.fanIn || bytes >= limits.finalBytes) dueUpTo = tier;
  }
  const due = new Set(byTier.filter(({ tier }) => tier <= dueUpTo).map(({ file }) => file));
  return [
    ...bins,
    ...packed(
      small.filter((file) => due.has(file)),
      limits,
    ),
  ];
}

/** In the log's order; a bin whose rows would not all move up a tier waits for more. */
function packed(files: readonly AddFile[], limits: Limits): Bin[] {
  const bins: Bin[] = [];
  let open: AddFile[] = [];
  let bytes = 0;
  const close = (): void => {
    const rows = open.map(liveRows);
    const joined = tierOf(
      rows.reduce((sum, count) => sum + count, 0),
      limits.fanIn,
    );
    const movesUp = rows.every((count) => tierOf(count, limits.fanIn) < joined);
    if (open.length > 1 && (movesUp || bytes >= limits.finalBytes)) bins.push(binOf(open));
    open = [];
    bytes = 0;
  };
  for (const file of files) {
    if (bytes + file.size > limits.targetBytes || open.length >= BIN_FILES_MAX) close();
    open.push(file);
    bytes += file.size;
  }
  close();
  return bins;
}

function binOf(files: readonly AddFile[]): Bin {
  return {
    partitionValues: files[0]?.partitionValues ?? {},
    files,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  };
}
