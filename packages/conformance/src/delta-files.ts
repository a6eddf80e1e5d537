/** Rows of a table as an independent reader of Parquet finds them in the files that the table's log names. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';

interface Action {
  readonly add?: { readonly path: string };
  readonly remove?: { readonly path: string };
}

/** Undefined when the table is not on this machine. For logs without checkpoints that replace their commits. */
export async function rowsOfFiles(location: string): Promise<Record<string, unknown>[] | undefined> {
  const root = fileURLToPath(location.replace(/\/*$/, '/'));
  const log = join(root, '_delta_log');
  if (!existsSync(log)) return undefined;
  const files = new Set<string>();
  const commits = (await readdir(log)).filter((name) => /^\d{20}\.json$/.test(name)).sort();
  for (const commit of commits) {
    const lines = (await readFile(join(log, commit), 'utf8')).split('\n').filter((line) => line !== '');
    for (const { add, remove } of lines.map((line) => JSON.parse(line) as Action)) {
      if (add !== undefined) files.add(decodeURIComponent(add.path));
      if (remove !== undefined) files.delete(decodeURIComponent(remove.path));
    }
  }
  const rows = [];
  for (const path of files) {
    rows.push(...(await parquetReadObjects({ file: await asyncBufferFromFile(join(root, path)) })));
  }
  return rows;
}
