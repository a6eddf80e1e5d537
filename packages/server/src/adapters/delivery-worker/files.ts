import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { MakeFile } from '../../modules/delivery/index.ts';

const OWN = /^delivery-\d+-(?:rows|rejected)\.ndjson$/;

/** Makes the directory when it is absent, and removes what batches left in it. */
export function clearBatchFiles(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory))
    if (OWN.test(name)) rmSync(join(directory, name), { force: true });
}

/** Temporary files of batches in one directory. */
export function batchFilesIn(directory: string): MakeFile {
  return (name) => {
    const path = join(directory, name);
    const descriptor = openSync(path, 'w', 0o600);
    let open = true;
    const close = (): void => {
      if (open) closeSync(descriptor);
      open = false;
    };
    return {
      path,
      close,
      append(bytes) {
        for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at, bytes.length - at);
      },
      remove() {
        close();
        rmSync(path, { force: true });
      },
    };
  };
}
