/** Brings data files of a table to this machine, for an engine that reads files. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddFile } from '../log/actions.ts';
import { locateFileOf } from '../log/file-path.ts';
import type { TableIo } from '../snapshot/load.ts';
import { isLocal, isLocaliser, joinPath, movesFiles, type ObjectStore } from '../store/object-store.ts';

/** Objects that are copied at once from a store that can't bring them to local files itself. */
const COPIES_AT_ONCE_MAX = 8;

export interface LocalPaths {
  /** Absolute paths, in the files' order. */
  readonly paths: readonly string[];
  /** Idempotent; the files of a remote store may be gone afterwards. */
  readonly release: () => void;
}

/** On return the files are on this machine until released. Throws the store's errors, and those of `locateFileOf`. */
export async function localPaths(io: TableIo, files: readonly AddFile[]): Promise<LocalPaths> {
  const { store, root } = io;
  const places = files.map((file) => {
    const location = locateFileOf(store, file.path);
    return location.kind === 'local' ? location : { ...location, path: joinPath(root, location.path) };
  });
  const remote = places.flatMap(({ kind, path }, at) =>
    kind === 'relative' ? [{ path, sizeBytes: files[at]?.size ?? 0 }] : [],
  );
  const local = isLocal(store)
    ? { localPath: (path: string) => store.localPath(path), release: () => undefined }
    : remote.length === 0
      ? { localPath: (path: string) => path, release: () => undefined }
      : isLocaliser(store)
        ? await store.localise(remote)
        : await copied(store, remote);
  return {
    paths: places.map(({ kind, path }) => (kind === 'local' ? path : local.localPath(path))),
    release: () => local.release(),
  };
}

async function copied(
  store: ObjectStore,
  objects: readonly { path: string }[],
): Promise<{ localPath: (path: string) => string; release: () => void }> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-scan-'));
  const release = (): void => {
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch {
      // What is left behind is in the system's temporary directory.
    }
  };
  const files = new Map(objects.map(({ path }) => [path, join(directory, `${randomUUID()}.parquet`)]));
  try {
    const queue = files.entries();
    const worker = async (): Promise<void> => {
      for (const [path, file] of queue) {
        if (movesFiles(store)) await store.download(path, file);
        else await writeFile(file, await store.read(path));
      }
    };
    await Promise.all(Array.from({ length: Math.min(COPIES_AT_ONCE_MAX, files.size) }, worker));
  } catch (error) {
    release();
    throw error;
  }
  return { localPath: (path) => files.get(path) ?? path, release };
}
