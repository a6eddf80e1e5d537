/** What a table is at its newest version: the answer to DESCRIBE DETAIL, and what its files are like. */
import { pathToFileURL } from 'node:url';
import { mappingMode, physicalName } from '../column-mapping/index.ts';
import type { AddFile } from '../log/actions.ts';
import { targetBytes } from '../maintenance/optimize/optimize.ts';
import { featuresOf } from '../protocol/features.ts';
import type { StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { recordCount } from '../stats/record-count.ts';
import { isLocal } from '../store/object-store.ts';
import type { TableContext } from '../table-context.ts';

/** Files below this share of the size that an optimize gives them count as small. */
const SMALL_FILE_SHARE = 0.5;
const CLUSTERING_DOMAIN = 'delta.clustering';

export interface TableDetail {
  readonly format: 'delta';
  readonly id: string;
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** A `file:` URL for a table on this machine, otherwise its path in the store. */
  readonly location: string;
  readonly version: number;
  /** Milliseconds since 1970; undefined where the creator did not say. */
  readonly createdMs: number | undefined;
  /** When the newest version was committed: milliseconds since 1970. */
  readonly modifiedMs: number;
  readonly partitionColumns: readonly string[];
  /** Each as the names from the top-level column down, with dots; empty for a table without clustering. */
  readonly clusteringColumns: readonly string[];
  readonly fileCount: number;
  /** Of all of the files. */
  readonly sizeBytes: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  /** All that the protocol demands, those that a legacy version implies included; sorted. */
  readonly tableFeatures: readonly string[];
  readonly statistics: TableStatistics;
}

export interface TableStatistics {
  /** Rows that a reader sees; undefined while a file has no count of its records. */
  readonly rows: number | undefined;
  /** Rows that deletion vectors take away. */
  readonly deletedRows: number;
  readonly filesWithDeletionVector: number;
  /** Files of which the log does not know the number of rows. */
  readonly filesWithoutStatistics: number;
  /** Undefined without files, as the sizes after it. */
  readonly smallestFileBytes: number | undefined;
  readonly medianFileBytes: number | undefined;
  readonly largestFileBytes: number | undefined;
  /** Files of less than half the target. */
  readonly smallFiles: number;
  /** The size that an optimize gives files: the table's property, or what suits the table's size. */
  readonly targetFileBytes: number;
  /** Distinct combinations of partition values; 1 for a table with files that is not partitioned. */
  readonly partitions: number;
}

/** The newest version's; reads new commits, and no data. Throws the errors of a refresh. */
export async function detail(context: Pick<TableContext, 'io' | 'refresh'>): Promise<TableDetail> {
  const state = await context.refresh();
  const { metadata, protocol } = state;
  const { store, root } = context.io;
  return {
    format: 'delta',
    id: metadata.id,
    name: metadata.name ?? undefined,
    description: metadata.description ?? undefined,
    location: isLocal(store) ? pathToFileURL(store.localPath(root)).href : root,
    version: state.version,
    createdMs: metadata.createdTime ?? undefined,
    modifiedMs: state.timestampMs,
    partitionColumns: metadata.partitionColumns,
    clusteringColumns: clusteringColumns(state),
    fileCount: state.files.count,
    sizeBytes: state.files.sizeBytes,
    properties: metadata.configuration,
    minReaderVersion: protocol.minReaderVersion,
    minWriterVersion: protocol.minWriterVersion,
    tableFeatures: [...featuresOf(protocol)].toSorted(),
    statistics: statisticsOf(state),
  };
}

function statisticsOf(state: TableState): TableStatistics {
  const files = [...state.files.files()];
  const targetFileBytes = targetBytes(state);
  const sizes = files.map(({ size }) => size).toSorted((a, b) => a - b);
  const vectors = files.flatMap(({ deletionVector }) => deletionVector ?? []);
  const deletedRows = vectors.reduce((sum, { cardinality }) => sum + cardinality, 0);
  const filesWithoutStatistics = files.filter(({ stats }) => recordCount(stats) === undefined).length;
  return {
    rows: filesWithoutStatistics > 0 ? undefined : files.reduce((sum, file) => sum + rowsOf(file), 0),
    deletedRows,
    filesWithDeletionVector: vectors.length,
    filesWithoutStatistics,
    smallestFileBytes: sizes[0],
    medianFileBytes: sizes[Math.floor(sizes.length / 2)],
    largestFileBytes: sizes.at(-1),
    smallFiles: sizes.filter((size) => size < targetFileBytes * SMALL_FILE_SHARE).length,
    targetFileBytes,
    partitions: new Set(files.map(partitionKey)).size,
  };
}

function rowsOf(file: AddFile): number {
  return (recordCount(file.stats) ?? 0) - (file.deletionVector?.cardinality ?? 0);
}

function partitionKey({ partitionValues }: AddFile): string {
  return JSON.stringify(Object.entries(partitionValues).toSorted());
}

/** The domain's columns are physical names, each a path (protocol: "Clustered Table"). */
function clusteringColumns(state: TableState): string[] {
  const text = state.domains.get(CLUSTERING_DOMAIN)?.configuration;
  if (text === undefined) return [];
  return clusteringPaths(text).map((path) => logicalPath(path, state).join('.'));
}

function clusteringPaths(configuration: string): string[][] {
  try {
    const { clusteringColumns: paths } = JSON.parse(configuration) as { clusteringColumns?: unknown };
    return Array.isArray(paths) ? paths.map((path) => (Array.isArray(path) ? path.map(String) : [])) : [];
  } catch {
    // The domain is another writer's; what it means there is no reason to hide the rest.
    return [];
  }
}

/** A path that leads nowhere stays as it is. */
function logicalPath(path: readonly string[], state: TableState): readonly string[] {
  const mode = mappingMode(state);
  const names: string[] = [];
  let within: StructType | undefined = state.schema;
  for (const part of path) {
    const field: StructType['fields'][number] | undefined = within?.fields.find(
      (each) => physicalName(each, mode) === part,
    );
    if (field === undefined) return path;
    names.push(field.name);
    within = typeof field.type === 'object' && field.type.type === 'struct' ? field.type : undefined;
  }
  return names;
}
