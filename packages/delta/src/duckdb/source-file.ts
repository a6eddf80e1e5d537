import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RowSource } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import type { StructType } from '../schema/types.ts';
import { rowToNdjson } from '../write/ndjson.ts';
import { castSource } from './checked-source.ts';
import type { ScratchDirectory } from './scratch-directory.ts';
import { selectNdjson } from './source-sql.ts';

/** Rows of a `rows` source that are turned into text at once. */
const ROWS_PER_CHUNK = 1000;

/** Runs a task with a SELECT of the source's rows in the schema's types; files made for it are gone afterwards. */
export async function withSourceSql<Result>(
  from: { source: RowSource; schema: StructType; scratch: ScratchDirectory },
  task: (sql: string) => Promise<Result>,
): Promise<Result> {
  const { source, schema, scratch } = from;
  if (source.kind === 'sql') return task(castSource(source.sql, schema));
  if (source.kind === 'ndjson') {
    await assertReadableFile(source.file);
    return task(selectNdjson(source.file, schema));
  }
  const file = await scratch.newPath('.ndjson');
  try {
    await pipeline(Readable.from(chunksOf(source.rows)), createWriteStream(file));
    return await task(selectNdjson(file, schema));
  } finally {
    await rm(file, { force: true });
  }
}

/** A directory or a pattern would be read as all the files that it stands for. */
async function assertReadableFile(file: string): Promise<void> {
  const message = `the source ${JSON.stringify(file)} can't be read`;
  if (!isAbsolute(file) || file.includes('\0')) {
    throw new DeltaError({ code: 'invalid-data', message: `${message}: its path must be absolute` });
  }
  const stats = await stat(file).catch((cause: unknown) => {
    throw new DeltaError({ code: 'not-found', message, cause });
  });
  if (stats.isDirectory()) {
    throw new DeltaError({ code: 'invalid-data', message: `${message}: it is a directory` });
  }
}

function* chunksOf(rows: readonly Record<string, unknown>[]): Generator<string> {
  for (let at = 0; at < rows.length; at += ROWS_PER_CHUNK) {
    yield rows
      .slice(at, at + ROWS_PER_CHUNK)
      .map(rowToNdjson)
      .join('');
  }
}
