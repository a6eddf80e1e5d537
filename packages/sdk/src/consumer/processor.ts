/** What a user writes, and what it is given. */

/** A record as its producer sent it: one of those in an aggregated record of the Kinesis Producer Library, or a whole one. */
export interface UserRecord {
  readonly partitionKey: string;
  /** Decimal; only of aggregated records whose producer gave one. */
  readonly explicitHashKey: string | undefined;
  /** Of the record of Kinesis, which all in an aggregated one share. */
  readonly sequenceNumber: string;
  /** Its place, from 0, in an aggregated record; undefined for a whole one. */
  readonly subSequenceNumber: number | undefined;
  /** A view of the memory that came from the network: yours as long as you keep it. */
  readonly data: Uint8Array;
  /** Milliseconds since 1970, by the stream's clock. */
  readonly arrivalMs: number | undefined;
}

export interface ShardContext {
  readonly shardId: string;
  /** Rises whenever the shard's lease changes hands: a fencing token for what you write elsewhere. */
  readonly term: number;
  /** Aborts when the lease is lost: what you still do, another worker does too. */
  readonly signal: AbortSignal;
  /**
   * Says that the record, or without one all that was delivered of the shard, was processed. On return it is durable:
   * neither this nor another worker gets these records again. Rejects with `lease-lost` when another worker has the
   * shard, which then goes on from the last checkpoint, and with `invalid-checkpoint` for a record before the last
   * checkpoint or one that was not delivered.
   */
  checkpoint(record?: Pick<UserRecord, 'sequenceNumber' | 'subSequenceNumber'>): Promise<void>;
}

export interface RecordBatch extends ShardContext {
  /** In order, at least one. */
  readonly records: readonly UserRecord[];
  /** How far the end of the batch is behind the end of the shard; undefined when the service did not say. */
  readonly millisBehindLatest: number | undefined;
  /** From 1; above it, the batch failed before, and the records are those that no checkpoint covers. */
  readonly attempt: number;
}

/** Processes one shard for one lease of it. Its methods are never called at the same time. */
export interface ShardProcessor {
  start?(shard: ShardContext): Promise<void> | void;
  /** The next batch comes when it resolves. When it rejects, the batch comes again. */
  process(batch: RecordBatch): Promise<void> | void;
  /**
   * The shard is closed and all of it was delivered. When it resolves, the shard is done for good, so that whatever the
   * processor still holds must be safe by then.
   */
  end?(shard: ShardContext): Promise<void> | void;
  /** The lease is about to be given up, at a stop or to another worker: the last chance for a checkpoint. */
  release?(shard: ShardContext): Promise<void> | void;
  /** The lease was lost: no checkpoint is possible any more. */
  lost?(shard: ShardContext): Promise<void> | void;
}
