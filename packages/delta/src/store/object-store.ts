/**
 * Where a table's bytes are: a flat space of objects named by paths with `/` between their parts, without a leading
 * one. Delta's protocol needs one thing of it beyond reading and writing: a put that only one of many racing writers
 * wins.
 *
 * Every implementation passes `objectStoreContract` of `@sluice/delta/testing`. Failures are `DeltaError`s with the
 * codes `not-found`, `no-space` and `io`.
 */
export interface ObjectStore {
  /** The bytes of an object, or of a part of it (cut at its end); rejects with `not-found` if it is absent. */
  read(path: string, range?: ByteRange): Promise<Uint8Array>;
  /** Undefined if the object is absent. */
  head(path: string): Promise<ObjectFacts | undefined>;
  /**
   * Creates the object unless it is there; of racing callers exactly one gets `created`. On return the object is
   * durable and whole, and no reader ever sees a part of it. A rejection leaves the outcome unknown: the object may
   * appear later.
   */
  putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'>;
  /** Creates or replaces the object, atomically; durable on return. */
  put(path: string, bytes: Uint8Array): Promise<void>;
  /** Objects whose path starts with `prefix`, those after `startAfter` (exclusive), in order of UTF-16 code units. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject>;
  /** Absent is fine. */
  delete(path: string): Promise<void>;
  /** Deletes many, in any order, as {@link ObjectStore.delete} does each; after a rejection some may be left. */
  deleteMany?(paths: readonly string[]): Promise<void>;
  /**
   * The whole bytes of many small objects, in the order of the paths; undefined for those that are absent. Offered
   * where it is faster than as many reads.
   */
  readMany?(paths: readonly string[]): Promise<(Uint8Array | undefined)[]>;
}

export interface ListOptions {
  /** Exclusive. */
  readonly startAfter?: string;
  /** The caller wants paths alone: a store may then give `sizeBytes` and `modifiedMs` as 0 where they cost a look-up. */
  readonly namesOnly?: boolean;
}

/** Both in bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ObjectFacts {
  readonly sizeBytes: number;
  /** Milliseconds since 1970, by the store's clock. */
  readonly modifiedMs: number;
  /** Another one for other bytes; absent if the store has no such thing. */
  readonly etag?: string;
}

export interface ListedObject extends ObjectFacts {
  readonly path: string;
}

/** What a store offers besides when its objects are files of this machine, so that an engine can use them in place. */
export interface LocalFiles {
  /** Absolute path of the object's file, whether it is there or not. */
  localPath(path: string): string;
  /** Makes a file that someone wrote at `localPath(path)` durable, its directory entry included. */
  syncFile(path: string): Promise<void>;
}

export function isLocal(store: ObjectStore): store is ObjectStore & LocalFiles {
  return 'localPath' in store && 'syncFile' in store;
}

/** What a store offers besides when it can bring objects to files of this machine, for an engine that reads files. */
export interface Localiser {
  /**
   * Brings whole objects to local files, each at most once at a time; they are there, complete and of the size given,
   * until `release` is called. The objects must be immutable: data files, deletion vectors, checkpoints. Rejects with
   * `not-found`, `no-space`, `io`, with `corrupt-log` when an object's size is not the one given, or with the signal's
   * reason; then nothing needs a release.
   */
  localise(
    objects: readonly { readonly path: string; readonly sizeBytes: number }[],
    signal?: AbortSignal,
  ): Promise<Localised>;
}

/** Local files of objects, pinned: call `release` once they are no longer read, or they take up space for ever. */
export interface Localised {
  /** Absolute path of the file of one of the objects asked for; throws for another path, and after `release`. */
  localPath(path: string): string;
  /** Idempotent. */
  release(): void;
}

/**
 * Whether the store brings objects to local files. A store is either local ({@link isLocal}), or a localiser, or
 * neither: then a reader copies objects to files of its own.
 */
export function isLocaliser(store: ObjectStore): store is ObjectStore & Localiser {
  return 'localise' in store;
}

/** What a store offers besides when it moves whole files without holding them in memory. */
export interface FileTransfer {
  /** As {@link ObjectStore.put}, of the bytes of a finished local file. */
  putFile(path: string, file: string): Promise<void>;
  /** Writes the object's bytes to a new local file; on return they are complete and checked, not synced. */
  download(path: string, file: string, options?: DownloadOptions): Promise<ObjectFacts>;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
}

export function movesFiles(store: ObjectStore): store is ObjectStore & FileTransfer {
  return 'putFile' in store && 'download' in store;
}

/** Joins parts of an object's path; empty parts vanish. */
export function joinPath(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('/');
}
