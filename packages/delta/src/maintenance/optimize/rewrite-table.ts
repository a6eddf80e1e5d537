/**
 * Rewrites bins of a table's files and commits them in batches.
 *
 * Invariants:
 * - O1 a commit replaces files by others that hold the same rows, and says so (`dataChange` false): readers of changes
 *   see nothing of it.
 * - O2 rows that others append meanwhile are no conflict; a bin one of whose files others removed or marked is given up,
 *   and no other bin with it.
 * - O3 an abort or a failure leaves whole commits, and no file that nothing refers to, unless a commit's outcome is
 *   unknown.
 */
import { type Action, fileKey } from '../../log/actions.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import type { TableContext } from '../../table-context.ts';
import { discardAfterFailure, discardFiles } from '../../write/append.ts';
import { forEachBounded, type LongWork, throwIfAborted } from '../long-work.ts';
import { removeOf } from '../remove-of.ts';
import type { Bin } from './bins.ts';
import { changesSince } from './changes-since.ts';
import { metricsOf } from './metrics.ts';
import { type Layout, rewriteBin, type RewrittenBin } from './rewrite-bin.ts';
import { RewriteTotals, type RewriteResult } from './rewrite-totals.ts';

/** What to rewrite, told from one state. */
export interface RewritePlan {
  readonly bins: readonly Bin[];
  readonly layout: Layout;
  readonly targetFileSizeBytes: number;
  /** As in the history of Spark's tables. */
  readonly operation: 'OPTIMIZE' | 'REORG';
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Bytes, and bins, that one commit replaces at most, unless a single bin is greater: what one failure can cost. */
const BATCH_BYTES_MAX = 2 * 2 ** 30;
const BATCH_BINS_MAX = 128;
/** Bins that are rewritten at once while they are small: a large one keeps the engine's threads busy by itself. */
const SMALL_BINS_IN_FLIGHT_MAX = 4;
const SMALL_BIN_BYTES_MAX = 16 * 2 ** 20;
/** Times that a plan is made anew because others changed the schema or the protocol. */
const PLANS_MAX = 5;
/** Times that one batch is put again without the bins that others got in the way of. */
const BATCH_ATTEMPTS_MAX = 20;

/** Throws `aborted`, and the errors of the engine, the store and the commit. Phase of the progress: `rewrite`. */
export async function rewriteTable(
  context: TableContext,
  planFor: (state: TableState) => Promise<RewritePlan>,
  work: LongWork,
): Promise<RewriteResult> {
  const totals = new RewriteTotals();
  for (let plans = 1; plans <= PLANS_MAX; plans += 1) {
    const state = await context.refresh();
    const plan = await planFor(state);
    totals.plan(plan.bins);
    if (await runPlan({ context, plan, work, totals }, state)) break;
  }
  return totals.result();
}

interface Run {
  readonly context: TableContext;
  readonly plan: RewritePlan;
  readonly work: LongWork;
  readonly totals: RewriteTotals;
}

/** Whether the plan held to its end; false when the table changed its shape on the way. */
async function runPlan(run: Run, planned: TableState): Promise<boolean> {
  const { context, plan, totals } = run;
  let state = planned;
  const gone = new Set<string>();
  for (const batch of batchesOf(plan.bins)) {
    throwIfAborted(run.work.signal, 'the optimize');
    const changes = await changesSince(context, state);
    if (!changes.sameShape) {
      totals.forget(plan.bins);
      return false;
    }
    state = changes.state;
    for (const key of changes.gone) gone.add(key);
    const bins = batch.filter((bin) => !touches(bin, gone));
    for (const bin of batch) if (!bins.includes(bin)) totals.lose(bin);
    if (bins.length === 0) continue;
    const rewritten = await rewriteBatch(run, { state, bins });
    const end = await commitBatch(run, { state, rewritten, gone });
    if (end === 'reshaped') {
      totals.forget(plan.bins);
      return false;
    }
    state = end;
  }
  return true;
}

function touches(bin: Bin, gone: ReadonlySet<string>): boolean {
  return bin.files.some((file) => gone.has(fileKey(file)));
}

function* batchesOf(bins: readonly Bin[]): Generator<Bin[], void, undefined> {
  let batch: Bin[] = [];
  let bytes = 0;
  for (const bin of bins) {
    if (batch.length > 0 && (bytes + bin.bytes > BATCH_BYTES_MAX || batch.length >= BATCH_BINS_MAX)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(bin);
    bytes += bin.bytes;
  }
  if (batch.length > 0) yield batch;
}

async function rewriteBatch(
  { context, plan, work, totals }: Run,
  { state, bins }: { state: TableState; bins: readonly Bin[] },
): Promise<RewrittenBin[]> {
  const rewritten: RewrittenBin[] = [];
  const areSmall = bins.every((bin) => bin.bytes <= SMALL_BIN_BYTES_MAX);
  try {
    await forEachBounded(bins, areSmall ? SMALL_BINS_IN_FLIGHT_MAX : 1, async (bin) => {
      throwIfAborted(work.signal, 'the optimize');
      const { layout, targetFileSizeBytes } = plan;
      rewritten.push(
        await rewriteBin(context, state, { bin, layout, targetFileSizeBytes, signal: work.signal }),
      );
      totals.read(bin);
      work.onProgress?.({
        phase: 'rewrite',
        done: totals.binsRead,
        total: totals.planned,
        bytes: totals.bytesRead,
      });
    });
    throwIfAborted(work.signal, 'the optimize');
    return rewritten;
  } catch (error) {
    await discardFiles(context, pathsOf(rewritten));
    throw error;
  }
}

/**
 * Commits the bins that nobody gets in the way of; the others are given up. Gives the state that was last looked at,
 * or `reshaped` when the table's schema or protocol is another one now, and nothing was committed.
 */
async function commitBatch(
  { context, plan, totals }: Run,
  batch: { state: TableState; rewritten: readonly RewrittenBin[]; gone: Set<string> },
): Promise<TableState | 'reshaped'> {
  let { state, rewritten } = batch;
  for (let attempt = 1; attempt <= BATCH_ATTEMPTS_MAX && rewritten.length > 0; attempt += 1) {
    const files = rewritten.flatMap(({ bin }) => bin.files);
    const outcome = await context
      .commit({
        state,
        reads: { kind: 'files', keys: new Set(files.map((file) => fileKey(file))) },
        operation: plan.operation,
        operationParameters: plan.parameters,
        operationMetrics: metricsOf(rewritten),
        actions: actionsOf(rewritten, context.now()),
      })
      .catch(async (error: unknown) => {
        await discardAfterFailure(context, { error, paths: pathsOf(rewritten) });
        throw error;
      });
    if (outcome.kind === 'committed') {
      totals.commit(outcome.version, rewritten);
      return state;
    }
    const changes = await changesSince(context, state);
    if (!changes.sameShape) {
      await discardFiles(context, pathsOf(rewritten));
      return 'reshaped';
    }
    state = changes.state;
    for (const key of changes.gone) batch.gone.add(key);
    const lost = rewritten.filter(({ bin }) => touches(bin, batch.gone));
    await discardFiles(context, pathsOf(lost));
    for (const { bin } of lost) totals.lose(bin);
    rewritten = rewritten.filter((each) => !lost.includes(each));
  }
  await discardFiles(context, pathsOf(rewritten));
  for (const { bin } of rewritten) totals.lose(bin);
  return state;
}

function actionsOf(rewritten: readonly RewrittenBin[], nowMs: number): Action[] {
  const files = rewritten.flatMap(({ bin }) => bin.files);
  return [
    ...files.map((file): Action => ({ remove: removeOf(file, { dataChange: false, nowMs }) })),
    ...rewritten.flatMap(({ adds }) => adds.map((add): Action => ({ add }))),
  ];
}

function pathsOf(rewritten: readonly RewrittenBin[]): string[] {
  return rewritten.flatMap(({ paths }) => [...paths]);
}
