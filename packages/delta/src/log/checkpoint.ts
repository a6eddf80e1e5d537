/** Reads and writes classic checkpoints (protocol: "Checkpoints"). */
import type { Engine } from '../engine.ts';
import { assert } from '../errors.ts';
import { checkpointStatsAsJson, tombstoneRetentionMs } from '../properties/table-properties.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import type { Action, AddFile, ProtocolAction } from './actions.ts';
import { CHECKPOINT_SCHEMA } from './checkpoint-schema.ts';
import { checkedAction } from './commit-file.ts';
import { type LastCheckpoint, writeLastCheckpoint } from './last-checkpoint.ts';
import type { CheckpointFiles } from './log-listing.ts';
import { checkpointName, LOG_DIRECTORY } from './log-paths.ts';

/** Every action of a checkpoint, all of its parts together. */
export async function readCheckpoint(
  io: { store: ObjectStore; engine: Engine },
  checkpoint: CheckpointFiles,
): Promise<Action[]> {
  const actions: Action[] = [];
  for (const path of checkpoint.paths) {
    const rows = await io.engine.readParquet({ store: io.store, path, schema: CHECKPOINT_SCHEMA });
    for (const [at, row] of rows.entries()) actions.push(checkedAction(row, `${path}, row ${at + 1}`));
  }
  return actions;
}

/**
 * Writes the state as a checkpoint of its version in one part, and then the hint to it; both durable on return. Racing
 * writers of one version write the same content. Tombstones older than the table retains are left out.
 */
export async function writeCheckpoint(
  io: { store: ObjectStore; engine: Engine; root: string },
  state: TableState,
  nowMs: number,
): Promise<LastCheckpoint> {
  const rows = checkpointActions(state, nowMs);
  const path = joinPath(io.root, LOG_DIRECTORY, checkpointName(state.version));
  const written = await io.engine.writeParquet({
    store: io.store,
    schema: CHECKPOINT_SCHEMA,
    partitionColumns: [],
    source: { kind: 'rows', rows },
    directory: joinPath(io.root, LOG_DIRECTORY),
    pathFor: () => path,
  });
  assert(
    written.length === 1 && written[0]?.rows === rows.length,
    'a checkpoint is one file with all actions',
  );
  const last = { version: state.version, size: rows.length };
  await writeLastCheckpoint(io.store, io.root, last);
  return last;
}

function checkpointActions(state: TableState, nowMs: number): Record<string, unknown>[] {
  const { configuration } = state.metadata;
  const retainedFromMs = nowMs - tombstoneRetentionMs(configuration);
  const withStats = checkpointStatsAsJson(configuration);
  const rows: Record<string, unknown>[] = [
    { protocol: protocolRow(state.protocol) },
    { metaData: state.metadata },
  ];
  for (const txn of state.txns.values()) rows.push({ txn });
  for (const domainMetadata of state.domains.values()) rows.push({ domainMetadata });
  for (const remove of state.tombstones.values()) {
    if ((remove.deletionTimestamp ?? 0) >= retainedFromMs) {
      rows.push({ remove: { ...remove, dataChange: false } });
    }
  }
  for (const add of state.files.files()) rows.push({ add: addRow(add, withStats) });
  return rows;
}

/** A checkpoint changes no data. */
function addRow(add: AddFile, withStats: boolean): AddFile {
  return { ...add, dataChange: false, stats: withStats ? (add.stats ?? null) : null };
}

function protocolRow(protocol: ProtocolAction): ProtocolAction {
  return {
    minReaderVersion: protocol.minReaderVersion,
    minWriterVersion: protocol.minWriterVersion,
    readerFeatures: protocol.readerFeatures ?? null,
    writerFeatures: protocol.writerFeatures ?? null,
  };
}
