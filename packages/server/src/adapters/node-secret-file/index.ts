import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SecretFile } from '../../ports/secret-file.ts';

const OTHERS = 0o077;

export function createSecretFile(path: string): SecretFile {
  return {
    path,
    async read() {
      let file;
      try {
        file = await open(path, 'r');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'absent' };
        throw error;
      }
      try {
        // Of the open file: a path could be replaced in between.
        const { mode } = await file.stat();
        if (process.platform !== 'win32' && (mode & OTHERS) !== 0) {
          return { kind: 'loose', mode: (mode & 0o777).toString(8) };
        }
        return { kind: 'text', text: await file.readFile('utf8') };
      } finally {
        await file.close();
      }
    },
    async write(text) {
      const temporary = `${path}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        // A file of a start that was killed keeps the mode it had.
        await file.chmod(0o600);
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      const directory = await open(dirname(path), 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },
  };
}
