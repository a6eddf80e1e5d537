import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { MakeFile } from '../../modules/delivery/index.ts';

const OWN = /^delivery-\d+-(?:rows|rejected)\.ndjson$/;

/** Temporary files of batches in one directory, which it creates and clears of those that a crash left. */
export function openBatchFiles(directory: string): MakeFile {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) if (OWN.test(name)) rmSync(join(directory, name), { force: true });
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
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at);
      },
      remove() {
        close();
        rmSync(path, { force: true });
      },
    };
  };
}
