/** Copies whole objects between stores, without holding them in memory where the stores can do without. */
import { randomUUID } from 'node:crypto';
import { constants, copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DeltaError, messageOf } from '../errors.ts';
import { TEMPORARY_SUFFIX } from '../store/local-store.ts';
import { isLocal, movesFiles, type ObjectStore } from '../store/object-store.ts';
import type { FilePlace } from './file-places.ts';

export interface CopyTarget {
  readonly store: ObjectStore;
  readonly path: string;
}

/** The copy is durable and whole on return. Throws the stores' errors. */
export async function copyObject(
  from: { readonly store: ObjectStore; readonly place: FilePlace },
  to: CopyTarget,
): Promise<void> {
  const { store, place } = from;
  if (place.kind === 'outside') return fromFile(place.path, to);
  if (isLocal(store)) return fromFile(store.localPath(place.path), to);
  if (!movesFiles(store)) return to.store.put(to.path, await store.read(place.path));
  const scratch = await mkdtemp(join(tmpdir(), 'sluice-copy-'));
  try {
    const file = join(scratch, 'object');
    await store.download(place.path, file);
    await fromFile(file, to);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function fromFile(file: string, to: CopyTarget): Promise<void> {
  const { store, path } = to;
  if (isLocal(store)) {
    const target = store.localPath(path);
    const temporary = join(dirname(target), `.${randomUUID()}${TEMPORARY_SUFFIX}`);
    await guarded(file, async () => {
      await mkdir(dirname(target), { recursive: true });
      // Shares the blocks where the file system can.
      await copyFile(file, temporary, constants.COPYFILE_FICLONE);
      await rename(temporary, target);
    }).catch(async (error: unknown) => {
      await rm(temporary, { force: true });
      throw error;
    });
    await store.syncFile(path);
  } else if (movesFiles(store)) {
    await store.putFile(path, file);
  } else {
    await store.put(path, await guarded(file, () => readFile(file)));
  }
}

async function guarded<Result>(file: string, task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (cause) {
    const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const code = errno === 'ENOENT' ? 'not-found' : errno === 'ENOSPC' ? 'no-space' : 'io';
    throw new DeltaError({ code, message: `can't copy "${file}": ${messageOf(cause)}`, cause });
  }
}
