/** Writes rows as data files, and describes them as the log will. */
import { physicalSchema } from '../column-mapping/index.ts';
import type { RowSource, WrittenFile } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import type { AddFile, DomainMetadataAction } from '../log/actions.ts';
import { encodeFilePath } from '../log/file-path.ts';
import {
  columnMappingMode,
  RANDOM_PREFIX_LENGTH_DEFAULT,
  randomFilePrefixLength,
  targetFileSizeBytes,
} from '../properties/table-properties.ts';
import type { StructField, StructType } from '../schema/types.ts';
import type { TableIo } from '../snapshot/load.ts';
import { fileStatistics } from '../stats/file-statistics.ts';
import { joinPath } from '../store/object-store.ts';
import { dataFilePath } from './data-file-path.ts';
import { leafTest } from './indexed-leaves.ts';
import { hasRules, NO_RULES, type WriteRules } from './prepare.ts';

export interface DataFiles {
  readonly adds: readonly AddFile[];
  readonly rows: number;
  readonly bytes: number;
  /** Paths in the store, for removing what never got committed. */
  readonly paths: readonly string[];
}

const NO_FILES: DataFiles = { adds: [], rows: 0, bytes: 0, paths: [] };

export interface DataFilesRequest {
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly source: RowSource;
  readonly nowMs: number;
  readonly uuid: () => string;
  /** What `writeRules` says of the table; default: {@link NO_RULES}. */
  readonly rules?: WriteRules;
  /** Of the table: the columns that it is clustered by get statistics. */
  readonly domains?: ReadonlyMap<string, DomainMetadataAction>;
  /** Below the table's root; default: the root itself. */
  readonly directory?: string;
  /** As in `WriteRequest`; default: `delta.targetFileSize`. */
  readonly fileSizeBytes?: number;
  readonly rowsPerFile?: number;
  readonly rowsExpected?: number;
  readonly sortBy?: string;
}

/**
 * The files are durable on return; the table does not have them until a commit names them. Names in the log and in the
 * files are the physical ones. Throws `constraint` for a row that breaks a rule, and the engine's errors.
 */
export async function writeDataFiles(io: TableIo, request: DataFilesRequest): Promise<DataFiles> {
  const { schema, partitionColumns, configuration, rules = NO_RULES } = request;
  // Commits of other actions append nothing.
  if (request.source.kind === 'rows' && request.source.rows.length === 0) return NO_FILES;
  const isMapped = columnMappingMode(configuration) !== 'none';
  const fileSchema = isMapped ? fileSchemaOf(schema) : schema;
  const written = await io.engine.writeParquet({
    store: io.store,
    schema,
    partitionColumns,
    source: request.source,
    directory: io.root,
    pathFor: pathNamer(io, request),
    ...(isMapped ? { fileSchema } : {}),
    ...(hasRules(rules) ? rules : {}),
    ...fileBounds(request),
  });
  const partitions = partitionColumns.map((name) => ({
    name,
    inLog: nameInLog(name, { schema, fileSchema }),
  }));
  const statistics = {
    schema: fileSchema,
    partitionColumns: partitions.map(({ inLog }) => inLog),
    indexed: leafTest({ schema, fileSchema, configuration, domains: request.domains }),
  };
  return {
    adds: written.map((file) => ({
      path: encodeFilePath(file.path.slice(io.root === '' ? 0 : io.root.length + 1)),
      partitionValues: Object.fromEntries(
        partitions.map(({ name, inLog }) => [inLog, file.partitionValues[name] ?? null]),
      ),
      size: file.sizeBytes,
      modificationTime: request.nowMs,
      dataChange: true,
      stats: fileStatistics(file, statistics),
    })),
    rows: total(written, (file) => file.rows),
    bytes: total(written, (file) => file.sizeBytes),
    paths: written.map((file) => file.path),
  };
}

function pathNamer(
  io: TableIo,
  { configuration, partitionColumns, directory = '', uuid }: DataFilesRequest,
): (values: WrittenFile['partitionValues']) => string {
  // The names of columns may change where they are mapped, so that paths must not show them.
  const isMapped = columnMappingMode(configuration) !== 'none';
  const randomPrefixLength =
    randomFilePrefixLength(configuration) ?? (isMapped ? RANDOM_PREFIX_LENGTH_DEFAULT : undefined);
  return (values) =>
    joinPath(io.root, directory, dataFilePath(values, { partitionColumns, id: uuid(), randomPrefixLength }));
}

function fileBounds(
  request: DataFilesRequest,
): Pick<DataFilesRequest, 'fileSizeBytes' | 'rowsPerFile' | 'rowsExpected' | 'sortBy'> {
  const { rowsPerFile, rowsExpected, sortBy } = request;
  const fileSizeBytes = request.fileSizeBytes ?? targetFileSizeBytes(request.configuration);
  return {
    ...(fileSizeBytes === undefined ? {} : { fileSizeBytes }),
    ...(rowsPerFile === undefined ? {} : { rowsPerFile }),
    ...(rowsExpected === undefined ? {} : { rowsExpected }),
    ...(sortBy === undefined ? {} : { sortBy }),
  };
}

/** The column that says what a row of a change file is; no column of the table, so that no mapping has it. */
const CHANGE_TYPE_COLUMN = '_change_type';

function fileSchemaOf(schema: StructType): StructType {
  const fields = schema.fields.map((field): StructField => {
    if (field.name === CHANGE_TYPE_COLUMN) return field;
    const [mapped] = physicalSchema({ type: 'struct', fields: [field] }, 'name').fields;
    return mapped ?? field;
  });
  return { type: 'struct', fields };
}

function nameInLog(
  column: string,
  { schema, fileSchema }: { schema: StructType; fileSchema: StructType },
): string {
  const at = schema.fields.findIndex((field) => field.name === column);
  const name = fileSchema.fields[at]?.name;
  if (name !== undefined) return name;
  throw new DeltaError({
    code: 'invalid-schema',
    message: `the partition column "${column}" is not in the schema`,
  });
}

function total(files: readonly WrittenFile[], of: (file: WrittenFile) => number): number {
  return files.reduce((sum, file) => sum + of(file), 0);
}
