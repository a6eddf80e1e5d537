/** Reads a Delta table without Sluice: the log's JSON commits in order, and the Parquet files with hyparquet. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';

/** Rows in the order in which versions added them. The table must have no removed file and no checkpoint to need. */
export async function lakeRows(root: string): Promise<Record<string, unknown>[]> {
  const log = join(root, '_delta_log');
  const commits = readdirSync(log)
    .filter((name) => /^\d{20}\.json$/.test(name))
    .sort();
  const rows: Record<string, unknown>[] = [];
  for (const [version, name] of commits.entries()) {
    if (Number.parseInt(name, 10) !== version) throw new Error(`${root}: version ${version} is missing`);
    for (const line of readFileSync(join(log, name), 'utf8').split('\n').filter(Boolean)) {
      const { add } = JSON.parse(line) as { add?: { path: string } };
      if (add === undefined) continue;
      const file = await asyncBufferFromFile(join(root, decodeURIComponent(add.path)));
      rows.push(...(await parquetReadObjects({ file })));
    }
  }
  return rows;
}
