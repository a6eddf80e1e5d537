/** Turns files of a table into a SELECT of its rows. */
import { readDeletionVectors } from '../deletion-vectors/index.ts';
import { DeltaError } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import type { TableIo } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { columnsByFile } from './file-shapes.ts';
import { legacyColumns, legacyVariants } from './legacy-calendar.ts';
import { localPaths } from './local-files.ts';
import { type ScanColumn, scanColumns } from './scan-columns.ts';
import { type ScanFile, scanSql } from './scan-sql.ts';

/** Files of a table with all that has to be read before their SQL can be built. */
export interface PreparedFiles {
  readonly columns: readonly ScanColumn[];
  readonly files: readonly ScanFile[];
  /** Lets go of the local copies that a remote store made; the SQL must not run afterwards. Idempotent. */
  readonly release: () => void;
}

/**
 * A SELECT of the table's columns, in schema order and under their logical names, over these files, which any DuckDB
 * connection whose time zone is UTC can run: deleted rows are left out, partition values are constants, columns that
 * a file lacks are NULL, and narrower types of older files are widened.
 *
 * With `rowIds` two columns come first: `_sluice_file` (BIGINT, index into `files`) and `_sluice_row` (BIGINT, the
 * row's position in its file, deleted rows counted). Throws `corrupt-log` for a deletion vector that is damaged or
 * that the table's protocol does not list, and the store's errors.
 *
 * Local copies of a remote store's files stay until `onRelease`'s argument is called; without `onRelease`, for as long
 * as the store keeps them.
 */
export async function scanFiles(
  context: { readonly io: TableIo },
  state: TableState,
  files: readonly AddFile[],
  options: { readonly rowIds?: boolean; readonly onRelease?: (release: () => void) => void } = {},
): Promise<string> {
  const prepared = await prepareFiles(context, state, files);
  options.onRelease?.(prepared.release);
  return preparedSql(prepared, options);
}

/** The first half of {@link scanFiles}: everything that waits. */
export async function prepareFiles(
  context: { readonly io: TableIo },
  state: TableState,
  files: readonly AddFile[],
): Promise<PreparedFiles> {
  const { io } = context;
  const columns = scanColumns(state);
  const withVectors = files.filter(hasVector);
  const unlisted = withVectors[0];
  if (unlisted !== undefined && !listsVectors(state)) throw unlistedVector(unlisted);
  const vectors = await readDeletionVectors(
    io,
    withVectors.map(({ deletionVector }) => deletionVector),
  );
  const deleted = new Map(withVectors.map((file, at) => [file as AddFile, vectors[at]]));
  const { paths, release } = await localPaths(io, files);
  try {
    const ownColumns = await columnsByFile(io.engine, state, { columns, paths });
    const legacy = await legacyColumns(io.engine, columns, { files, paths });
    const inCalendar = legacyVariants();
    const scanned = files.map((add, at): ScanFile => {
      const rows = deleted.get(add);
      return {
        add,
        path: paths[at] ?? '',
        deleted: rows === undefined || rows.size === 0 ? undefined : rows,
        columns: inCalendar(ownColumns?.[at] ?? columns, legacy.get(at)),
      };
    });
    return { columns, files: scanned, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** The second half of {@link scanFiles}. */
export function preparedSql(prepared: PreparedFiles, options: { readonly rowIds?: boolean } = {}): string {
  return scanSql(prepared.files, prepared.columns, options);
}

type FileWithVector = AddFile & { readonly deletionVector: NonNullable<AddFile['deletionVector']> };

function hasVector(file: AddFile): file is FileWithVector {
  return file.deletionVector !== undefined && file.deletionVector !== null;
}

function listsVectors(state: TableState): boolean {
  return state.protocol.readerFeatures?.includes('deletionVectors') === true;
}

/** Reading on would bring deleted rows back. */
function unlistedVector(file: AddFile): DeltaError {
  return new DeltaError({
    code: 'corrupt-log',
    message: `the file "${file.path}" has a deletion vector, but the table's protocol does not list deletionVectors`,
  });
}
