/**
 * Turns records into the files that a table's next version is made from, away from the event loop.
 *
 * A batch is opened with a schema, fed with runs of records, and sealed. What the batch holds lives outside the
 * caller's memory (a temporary file); nothing of it survives the process, nor needs to: the stream still has it.
 */
export interface RowWriter {
  /** Never fails: failures come from `add` and `seal`. */
  open(request: BatchRequest): RowBatch;
  /** Drops every batch. */
  close(): Promise<void>;
}

export interface RowBatch {
  /**
   * Adds records in order; the bytes may be reused once it returns. Resolves when they are in the batch. Rejects when
   * the batch can't be written (disk full, the writer stopped): discard it then.
   */
  add(runs: readonly RecordsToWrite[]): Promise<void>;
  /** Ends the batch. Its files stay until `discard`. */
  seal(): Promise<SealedRows>;
  /** Frees what the batch holds; fine at any time and more than once. */
  discard(): Promise<void>;
}

export interface BatchRequest {
  /** Fields of a Delta schema in the protocol's JSON form. */
  readonly schemaJson: string;
  readonly unknownFields: UnknownFields;
  /** Columns that `evolve` may still add to the table. */
  readonly columnsAddedMax: number;
  /** Written into the rows about rejected records. */
  readonly delivery: string;
  readonly stream: string;
  /** Rewrites every row instead of passing on the bytes of those that need no change. */
  readonly rewriteAll: boolean;
  /**
   * Decisions of an earlier attempt, by shard uid: records up to `to` that are in `rejected` are among the rejected
   * rows already and are left out here.
   */
  readonly decided: readonly DecidedShard[];
}

export type UnknownFields = 'reject' | 'ignore' | 'evolve';

export interface DecidedShard {
  readonly uid: number;
  /** Inclusive. */
  readonly to: number;
  readonly rejected: readonly OffsetRange[];
  /** Absent where no aggregated record is concerned. */
  readonly rejectedParts?: readonly PartRanges[];
}

/** First and last offset, both inclusive. */
export type OffsetRange = readonly [first: number, last: number];

/** Records of users within one aggregated record, by their sub-sequence numbers, which begin with 0; both inclusive. */
export type PartRanges = readonly [
  offset: number,
  parts: readonly (readonly [first: number, last: number])[],
];

/** Neighbouring records of one shard, laid out as the log gives them. */
export interface RecordsToWrite {
  readonly uid: number;
  readonly shardId: string;
  readonly firstOffset: number;
  readonly count: number;
  readonly arrivalMs: number;
  readonly bytes: Uint8Array;
  /** Two positions a record (key, data) and the end. */
  readonly bounds: Uint32Array;
}

export interface SealedRows {
  /** Undefined when no row came of the batch. */
  readonly rows: RowsFile | undefined;
  readonly rejected: RowsFile | undefined;
  /** Offsets of the records that this batch rejects, by shard uid, rising. */
  readonly rejectedOffsets: ReadonlyMap<number, readonly OffsetRange[]>;
  /** Likewise, of aggregated records of which parts are rejected; their offsets aren't among the others. */
  readonly rejectedParts: ReadonlyMap<number, readonly PartRanges[]>;
  readonly rejectedByCode: Readonly<Record<string, number>>;
  readonly fieldsIgnored: number;
  /** Columns that the rows need on top of the schema, as JSON of Delta fields. */
  readonly addColumnsJson: string | undefined;
}

export interface RowsFile {
  /** NDJSON: one canonical object a line. */
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
}
