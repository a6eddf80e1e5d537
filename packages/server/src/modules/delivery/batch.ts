import type { RowBatch, SealedRows } from '../../ports/row-writer.ts';
import type { Decision } from './store.ts';

/** What a delivery read and has not committed yet. */
export interface Batch {
  readonly target: Target;
  readonly writer: RowBatch;
  /** Last offset by shard uid. */
  readonly ends: Map<number, number>;
  records: number;
  bytes: number;
  /** Smallest arrival among its records. */
  firstArrivalMs: number;
  sealed: SealedRows | undefined;
  sealedMs: number;
  /** Failed commits. */
  attempts: number;
  /** What is decided of its rejected records, once it is stored. */
  decision: Decision | undefined;
  /** The rejected records are in their table. */
  rejectsCommitted: boolean;
}

/** The table as it was when positions were taken. */
export interface Target {
  /** The Delta log's own id: another log under the same name has other positions. */
  readonly tableId: string;
  readonly schemaJson: string;
  readonly unknownFields: 'reject' | 'ignore' | 'evolve';
  readonly columnsAddedMax: number;
  /** In force until the table's positions are past it. */
  readonly decided: Decision | undefined;
  /** The decision that the rejected table's last commit of this delivery carried out; follows our own commits. */
  readonly rejects: { version: number | undefined };
}

/** The txn of a shard in the table; its version is the last offset delivered. */
export function shardAppId(deliveryId: string, uid: number): string {
  return `sluice:delivery:${deliveryId}:${uid}`;
}

/** The txn in the rejected table; its version is the id of the decision that the commit carries out. */
export function rejectsAppId(deliveryId: string): string {
  return `sluice:delivery:${deliveryId}:rejects`;
}
