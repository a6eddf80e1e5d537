import { stat } from 'node:fs/promises';
import { deletionVectorPath } from '../deletion-vectors/index.ts';
import { DeltaError } from '../errors.ts';
import type { DeletionVectorDescriptor } from '../log/actions.ts';
import { type FileLocation, locateFileOf } from '../log/file-path.ts';
import type { TableIo } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { joinPath } from '../store/object-store.ts';
import type { CollectedChanges } from './collect-changes.ts';

/** Files that are looked at at once. */
const LOOKS_IN_FLIGHT_MAX = 16;

/**
 * Throws `changes-unavailable` if a file of the changes, or the deletion vector that it is read by, is gone. Files of
 * the newest version are not looked at, since no vacuum takes them.
 */
export async function assertFilesThere(
  io: TableIo,
  changes: CollectedChanges,
  newest: TableState,
): Promise<void> {
  const live = new Set([...newest.files.files()].map(({ path }) => path));
  const files = [...changes.inserted, ...changes.deleted, ...changes.recorded, ...changes.revectored];
  await assertThere(
    io,
    files
      .filter(({ file }) => !live.has(file.path))
      .map(({ file, version }) => ({ location: inStore(io, file.path), name: file.path, version })),
  );
  for (const { file, version } of [...changes.inserted, ...changes.deleted]) {
    if (file.deletionVector) await assertVectorsThere(io, [file.deletionVector], version);
  }
}

/** As {@link assertFilesThere}, for the deletion vectors of one version's changes. */
export async function assertVectorsThere(
  io: TableIo,
  descriptors: readonly DeletionVectorDescriptor[],
  version: number,
): Promise<void> {
  // Vectors share files.
  const paths = new Set(descriptors.flatMap((descriptor) => deletionVectorPath(io, descriptor) ?? []));
  await assertThere(
    io,
    [...paths].map((path) => ({ location: { kind: 'relative', path }, name: path, version })),
  );
}

interface SoughtFile {
  readonly location: FileLocation;
  readonly name: string;
  readonly version: number;
}

async function assertThere(io: TableIo, files: readonly SoughtFile[]): Promise<void> {
  for (let at = 0; at < files.length; at += LOOKS_IN_FLIGHT_MAX) {
    const some = files.slice(at, at + LOOKS_IN_FLIGHT_MAX);
    const found = await Promise.all(some.map(({ location }) => isThere(io, location)));
    const gone = some.find((_, index) => found[index] === false);
    if (gone !== undefined) throw filesGone(gone);
  }
}

function filesGone({ version, name }: SoughtFile): DeltaError {
  return new DeltaError({
    code: 'changes-unavailable',
    message: `the changes of version ${version} can't be read any more: the file "${name}" is gone, as after a vacuum`,
    hint: 'Begin at a later version; a longer delta.deletedFileRetentionDuration keeps changes for longer.',
  });
}

function inStore(io: TableIo, uri: string): FileLocation {
  const location = locateFileOf(io.store, uri);
  return location.kind === 'relative' ? { ...location, path: joinPath(io.root, location.path) } : location;
}

async function isThere(io: TableIo, { kind, path }: FileLocation): Promise<boolean> {
  if (kind === 'relative') return (await io.store.head(path)) !== undefined;
  return stat(path).then(
    () => true,
    () => false,
  );
}
