/** Where the files that a log names are. */
import { stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { deletionVectorPath } from '../deletion-vectors/index.ts';
import { DeltaError, messageOf } from '../errors.ts';
import type { AddFile, DeletionVectorDescriptor } from '../log/actions.ts';
import { locateFileOf } from '../log/file-path.ts';
import type { TableIo } from '../snapshot/load.ts';
import { isLocal, joinPath } from '../store/object-store.ts';

export type FilePlace =
  /** A path in the table's store. */
  | { readonly kind: 'store'; readonly path: string }
  /** An absolute path of a file of this machine that the store does not reach. */
  | { readonly kind: 'outside'; readonly path: string };

/** What a file's place is read from. */
export type FileOfLog = Pick<AddFile, 'path' | 'deletionVector'>;

/** Throws `unsupported-feature` for a URI of another store, `corrupt-log` for one that is damaged. */
export function dataFilePlace(io: TableIo, path: string): FilePlace {
  const location = locateFileOf(io.store, path);
  if (location.kind === 'relative') return { kind: 'store', path: joinPath(io.root, location.path) };
  return withinStore(io, location.path) ?? { kind: 'outside', path: location.path };
}

/** Undefined for a vector that the log itself holds. Throws as {@link dataFilePlace}. */
export function vectorPlace(io: TableIo, descriptor: DeletionVectorDescriptor): FilePlace | undefined {
  if (descriptor.storageType === 'i') return undefined;
  if (descriptor.storageType === 'p') return dataFilePlace(io, descriptor.pathOrInlineDv);
  const path = deletionVectorPath(io, descriptor);
  return path === undefined ? undefined : { kind: 'store', path };
}

/** The data file and, if it has one in a file, the deletion vector's. */
export function placesOf(io: TableIo, file: FileOfLog): FilePlace[] {
  const data = dataFilePlace(io, file.path);
  if (file.deletionVector === undefined || file.deletionVector === null) return [data];
  const vector = vectorPlace(io, file.deletionVector);
  return vector === undefined ? [data] : [data, vector];
}

/** Bytes of the file; undefined if it is absent. */
export async function sizeAt(io: TableIo, place: FilePlace): Promise<number | undefined> {
  if (place.kind === 'store') return (await io.store.head(place.path))?.sizeBytes;
  try {
    return (await stat(place.path)).size;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) {
      return undefined;
    }
    throw new DeltaError({
      code: 'io',
      message: `can't look up "${place.path}": ${messageOf(cause)}`,
      cause,
    });
  }
}

/** The store's path of a file of this machine, where the store is its directory. */
function withinStore({ store }: TableIo, absolute: string): FilePlace | undefined {
  if (!isLocal(store)) return undefined;
  const base = store.localPath('');
  const prefix = base.endsWith(sep) ? base : base + sep;
  if (!absolute.startsWith(prefix)) return undefined;
  return { kind: 'store', path: absolute.slice(prefix.length).split(sep).join('/') };
}
