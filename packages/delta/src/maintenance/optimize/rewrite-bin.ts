/** Writes the live rows of a bin's files as new files, which no commit names yet. */
import { posix } from 'node:path';
import { type Engine, type SqlSession, withSession } from '../../engine.ts';
import { DeltaError } from '../../errors.ts';
import type { AddFile } from '../../log/actions.ts';
import { locateFile } from '../../log/file-path.ts';
import { columnMappingMode, randomFilePrefixLength } from '../../properties/table-properties.ts';
import { quoteIdentifier } from '../../scan/quote.ts';
import { prepareFiles, preparedSql } from '../../scan/scan-files.ts';
import type { DataType, StructType } from '../../schema/types.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import { recordCount } from '../../stats/record-count.ts';
import type { TableContext } from '../../table-context.ts';
import { type DataFiles, writeDataFiles } from '../../write/data-files.ts';
import { interruptible } from '../long-work.ts';
import { type Bin, CLUSTERING_PROVIDER, CUBE_COLUMNS_TAG, CUBE_CURVE_TAG, CUBE_ID_TAG } from './bins.ts';
import { type CurveColumn, curveOrder } from './curve.ts';

/** How the rows of a bin are laid out. */
export type Layout =
  /** As they are. */
  | { readonly kind: 'plain' }
  /** Along a curve through the columns; `isClustering` marks the files as the clustering of the table. */
  | { readonly kind: 'curve'; readonly columns: readonly CurveColumn[]; readonly isClustering: boolean };

export interface RewrittenBin {
  readonly bin: Bin;
  readonly adds: readonly AddFile[];
  readonly rows: number;
  readonly bytes: number;
  /** In the store; to be discarded unless a commit names them. */
  readonly paths: readonly string[];
}

/** How much greater than the target a bin may be and still become one file. */
const ONE_FILE_SLACK = 1.25;

/**
 * The new files are durable on return, have the table's newest types and fresh statistics, and hold exactly the rows
 * that the log says the bin has. Throws `corrupt-log` when they don't, after which the new files are gone.
 */
export async function rewriteBin(
  context: TableContext,
  state: TableState,
  options: {
    readonly bin: Bin;
    readonly layout: Layout;
    readonly targetFileSizeBytes: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<RewrittenBin> {
  const { bin, layout, signal } = options;
  const schema = dataSchema(state);
  const prepared = await prepareFiles(context, state, bin.files);
  let data: DataFiles;
  try {
    const columns = schema.fields.map((field) => quoteIdentifier(field.name)).join(', ');
    const source = `SELECT ${columns} FROM (${preparedSql(prepared)})`;
    data = await withSession(context.io.engine, (session) =>
      interruptible(session, { signal, what: 'the optimize' }, async () => {
        const rows = rowsOf(bin) ?? bin.bytes / ROW_BYTES_GUESS;
        const sortBy =
          layout.kind === 'plain'
            ? undefined
            : await curveOrder(session, { source, columns: layout.columns, rows });
        const { configuration } = state.metadata;
        return writeDataFiles(
          { ...context.io, engine: writing(session, context.io.engine) },
          {
            schema,
            partitionColumns: [],
            configuration,
            domains: state.domains,
            source: { kind: 'sql', sql: source },
            nowMs: context.now(),
            uuid: context.uuid,
            directory: directoryOf(bin, configuration),
            fileSizeBytes: fileSizeBytes(bin, options.targetFileSizeBytes),
            ...(sortBy === undefined ? {} : { sortBy }),
          },
        );
      }),
    );
  } finally {
    prepared.release();
  }
  await assertSameRows(context, bin, data);
  const cube = layout.kind === 'curve' && layout.isClustering ? cubeTags(layout.columns, context.uuid()) : {};
  const adds = data.adds.map((add): AddFile => ({
    ...add,
    partitionValues: bin.partitionValues,
    dataChange: false,
    ...cube,
  }));
  return { bin, adds, rows: data.rows, bytes: data.bytes, paths: data.paths };
}

/** Bytes of a row, for want of better knowledge; only the fineness of a sort depends on it. */
const ROW_BYTES_GUESS = 100;

/** Rows that are not deleted; undefined while a file says no number. */
export function rowsOf(bin: Bin): number | undefined {
  let rows = 0;
  for (const file of bin.files) {
    const count = recordCount(file.stats);
    if (count === undefined) return undefined;
    rows += count - (file.deletionVector?.cardinality ?? 0);
  }
  return rows;
}

async function assertSameRows(context: TableContext, bin: Bin, data: DataFiles): Promise<void> {
  const expected = rowsOf(bin);
  if (expected === undefined || expected === data.rows) return;
  await Promise.allSettled(data.paths.map((path) => context.io.store.delete(path)));
  throw new DeltaError({
    code: 'corrupt-log',
    message: `the log says that ${bin.files.length} files from "${bin.files[0]?.path}" on have ${expected} rows, but they have ${data.rows}`,
    hint: 'fsck with `deep` finds the files that differ.',
  });
}

/** The columns that are in the files; nothing is demanded of rows that the table has already. */
function dataSchema({ schema, metadata }: TableState): StructType {
  const fields = schema.fields.filter((field) => !metadata.partitionColumns.includes(field.name));
  return {
    type: 'struct',
    fields: fields.map((field) => ({ ...field, nullable: true, type: relaxed(field.type) })),
  };
}

function relaxed(type: DataType): DataType {
  if (typeof type === 'string') return type;
  if (type.type === 'array') return { ...type, elementType: relaxed(type.elementType), containsNull: true };
  if (type.type === 'map') {
    return {
      ...type,
      keyType: relaxed(type.keyType),
      valueType: relaxed(type.valueType),
      valueContainsNull: true,
    };
  }
  return {
    ...type,
    fields: type.fields.map((field) => ({ ...field, nullable: true, type: relaxed(field.type) })),
  };
}

/** The engine, writing on the session's connection. */
function writing(session: SqlSession, engine: Engine): Engine {
  return {
    readParquet: (request) => engine.readParquet(request),
    writeParquet: (request) => session.writeParquet(request),
  };
}

/** Below the root: beside the first file, so that where it shows its partition, the new ones do. */
function directoryOf(bin: Bin, configuration: Readonly<Record<string, string>>): string {
  const isRandom =
    columnMappingMode(configuration) !== 'none' || randomFilePrefixLength(configuration) !== undefined;
  const [first] = bin.files;
  const location = first === undefined || isRandom ? undefined : locateFile(first.path);
  if (location?.kind !== 'relative') return '';
  const parent = posix.dirname(location.path);
  return parent === '.' ? '' : parent;
}

/** Files of even size; for a bin that is to become a single file, more than it can have. */
function fileSizeBytes(bin: Bin, targetBytes: number): number {
  if (bin.bytes <= targetBytes * ONE_FILE_SLACK) return 2 * Math.max(bin.bytes, targetBytes);
  return Math.ceil(bin.bytes / Math.ceil(bin.bytes / targetBytes));
}

function cubeTags(columns: readonly CurveColumn[], id: string): Pick<AddFile, 'tags' | 'clusteringProvider'> {
  return {
    clusteringProvider: CLUSTERING_PROVIDER,
    tags: {
      [CUBE_ID_TAG]: id,
      [CUBE_COLUMNS_TAG]: JSON.stringify(columns.map(({ name }) => name)),
      [CUBE_CURVE_TAG]: 'zorder',
    },
  };
}
