/** What a state's checkpoint holds, as rows. */
import {
  checkpointStatsAsJson,
  tombstoneRetentionMs,
  writeStatsAsStruct,
} from '../properties/table-properties.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { AddFile, ProtocolAction, RemoveFile } from './actions.ts';
import {
  parsedPartitionType,
  parsedStatisticsType,
  parsePartitionValues,
  parseStatistics,
} from './parsed-statistics.ts';

type Row = Record<string, unknown>;

/** All but the adds and removes. */
export function stateActions(state: TableState): Row[] {
  return [
    { protocol: protocolRow(state.protocol) },
    { metaData: state.metadata },
    ...[...state.txns.values()].map((txn) => ({ txn })),
    ...[...state.domains.values()].map((domainMetadata) => ({ domainMetadata })),
  ];
}

/** The number of adds and of removes that are retained. */
export function fileActionCount(state: TableState, nowMs: number): number {
  let count = state.files.count;
  for (const _ of retainedRemoves(state, nowMs)) count += 1;
  return count;
}

/** The removes that are retained, then the adds, at most `sliceActionsMax` at once; no empty slice. */
export function* fileActionSlices(
  state: TableState,
  options: { nowMs: number; sliceActionsMax: number },
): Generator<Row[], void, undefined> {
  let slice: Row[] = [];
  for (const row of fileActions(state, options.nowMs)) {
    slice.push(row);
    if (slice.length < options.sliceActionsMax) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

function* fileActions(state: TableState, nowMs: number): Generator<Row, void, undefined> {
  for (const remove of retainedRemoves(state, nowMs)) {
    // Checkpoints keep tombstones for vacuum alone, which needs no statistics.
    const { stats: _, tags: __, ...rest } = remove;
    yield { remove: { ...rest, dataChange: false } };
  }
  const rowOf = addRows(state);
  for (const add of state.files.files()) yield { add: rowOf(add) };
}

function* retainedRemoves(state: TableState, nowMs: number): Generator<RemoveFile, void, undefined> {
  const retainedFromMs = nowMs - tombstoneRetentionMs(state.metadata.configuration);
  for (const remove of state.tombstones.values()) {
    if ((remove.deletionTimestamp ?? 0) >= retainedFromMs) yield remove;
  }
}

function addRows(state: TableState): (add: AddFile) => Row {
  const { configuration } = state.metadata;
  const withText = checkpointStatsAsJson(configuration);
  // A checkpoint changes no data.
  const plain = (add: AddFile): Row => ({
    ...add,
    dataChange: false,
    stats: withText ? (add.stats ?? null) : null,
  });
  if (!writeStatsAsStruct(configuration)) return plain;
  const statistics = parsedStatisticsType(state);
  const partition = parsedPartitionType(state);
  return (add) => ({
    ...plain(add),
    stats_parsed: parseStatistics(add.stats, statistics),
    ...(partition.fields.length === 0
      ? {}
      : { partitionValues_parsed: parsePartitionValues(add.partitionValues, partition) }),
  });
}

function protocolRow(protocol: ProtocolAction): ProtocolAction {
  return {
    minReaderVersion: protocol.minReaderVersion,
    minWriterVersion: protocol.minWriterVersion,
    readerFeatures: protocol.readerFeatures ?? null,
    writerFeatures: protocol.writerFeatures ?? null,
  };
}
