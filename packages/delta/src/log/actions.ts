/** The actions of the Delta protocol that this library reads and writes, in the shape of their JSON. */

export interface MetadataAction {
  readonly id: string;
  readonly name?: string | null;
  readonly description?: string | null;
  readonly format: { readonly provider: string; readonly options?: Readonly<Record<string, string>> };
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly createdTime?: number | null;
}

export interface ProtocolAction {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  /** Present when minReaderVersion is 3. */
  readonly readerFeatures?: readonly string[] | null;
  /** Present when minWriterVersion is 7. */
  readonly writerFeatures?: readonly string[] | null;
}

export interface AddFile {
  /** URI, percent-encoded, relative to the table's root or absolute. */
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modificationTime: number;
  readonly dataChange: boolean;
  /** JSON text, as the protocol's "Per-file Statistics". */
  readonly stats?: string | null;
  readonly tags?: Readonly<Record<string, string | null>> | null;
  readonly deletionVector?: DeletionVectorDescriptor | null;
  /** Of the file's first row, where rows have ids (table feature rowTracking). */
  readonly baseRowId?: number | null;
  /** The first version that had the file's rows, where rows have ids. */
  readonly defaultRowCommitVersion?: number | null;
  /** The implementation that clustered the file (table feature clustering). */
  readonly clusteringProvider?: string | null;
}

export interface DeletionVectorDescriptor {
  readonly storageType: string;
  readonly pathOrInlineDv: string;
  readonly offset?: number | null;
  readonly sizeInBytes: number;
  readonly cardinality: number;
}

export interface RemoveFile {
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly deletionTimestamp?: number | null;
  readonly dataChange: boolean;
  readonly extendedFileMetadata?: boolean | null;
  readonly partitionValues?: Readonly<Record<string, string | null>> | null;
  /** Bytes. */
  readonly size?: number | null;
  /** JSON text, as of the add that it ends. */
  readonly stats?: string | null;
  readonly tags?: Readonly<Record<string, string | null>> | null;
  readonly deletionVector?: DeletionVectorDescriptor | null;
  readonly baseRowId?: number | null;
  readonly defaultRowCommitVersion?: number | null;
}

/** A file of row changes that only readers of the change feed look at. */
export interface AddCdcFile {
  /** As of {@link AddFile}. */
  readonly path: string;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  /** Bytes. */
  readonly size: number;
  readonly dataChange: false;
  readonly tags?: Readonly<Record<string, string | null>> | null;
}

/** In a v2 checkpoint only: a file below `_delta_log/_sidecars` that holds a part of its adds and removes. */
export interface SidecarAction {
  /** A file name, or an absolute URI. */
  readonly path: string;
  readonly sizeInBytes: number;
  /** Milliseconds since 1970. */
  readonly modificationTime: number;
  readonly tags?: Readonly<Record<string, string | null>> | null;
}

/** In a v2 checkpoint only, and in each exactly once. */
export interface CheckpointMetadataAction {
  /** That the checkpoint is of. */
  readonly version: number;
  readonly tags?: Readonly<Record<string, string | null>> | null;
}

export interface TxnAction {
  readonly appId: string;
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly lastUpdated?: number | null;
}

export interface DomainMetadataAction {
  readonly domain: string;
  readonly configuration: string;
  readonly removed: boolean;
}

/** Free form; the members that this library writes or reads. */
export interface CommitInfo {
  readonly timestamp?: number;
  readonly inCommitTimestamp?: number;
  readonly operation?: string;
  readonly operationParameters?: Readonly<Record<string, unknown>>;
  readonly operationMetrics?: Readonly<Record<string, string>>;
  readonly isBlindAppend?: boolean;
  readonly readVersion?: number;
  readonly isolationLevel?: string;
  readonly engineInfo?: string;
  readonly userMetadata?: string;
  /** Unique to one attempt to commit: how a writer knows its own commit again. */
  readonly txnId?: string;
}

/** One line of a commit, or one row of a checkpoint: exactly one member is set. */
export interface Action {
  readonly metaData?: MetadataAction | null;
  readonly protocol?: ProtocolAction | null;
  readonly add?: AddFile | null;
  readonly remove?: RemoveFile | null;
  readonly txn?: TxnAction | null;
  readonly domainMetadata?: DomainMetadataAction | null;
  readonly commitInfo?: CommitInfo | null;
  readonly cdc?: AddCdcFile | null;
  readonly sidecar?: SidecarAction | null;
  readonly checkpointMetadata?: CheckpointMetadataAction | null;
}

/** The key under which the protocol reconciles add and remove: the file and the id of its deletion vector. */
export function fileKey(file: Pick<AddFile, 'path' | 'deletionVector'>): string {
  const vector = file.deletionVector;
  if (vector === undefined || vector === null) return file.path;
  const offset = vector.offset === undefined || vector.offset === null ? '' : `@${vector.offset}`;
  return `${file.path}\n${vector.storageType}${vector.pathOrInlineDv}${offset}`;
}
