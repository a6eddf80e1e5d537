import { MetaStoreError } from '../../ports/meta-store.ts';

/** Primary result codes (https://sqlite.org/rescode.html), which are the low byte of the extended ones. */
const PRIMARY = 0xff;
const FULL = 13;
const UNREADABLE: ReadonlyMap<number, string> = new Map([
  [8, "can't be written"],
  [10, "can't be read or written"],
  [11, 'is damaged'],
  [14, "can't be opened"],
  [26, 'is no SQLite database'],
]);

/** What the state of the file makes of a statement as an error for the operator; any other error as it is. */
export function toMetaStoreError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  const code = error.errcode & PRIMARY;
  if (code === FULL) {
    return new MetaStoreError({
      code: 'storage-full',
      message: 'the disk of the metadata store is full; nothing of the change was kept',
      retry: 'backoff',
      hint: 'Free space on the disk that holds the data directory.',
      cause: error,
    });
  }
  const what = UNREADABLE.get(code);
  if (what === undefined) return error;
  return new MetaStoreError({
    code: 'damaged',
    message: `${file} ${what}: ${error.message}`,
    hint: 'Check the disk and the permissions of the file; if it is damaged, restore the data directory from a copy.',
    cause: error,
  });
}
