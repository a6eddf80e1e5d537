/**
 * A batch into its tables: the rejected records first, with the decision that they follow from, then the rows with the
 * position of every shard (D4, D5). Safe to repeat, and to be cut off anywhere.
 */
import type { StructField } from '@sluice/delta';
import { assert } from '../../base/assert.ts';
import type { Catalog, OpenTable } from '../catalog/index.ts';
import type { DecidedShard, OffsetRange, PartRanges, SealedRows } from '../../ports/row-writer.ts';
import { rejectsAppId, shardAppId, type Batch } from './batch.ts';
import { codeOf, messageOf } from './errors.ts';
import { ensureRejected, rejectedColumnsToAdd } from './rejected-table.ts';
import type { Decision, Definition, DeliveryStore } from './store.ts';

export type CommitOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'displaced'; readonly reason: string }
  /** `rebuild`: the engine refused the batch's file. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly rebuild: boolean };

export interface CommitContext {
  readonly definition: Definition;
  readonly store: DeliveryStore;
  readonly catalog: Catalog;
  readonly positions: ReadonlyMap<number, number | undefined>;
}

/** Codes by which @sluice/delta says that the rows themselves don't fit. */
const REFUSED = new Set(['invalid-data', 'not-null', 'engine', 'invalid-schema', 'unsupported-type']);
/** Decisions whose commit failed or is unknown, kept in case one of them still appears. */
const DECISIONS_MAX = 100;
const OPERATION = 'STREAMING UPDATE';

export async function commitBatch(batch: Batch, context: CommitContext): Promise<CommitOutcome> {
  try {
    const { database, table } = context.definition.destination;
    const open = await context.catalog.open(database, table);
    const moved = await whetherMoved(batch, open, context);
    if (moved !== undefined) return { kind: 'displaced', reason: moved };
    if (batch.sealed!.rejected !== undefined && !batch.rejectsCommitted) {
      const outcome = await commitRejects(batch, context);
      if (outcome !== undefined) return outcome;
      batch.rejectsCommitted = true;
    }
    return await commitRows(batch, open, context);
  } catch (error) {
    if (codeOf(error) === 'conflict') return { kind: 'displaced', reason: messageOf(error) };
    return { kind: 'failed', error, rebuild: REFUSED.has(codeOf(error) ?? '') };
  }
}

/** Whether the table is another one, or has other positions, than the batch was built on. */
async function whetherMoved(
  batch: Batch,
  open: OpenTable,
  { definition, positions }: CommitContext,
): Promise<string | undefined> {
  const snapshot = await open.snapshot();
  if (snapshot.metadata.id !== batch.target.tableId) return 'the table was made anew';
  for (const uid of batch.ends.keys()) {
    const version = snapshot.txnVersion(shardAppId(definition.id, uid));
    if (version !== positions.get(uid))
      return `the table is at ${version} in shard ${uid}, not at ${positions.get(uid)}`;
  }
  return undefined;
}

async function commitRejects(
  batch: Batch,
  { definition, store, catalog }: CommitContext,
): Promise<CommitOutcome | undefined> {
  const { rejected } = batch.sealed!;
  const open = await ensureRejected(catalog, definition.destination);
  const { decided, rejects } = batch.target;
  const snapshot = await open.snapshot();
  const last = snapshot.txnVersion(rejectsAppId(definition.id));
  if (last !== rejects.version)
    return { kind: 'displaced', reason: 'rejected records were committed meanwhile' };
  if (batch.decision === undefined) {
    const known = await store.decisions(definition.id);
    const id = Math.max(last ?? 0, ...known.map((each) => each.id)) + 1;
    const decision = { id, shards: mergeDecisions(decided, batch.ends, batch.sealed!) };
    await store.decide(definition.id, decision, Math.max(last ?? 0, id - DECISIONS_MAX));
    batch.decision = decision;
  }
  const { id } = batch.decision;
  const result = await open.delta.append({
    source: { kind: 'ndjson', file: rejected!.file, rows: rejected!.rows },
    txns: [{ appId: rejectsAppId(definition.id), version: id }],
    addColumns: rejectedColumnsToAdd(snapshot.schema),
    operation: OPERATION,
    operationParameters: { delivery: definition.name },
  });
  if (result.kind !== 'committed') return { kind: 'displaced', reason: `rejected records: ${result.kind}` };
  rejects.version = id;
  return undefined;
}

async function commitRows(
  batch: Batch,
  open: OpenTable,
  { definition }: CommitContext,
): Promise<CommitOutcome> {
  const { rows, addColumnsJson } = batch.sealed!;
  const result = await open.delta.append({
    source:
      rows === undefined ? { kind: 'rows', rows: [] } : { kind: 'ndjson', file: rows.file, rows: rows.rows },
    txns: [...batch.ends].map(([uid, end]) => ({ appId: shardAppId(definition.id, uid), version: end })),
    ...(addColumnsJson !== undefined && { addColumns: JSON.parse(addColumnsJson) as StructField[] }),
    operation: OPERATION,
    operationParameters: { delivery: definition.name },
  });
  if (result.kind === 'committed') return { kind: 'committed' };
  return { kind: 'displaced', reason: result.kind };
}

/**
 * What is rejected in all shards that this batch or the decision in force reaches, each up to where it was decided. A
 * batch begins where the table stands, so within its reach its own decisions are all there are besides those in force.
 */
export function mergeDecisions(
  inForce: Decision | undefined,
  ends: ReadonlyMap<number, number>,
  { rejectedOffsets, rejectedParts }: Pick<SealedRows, 'rejectedOffsets' | 'rejectedParts'>,
): Decision['shards'] {
  const merged = new Map<number, DecidedShard>();
  for (const shard of inForce?.shards ?? []) merged.set(shard.uid, shard);
  for (const [uid, to] of ends) {
    const before = merged.get(uid);
    const parts = mergeParts(before?.rejectedParts ?? [], rejectedParts.get(uid) ?? []);
    merged.set(uid, {
      uid,
      to: Math.max(to, before?.to ?? -1),
      rejected: mergeRanges(before?.rejected ?? [], rejectedOffsets.get(uid) ?? []),
      ...(parts.length > 0 && { rejectedParts: parts }),
    });
  }
  return [...merged.values()];
}

function mergeParts(left: readonly PartRanges[], right: readonly PartRanges[]): PartRanges[] {
  const merged = new Map(left);
  for (const [offset, parts] of right) merged.set(offset, mergeRanges(merged.get(offset) ?? [], parts));
  return [...merged].sort(([a], [b]) => a - b);
}

function mergeRanges(left: readonly OffsetRange[], right: readonly OffsetRange[]): OffsetRange[] {
  const sorted = [...left, ...right].sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  for (const [first, last] of merged) assert(first <= last, 'D5: a range of offsets rises');
  return merged;
}
