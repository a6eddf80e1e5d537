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
  list(prefix: string, options?: { startAfter?: string }): AsyncIterable<ListedObject>;
  /** Absent is fine. */
  delete(path: string): Promise<void>;
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

/** Joins parts of an object's path; empty parts vanish. */
export function joinPath(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('/');
}
