/** Writes rows that a session's SQL gives as files of the table. */
import type { Engine, RowSource, SqlSession } from '../engine.ts';
import type { MetadataAction } from '../log/actions.ts';
import { targetFileSizeBytes } from '../properties/table-properties.ts';
import type { StructType } from '../schema/types.ts';
import { type DataFiles, writeDataFiles } from '../write/data-files.ts';
import { NO_RULES, type WriteRules } from '../write/prepare.ts';
import type { Attempt } from './row-operation.ts';

export interface NewRows {
  /** A SELECT may use the session's temporary tables. */
  readonly source: RowSource;
  /** That the table is to have. */
  readonly schema: StructType;
  /** Where the operation changes it. */
  readonly metadata?: MetadataAction | undefined;
  readonly rules?: WriteRules | undefined;
  /** Below the table's root; default: the root itself. */
  readonly directory?: string;
  /** Bytes of the files that the rows come from, where there are such: as much comes of them, in files of the usual size. */
  readonly bytes?: number | undefined;
  /** As in `WriteRequest`. */
  readonly rowsExpected?: number | undefined;
}

/** Bytes of a rewritten file where the table doesn't say; that of files which Delta's own compaction makes. */
const FILE_BYTES_DEFAULT = 1024 ** 3;

/** The files are durable on return, and discarded with the attempt unless a commit names them. */
export async function writeNewRows(attempt: Attempt, rows: NewRows): Promise<DataFiles> {
  const { context, session, state, newPaths } = attempt;
  const { partitionColumns, configuration } = rows.metadata ?? state.metadata;
  const data = await writeDataFiles(
    { ...context.io, engine: engineOf(session, context.io.engine) },
    {
      schema: rows.schema,
      partitionColumns,
      configuration,
      domains: state.domains,
      source: rows.source,
      rules: rows.rules ?? NO_RULES,
      ...(rows.directory === undefined ? {} : { directory: rows.directory }),
      ...(rows.rowsExpected === undefined ? {} : { rowsExpected: rows.rowsExpected }),
      ...fileBounds(rows, configuration),
      nowMs: context.now(),
      uuid: context.uuid,
    },
  );
  newPaths.push(...data.paths);
  return data;
}

/** An end to files that would otherwise hold all that many files held. */
function fileBounds(
  { bytes = 0 }: NewRows,
  configuration: Readonly<Record<string, string>>,
): { fileSizeBytes?: number } {
  const limit = targetFileSizeBytes(configuration) ?? FILE_BYTES_DEFAULT;
  return bytes > limit ? { fileSizeBytes: limit } : {};
}

/** The engine, writing on the session's connection. */
function engineOf(session: SqlSession, engine: Engine): Engine {
  return {
    writeParquet: (request) => session.writeParquet(request),
    readParquet: (request) => engine.readParquet(request),
  };
}
