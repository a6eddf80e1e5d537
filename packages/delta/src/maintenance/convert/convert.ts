import { withSession } from '../../engine.ts';
import { DeltaError } from '../../errors.ts';
import type { Action, AddFile } from '../../log/actions.ts';
import { encodeFilePath } from '../../log/file-path.ts';
import { isEmptyListing, listLog } from '../../log/log-listing.ts';
import { resolveProperties } from '../../properties/requested-properties.ts';
import { protocolFor } from '../../protocol/features.ts';
import { localPaths } from '../../scan/local-files.ts';
import { schemaToJson } from '../../schema/json.ts';
import type { StructField, StructType } from '../../schema/types.ts';
import { assertValidSchema } from '../../schema/validate.ts';
import { fileStatistics } from '../../stats/file-statistics.ts';
import { createContext, type OpenOptions, type TableContext } from '../../table-context.ts';
import { leafTest } from '../../write/indexed-leaves.ts';
import { commitFirstVersion } from '../first-version.ts';
import { interruptible, type LongWork, throwIfAborted } from '../long-work.ts';
import { isHiddenPath } from '../vacuum/hidden-paths.ts';
import { hiveColumns, hiveValues } from './hive-partitions.ts';
import { mergedSchema, readFooters } from './parquet-footers.ts';

export interface ConvertOptions extends OpenOptions, LongWork {
  /** The columns that the directories show (`name=value`), with their types; default: what the paths suggest. */
  readonly partitionSchema?: StructType;
  readonly properties?: Readonly<Record<string, string>>;
  /** Whether the log gets the bounds that the files' footers have (default), without which nothing is pruned. */
  readonly collectStatistics?: boolean;
}

export interface ConvertResult {
  readonly version: number;
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
}

/** Files whose footers one statement reads. */
const FILES_PER_STATEMENT = 500;

/**
 * Makes a folder of Parquet files a table in place: version 0 names every file below the root but hidden ones, and no
 * file is read beyond its footer, moved or rewritten. The schema is that of all files together.
 *
 * Phase of the progress: `footers` (files). Throws `exists` when there is a log already, `not-found` when there are no
 * files, `invalid-schema` for files or paths that don't go together, `unsupported-type`, `invalid-data`,
 * `invalid-property`, `engine` for a file that is no Parquet file, `aborted`; then nothing has changed.
 */
export async function convertToDelta(options: ConvertOptions): Promise<ConvertResult> {
  const context = createContext(options);
  const { store, root } = context.io;
  if (!isEmptyListing(await listLog(store, { root, namesOnly: true }))) {
    throw new DeltaError({ code: 'exists', message: `there is a Delta table at "${root}" already` });
  }
  const { configuration } = resolveProperties(options.properties ?? {});
  const files = await parquetFiles(context);
  const partition = hiveColumns(
    files.map(({ relative }) => relative),
    options.partitionSchema,
  );
  const found = await readAll(context, { files, partition, configuration, options });
  const { schema, adds, rows } = found;
  const partitionColumns = partition.map(({ name }) => name);
  const nowMs = context.now();
  const actions: Action[] = [
    { protocol: protocolFor(schema, options.properties ?? {}) },
    {
      metaData: {
        id: context.uuid(),
        format: { provider: 'parquet', options: {} },
        schemaString: schemaToJson(schema),
        partitionColumns,
        configuration,
        createdTime: nowMs,
      },
    },
    ...adds.map((add): Action => ({ add })),
  ];
  throwIfAborted(options.signal, 'the conversion');
  await commitFirstVersion(context, actions, {
    operation: 'CONVERT',
    operationParameters: {
      numFiles: adds.length,
      partitionedBy: partitionColumns,
      collectStats: options.collectStatistics ?? true,
    },
    operationMetrics: { numConvertedFiles: adds.length },
  });
  return { version: 0, files: adds.length, bytes: adds.reduce((sum, { size }) => sum + size, 0), rows };
}

interface FoundFile {
  /** To the table's root. */
  readonly relative: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

async function parquetFiles({ io }: TableContext): Promise<[FoundFile, ...FoundFile[]]> {
  const prefix = io.root === '' ? '' : `${io.root}/`;
  const files: FoundFile[] = [];
  for await (const { path, sizeBytes, modifiedMs } of io.store.list(prefix)) {
    const relative = path.slice(prefix.length);
    // A partition column may begin with an underscore: any directory with a `=` counts as a partition's.
    const names = [...hiveValues(relative).keys()];
    if (!isHiddenPath(relative, names) && !relative.startsWith('_change_data/')) {
      files.push({ relative, sizeBytes, modifiedMs });
    }
  }
  const [first, ...rest] = files;
  if (first === undefined) {
    throw new DeltaError({ code: 'not-found', message: `there are no files at "${io.root}" to convert` });
  }
  return [first, ...rest];
}

async function readAll(
  context: TableContext,
  request: {
    files: readonly FoundFile[];
    partition: readonly StructField[];
    configuration: Readonly<Record<string, string>>;
    options: ConvertOptions;
  },
): Promise<{ schema: StructType; adds: AddFile[]; rows: number }> {
  const { files, partition, options } = request;
  const pending = files.map((file) => ({ file, add: addOf(file, partition) }));
  const batches = Array.from({ length: Math.ceil(pending.length / FILES_PER_STATEMENT) }, (_, at) =>
    pending.slice(at * FILES_PER_STATEMENT, (at + 1) * FILES_PER_STATEMENT),
  );
  return withSession(context.io.engine, (session) =>
    interruptible(session, { signal: options.signal, what: 'the conversion' }, async () => {
      const shapes: { path: string; schema: StructType }[] = [];
      const footers: {
        add: AddFile;
        rows: number;
        columns: Parameters<typeof fileStatistics>[0]['columns'];
      }[] = [];
      let bytes = 0;
      for (const batch of batches) {
        throwIfAborted(options.signal, 'the conversion');
        const local = await localPaths(
          context.io,
          batch.map(({ add }) => add),
        );
        try {
          const named = batch.map(({ file }, at) => ({ path: file.relative, local: local.paths[at] ?? '' }));
          const schema = await mergedSchema(session, named);
          shapes.push({ path: batch[0]?.file.relative ?? '', schema });
          const read = await readFooters(
            session,
            local.paths,
            options.collectStatistics === false ? NO_COLUMNS : schema,
          );
          for (const [at, footer] of read.entries()) {
            const add = batch[at]?.add;
            if (add !== undefined) footers.push({ add, ...footer });
          }
        } finally {
          local.release();
        }
        bytes += batch.reduce((sum, { file }) => sum + file.sizeBytes, 0);
        options.onProgress?.({ phase: 'footers', done: footers.length, total: files.length, bytes });
      }
      const schema = tableSchema(shapes, partition);
      const partitionColumns = partition.map(({ name }) => name);
      assertValidSchema(schema, partitionColumns);
      const indexed = leafTest({ schema, fileSchema: schema, configuration: request.configuration });
      const adds = footers.map(({ add, rows, columns }): AddFile => ({
        ...add,
        stats: fileStatistics({ rows, columns }, { schema, partitionColumns, indexed }),
      }));
      return { schema, adds, rows: footers.reduce((sum, { rows }) => sum + rows, 0) };
    }),
  );
}

const NO_COLUMNS: StructType = { type: 'struct', fields: [] };

/** The columns of all files, then those of the directories. */
function tableSchema(
  shapes: readonly { readonly path: string; readonly schema: StructType }[],
  partition: readonly StructField[],
): StructType {
  const fields: StructField[] = [];
  for (const { path, schema } of shapes) {
    for (const candidate of schema.fields) {
      const known = fields.find(({ name }) => name.toLowerCase() === candidate.name.toLowerCase());
      if (known === undefined) fields.push(candidate);
      else if (known.name !== candidate.name || schemaText(known) !== schemaText(candidate)) {
        throw new DeltaError({
          code: 'invalid-schema',
          message: `the column "${candidate.name}" of "${path}" and the files after it is not what it is in files before`,
        });
      }
    }
  }
  for (const { name } of partition) {
    if (fields.some((field) => field.name.toLowerCase() === name.toLowerCase())) {
      throw new DeltaError({
        code: 'invalid-schema',
        message: `the column "${name}" is in the files and in their directories' names`,
      });
    }
  }
  return { type: 'struct', fields: [...fields, ...partition] };
}

function schemaText(field: StructField): string {
  return schemaToJson({ type: 'struct', fields: [field] });
}

function addOf(file: FoundFile, partition: readonly StructField[]): AddFile {
  const values = hiveValues(file.relative);
  return {
    path: encodeFilePath(file.relative),
    partitionValues: Object.fromEntries(partition.map(({ name }) => [name, values.get(name) ?? null])),
    size: file.sizeBytes,
    modificationTime: file.modifiedMs,
    dataChange: true,
  };
}
