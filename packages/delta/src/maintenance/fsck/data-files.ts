import { readDeletionVector } from '../../deletion-vectors/index.ts';
import { type SqlSession, withSession } from '../../engine.ts';
import { DeltaError, isDeltaError, messageOf } from '../../errors.ts';
import type { AddFile } from '../../log/actions.ts';
import { localPaths } from '../../scan/local-files.ts';
import { quotePath } from '../../scan/quote.ts';
import type { TableIo } from '../../snapshot/load.ts';
import { recordCount } from '../../stats/record-count.ts';
import type { TableContext } from '../../table-context.ts';
import { dataFilePlace, type FilePlace, sizeAt } from '../file-places.ts';
import { forEachBounded, interruptible, type LongWork, throwIfAborted } from '../long-work.ts';
import type { Finding } from './findings.ts';
import { hiding } from './hiding-store.ts';

const LOOKUPS_IN_FLIGHT_MAX = 32;
/** Files whose footers one statement reads. */
const FOOTERS_PER_STATEMENT = 200;

export interface FileFindings {
  readonly findings: readonly Finding[];
  readonly missing: readonly AddFile[];
}

/** Looks each file up, and its deletion vector; with `deep` also reads its footer. */
export async function checkFiles(
  context: TableContext,
  files: readonly AddFile[],
  options: LongWork & { readonly deep: boolean },
): Promise<FileFindings> {
  const findings: Finding[] = [];
  const missing: AddFile[] = [];
  const sound: AddFile[] = [];
  // What readers have cached of deletion vectors says nothing of the files.
  const uncached = { ...context.io, store: hiding(context.io.store, () => false) };
  let done = 0;
  let bytes = 0;
  await forEachBounded(files, LOOKUPS_IN_FLIGHT_MAX, async (file) => {
    throwIfAborted(options.signal, 'the check');
    const found = await checkFile(context.io, uncached, file);
    findings.push(...found);
    if (found.some(({ kind }) => kind === 'missing-file')) missing.push(file);
    else if (found.every(({ kind }) => kind === 'damaged-vector')) sound.push(file);
    done += 1;
    bytes += file.size;
    options.onProgress?.({ phase: 'files', done, total: files.length, bytes });
  });
  if (options.deep) findings.push(...(await checkFooters(context, sound, options)));
  return { findings, missing };
}

async function checkFile(io: TableIo, uncached: TableIo, file: AddFile): Promise<Finding[]> {
  const findings: Finding[] = [];
  let place: FilePlace;
  try {
    place = dataFilePlace(io, file.path);
  } catch (error) {
    if (!isDeltaError(error, 'unsupported-feature')) throw error;
    return [{ kind: 'unchecked-file', path: file.path, reason: error.message }];
  }
  const size = await sizeAt(io, place);
  if (size === undefined) findings.push({ kind: 'missing-file', path: place.path });
  else if (size !== file.size) {
    findings.push({ kind: 'wrong-size', path: place.path, logged: file.size, found: size });
  }
  if (file.deletionVector) {
    try {
      await readDeletionVector(uncached, file.deletionVector);
    } catch (error) {
      if (!isDeltaError(error, 'corrupt-log') && !isDeltaError(error, 'unsupported-feature')) throw error;
      findings.push({ kind: 'damaged-vector', path: place.path, reason: error.message });
    }
  }
  return findings;
}

async function checkFooters(
  context: TableContext,
  files: readonly AddFile[],
  work: LongWork,
): Promise<Finding[]> {
  return withSession(context.io.engine, (session) =>
    interruptible(session, { signal: work.signal, what: 'the check' }, async () => {
      const findings: Finding[] = [];
      let bytes = 0;
      for (let from = 0; from < files.length; from += FOOTERS_PER_STATEMENT) {
        throwIfAborted(work.signal, 'the check');
        const batch = files.slice(from, from + FOOTERS_PER_STATEMENT);
        findings.push(...(await footerFindings(context, session, batch)));
        bytes += batch.reduce((sum, { size }) => sum + size, 0);
        work.onProgress?.({ phase: 'footers', done: from + batch.length, total: files.length, bytes });
      }
      return findings;
    }),
  );
}

async function footerFindings(
  context: TableContext,
  session: SqlSession,
  files: readonly AddFile[],
): Promise<Finding[]> {
  const local = await localPaths(context.io, files);
  try {
    const counts = await rowCounts(session, local.paths);
    return files.flatMap((file, at): Finding[] => {
      const { path } = dataFilePlace(context.io, file.path);
      const found = counts[at];
      if (typeof found !== 'number')
        return [{ kind: 'damaged-file', path, reason: found ?? 'it has no footer' }];
      const logged = recordCount(file.stats);
      return logged === undefined || logged === found
        ? []
        : [{ kind: 'wrong-row-count', path, logged, found }];
    });
  } finally {
    local.release();
  }
}

/** Rows of each file, or what is wrong with it: all in one statement if there is nothing. */
async function rowCounts(
  session: SqlSession,
  paths: readonly string[],
): Promise<(number | string | undefined)[]> {
  const read = async (some: readonly string[]): Promise<Map<string, number>> => {
    const list = some.map((path) => quotePath(path)).join(', ');
    const rows = await session.rows(`SELECT file_name, num_rows FROM parquet_file_metadata([${list}])`);
    return new Map(rows.map(([name, count]) => [String(name), Number(count)]));
  };
  try {
    const counts = await read(paths);
    return paths.map((path) => counts.get(path));
  } catch (error) {
    if (!(error instanceof DeltaError) || paths.length === 1) return paths.map(() => messageOf(error));
  }
  const counts: (number | string | undefined)[] = [];
  for (const path of paths) {
    counts.push(
      await read([path]).then(
        (found) => found.get(path),
        (error: unknown) => messageOf(error),
      ),
    );
  }
  return counts;
}
