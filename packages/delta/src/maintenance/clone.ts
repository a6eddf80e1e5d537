import { pathToFileURL } from 'node:url';
import { readDeletionVectors, writeDeletionVectors } from '../deletion-vectors/index.ts';
import { DeltaError } from '../errors.ts';
import type { Action, AddFile, DeletionVectorDescriptor } from '../log/actions.ts';
import { encodeFilePath } from '../log/file-path.ts';
import { isEmptyListing, listLog } from '../log/log-listing.ts';
import { assertWritable } from '../protocol/features.ts';
import type { TableIo } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { isLocal, joinPath, type ObjectStore } from '../store/object-store.ts';
import type { TableContext } from '../table-context.ts';
import { copyObject } from './copy-object.ts';
import { dataFilePlace, type FilePlace, vectorPlace } from './file-places.ts';
import { commitFirstVersion } from './first-version.ts';
import { forEachBounded, type LongWork, throwIfAborted } from './long-work.ts';

export interface CloneOptions extends LongWork {
  /** Where the new table will be; nothing must be there. */
  readonly target: { readonly store: ObjectStore; readonly root: string };
  /**
   * `shallow`: the new table names the files where they are, so that it costs nothing, and stops being readable once a
   * vacuum of the source takes them. `deep`: the files are copied.
   */
  readonly kind: 'shallow' | 'deep';
  /** Default: the newest. */
  readonly version?: number;
}

export interface CloneResult {
  /** Of the new table. */
  readonly version: number;
  readonly sourceVersion: number;
  readonly files: number;
  readonly bytes: number;
  /** Data files and files of deletion vectors. */
  readonly filesCopied: number;
}

const COPIES_IN_FLIGHT_MAX = 4;

/**
 * Makes a new table, with a history of its own, that is what the source is at a version: rows, schema, properties,
 * protocol and domains, but none of the applications' transaction ids. Both go their own ways from there.
 *
 * Phase of the progress: `copy` (files). Throws `exists` when the target is a table, `unsupported-feature` for a shallow
 * clone of a store that is no disk of this machine, `not-found` for a source file that is gone, `aborted`, and the
 * errors of the stores; then there is no new table, and what was copied is removed.
 */
export async function clone(context: TableContext, options: CloneOptions): Promise<CloneResult> {
  const state =
    options.version === undefined ? await context.refresh() : await context.stateAt(options.version);
  assertWritable(state);
  const target: TableIo = { ...options.target, engine: context.io.engine };
  if (!isEmptyListing(await listLog(target.store, { root: target.root, namesOnly: true }))) {
    throw new DeltaError({ code: 'exists', message: `there is a Delta table at "${target.root}" already` });
  }
  if (options.kind === 'shallow' && !isLocal(target.store)) {
    const message = `"${target.root}" can't be a shallow clone: it would refer from its store to files of this machine`;
    throw new DeltaError({ code: 'unsupported-feature', message, hint: 'Make a deep clone.' });
  }
  const cloned: string[] = [];
  try {
    const adds =
      options.kind === 'shallow'
        ? [...state.files.files()].map((add) => referring(context.io, add))
        : await copyAll(context, { state, target, options, cloned });
    throwIfAborted(options.signal, 'the clone');
    await commitFirstVersion({ ...context, io: target }, actionsOf(context, state, adds), {
      operation: 'CLONE',
      operationParameters: {
        source: isLocal(context.io.store) ? urlOf(context.io.store, context.io.root) : context.io.root,
        sourceVersion: state.version,
        isShallow: options.kind === 'shallow',
      },
      operationMetrics: {
        sourceTableSize: state.files.sizeBytes,
        sourceNumOfFiles: state.files.count,
        numRemovedFiles: 0,
        removedFilesSize: 0,
        numCopiedFiles: cloned.length,
        copiedFilesSize: options.kind === 'deep' ? state.files.sizeBytes : 0,
      },
    });
  } catch (error) {
    const mayHaveCommitted = error instanceof DeltaError && error.code === 'outcome-unknown';
    if (!mayHaveCommitted) await Promise.allSettled(cloned.map((path) => target.store.delete(path)));
    throw error;
  }
  const { count, sizeBytes } = state.files;
  return {
    version: 0,
    sourceVersion: state.version,
    files: count,
    bytes: sizeBytes,
    filesCopied: cloned.length,
  };
}

/** They tell when the source began to keep timestamps in commits; the clone has them from its first. */
const LEFT_OUT_PROPERTIES = new Set([
  'delta.inCommitTimestampEnablementVersion',
  'delta.inCommitTimestampEnablementTimestamp',
]);

function actionsOf(context: TableContext, state: TableState, adds: readonly AddFile[]): Action[] {
  const configuration = Object.fromEntries(
    Object.entries(state.metadata.configuration).filter(([name]) => !LEFT_OUT_PROPERTIES.has(name)),
  );
  const metaData = { ...state.metadata, id: context.uuid(), configuration, createdTime: context.now() };
  return [
    { protocol: state.protocol },
    { metaData },
    ...[...state.domains.values()].map((domainMetadata): Action => ({ domainMetadata })),
    ...adds.map((add): Action => ({ add: { ...add, dataChange: true } })),
  ];
}

/** The add as a table elsewhere says it: by absolute URIs. */
function referring(io: TableIo, add: AddFile): AddFile {
  const path = uriOf(io, dataFilePlace(io, add.path));
  const { deletionVector } = add;
  if (deletionVector === undefined || deletionVector === null) return { ...add, path };
  const place = vectorPlace(io, deletionVector);
  if (place === undefined) return { ...add, path };
  return {
    ...add,
    path,
    deletionVector: { ...deletionVector, storageType: 'p', pathOrInlineDv: uriOf(io, place) },
  };
}

function uriOf({ store }: TableIo, place: FilePlace): string {
  if (place.kind === 'outside') return pathToFileURL(place.path).href;
  if (isLocal(store)) return urlOf(store, place.path);
  throw new DeltaError({
    code: 'unsupported-feature',
    message: `a shallow clone can't refer to "${place.path}": the store has no addresses that other tables could use`,
    hint: 'Make a deep clone.',
  });
}

function urlOf(store: { localPath(path: string): string }, path: string): string {
  return pathToFileURL(store.localPath(path)).href;
}

interface DeepCopy {
  readonly state: TableState;
  readonly target: TableIo;
  readonly options: CloneOptions;
  /** Paths in the target's store, as they come to be. */
  readonly cloned: string[];
}

async function copyAll(context: TableContext, copy: DeepCopy): Promise<AddFile[]> {
  const { state, target, options, cloned } = copy;
  const source = context.io;
  const files = [...state.files.files()];
  const adds = new Map<AddFile, AddFile>();
  const vectors = new Map<string, Promise<void>>();
  let bytes = 0;
  const copyTo = async (place: FilePlace, relative: string): Promise<void> => {
    const path = joinPath(target.root, relative);
    await copyObject({ store: source.store, place }, { store: target.store, path });
    cloned.push(path);
  };
  await forEachBounded(files, COPIES_IN_FLIGHT_MAX, async (add) => {
    throwIfAborted(options.signal, 'the clone');
    const place = dataFilePlace(source, add.path);
    const relative = relativeTo(source, place) ?? `part-${context.uuid()}.parquet`;
    await copyTo(place, relative);
    const vector = add.deletionVector ?? undefined;
    let deletionVector = vector;
    if (vector?.storageType === 'u') {
      // Files of vectors are shared by many data files.
      const at = vectorPlace(source, vector);
      const shared = at === undefined ? undefined : relativeTo(source, at);
      if (at !== undefined && shared !== undefined) {
        const copied = vectors.get(shared) ?? copyTo(at, shared);
        vectors.set(shared, copied);
        await copied;
      }
    } else if (vector?.storageType === 'p') {
      deletionVector = await rewritten(context, { vector, copy });
    }
    adds.set(add, {
      ...add,
      path: encodeFilePath(relative),
      ...(deletionVector === undefined ? {} : { deletionVector }),
    });
    bytes += add.size;
    options.onProgress?.({ phase: 'copy', done: adds.size, total: files.length, bytes });
  });
  return files.flatMap((file) => adds.get(file) ?? []);
}

/** A vector that is named by an absolute path, as one of the target's own. */
async function rewritten(
  context: TableContext,
  { vector, copy }: { vector: DeletionVectorDescriptor; copy: DeepCopy },
): Promise<DeletionVectorDescriptor> {
  const sets = await readDeletionVectors(context.io, [vector]);
  const [written] = await writeDeletionVectors(copy.target, sets, context.uuid);
  if (written === undefined)
    throw new DeltaError({ code: 'corrupt-log', message: 'a deletion vector is empty' });
  const place = vectorPlace(copy.target, written);
  if (place !== undefined) copy.cloned.push(place.path);
  return written;
}

/** The path below the source's root; undefined for a file that is elsewhere. */
function relativeTo({ root }: TableIo, place: FilePlace): string | undefined {
  if (place.kind !== 'store') return undefined;
  if (root === '') return place.path;
  return place.path.startsWith(`${root}/`) ? place.path.slice(root.length + 1) : undefined;
}
