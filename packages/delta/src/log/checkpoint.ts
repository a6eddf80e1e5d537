/**
 * Reads checkpoints of every kind, and writes those that the table's properties ask for (protocol: "Checkpoints").
 *
 * Invariant: a checkpoint has its name only once all that it refers to is durable.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Engine, WrittenFile } from '../engine.ts';
import { assert, DeltaError } from '../errors.ts';
import { checkpointPolicy } from '../properties/table-properties.ts';
import type { CheckpointFileActions, TableState } from '../snapshot/table-state.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import type { Action, SidecarAction } from './actions.ts';
import { checkedAction } from './checked-action.ts';
import { checkpointSchema, type CheckpointPart, CHECKPOINT_SCHEMA } from './checkpoint-schema.ts';
import { fileActionCount, fileActionSlices, stateActions } from './checkpoint-rows.ts';
import { decodeCommit } from './commit-file.ts';
import { staysBelow } from './file-path.ts';
import { type LastCheckpoint, writeLastCheckpoint } from './last-checkpoint.ts';
import type { CheckpointFiles } from './log-listing.ts';
import { checkpointName, LOG_DIRECTORY, SIDECARS_DIRECTORY, v2CheckpointName } from './log-paths.ts';
import { addTotals, NO_TOTALS, packedAdds, packedRemoves } from './packed-files.ts';

/** Adds and removes up to which a v2 checkpoint holds them itself. */
const INLINE_ACTIONS_MAX = 1000;
/** Adds and removes of one sidecar. */
const SIDECAR_ACTIONS_MAX = 100_000;
/** Files of a checkpoint that are read at once. */
const READS_IN_FLIGHT_MAX = 4;

interface LogIo {
  readonly store: ObjectStore;
  readonly engine: Engine;
  readonly root: string;
}

/** What is in a checkpoint; `actions` besides those that `files` holds in bulk. */
export interface CheckpointContent {
  readonly actions: readonly Action[];
  readonly files: CheckpointFileActions;
}

/**
 * All of a checkpoint, its parts and sidecars together. Throws `corrupt-log`, `engine` or `not-found`, by the file's
 * path, for what is damaged or gone.
 */
export async function readCheckpoint(io: LogIo, checkpoint: CheckpointFiles): Promise<CheckpointContent> {
  const top = await readFiles(io, checkpoint.paths);
  const sidecars = top.flatMap(({ actions }) => sidecarsOf(actions));
  for (const { checkpointMetadata } of top.flatMap(({ actions }) => actions)) {
    if (checkpointMetadata && checkpointMetadata.version !== checkpoint.version) {
      const message = `${checkpoint.paths[0]}: the checkpoint says to be of version ${checkpointMetadata.version}`;
      throw new DeltaError({ code: 'corrupt-log', message });
    }
  }
  for (const name of ['protocol', 'metaData'] as const) {
    if (top.some(({ actions }) => actions.some((action) => action[name]))) continue;
    const message = `${checkpoint.paths[0]}: the checkpoint has no ${name} action`;
    throw new DeltaError({ code: 'corrupt-log', message });
  }
  const rest = await readFiles(
    io,
    sidecars.map((sidecar) => sidecarPath(io.root, sidecar)),
  );
  return merged([...top, ...rest]);
}

/** The sidecars that a checkpoint refers to; read from its own files alone. */
export async function readSidecars(io: LogIo, checkpoint: CheckpointFiles): Promise<SidecarAction[]> {
  if (checkpoint.kind === 'parts') return [];
  return (await readFiles(io, checkpoint.paths)).flatMap(({ actions }) => sidecarsOf(actions));
}

/** In the store. A sidecar is in the table's own directory, whatever else its path says. */
export function sidecarPath(root: string, sidecar: SidecarAction): string {
  let name: string;
  try {
    name = decodeURIComponent(sidecar.path.slice(sidecar.path.lastIndexOf('/') + 1));
  } catch (cause) {
    const message = `the sidecar's path "${sidecar.path}" is no valid URI`;
    throw new DeltaError({ code: 'corrupt-log', message, cause });
  }
  if (name !== '' && staysBelow(name)) return joinPath(root, LOG_DIRECTORY, SIDECARS_DIRECTORY, name);
  const message = `the sidecar's path ${JSON.stringify(sidecar.path)} leads out of the table's directory`;
  throw new DeltaError({ code: 'corrupt-log', message });
}

function sidecarsOf(actions: readonly Action[]): SidecarAction[] {
  return actions.flatMap(({ sidecar }) => (sidecar ? [sidecar] : []));
}

type FileContent = CheckpointContent & {
  readonly packed?: Awaited<ReturnType<NonNullable<Engine['readCheckpoint']>>>;
};

async function readFiles(io: LogIo, paths: readonly string[]): Promise<FileContent[]> {
  const contents: FileContent[] = [];
  for (let at = 0; at < paths.length; at += READS_IN_FLIGHT_MAX) {
    const batch = paths.slice(at, at + READS_IN_FLIGHT_MAX);
    contents.push(...(await Promise.all(batch.map((path) => readFile(io, path)))));
  }
  return contents;
}

async function readFile({ store, engine }: LogIo, path: string): Promise<FileContent> {
  if (path.endsWith('.json')) return { actions: decodeCommit(await store.read(path), path), files: {} };
  const packed = await engine.readCheckpoint?.({ store, path });
  const rows = packed?.actions ?? (await engine.readParquet({ store, path, schema: CHECKPOINT_SCHEMA }));
  const actions = rows.map((row, at) => checkedAction(withStatistics(row), () => `${path}, row ${at + 1}`));
  return { actions, files: {}, packed };
}

/** Statistics that are there as a struct only, from engines that keep rows as JSON. */
function withStatistics(row: Record<string, unknown>): Record<string, unknown> {
  const { add } = row;
  if (typeof add !== 'object' || add === null || !('stats_parsed' in add)) return row;
  const { stats_parsed: parsed, partitionValues_parsed: _, ...rest } = add as Record<string, unknown>;
  return { ...row, add: { ...rest, stats: rest.stats ?? (parsed ? JSON.stringify(parsed) : null) } };
}

function merged(contents: readonly FileContent[]): CheckpointContent {
  const packed = contents.flatMap((content) => (content.packed === undefined ? [] : [content.packed]));
  const actions = contents.flatMap((content) => content.actions);
  const adds = packed.flatMap((file) => file.adds);
  const removes = packed.flatMap((file) => file.removes);
  const totals = packed.reduce((sum, file) => addTotals(sum, file.totals), NO_TOTALS);
  return {
    actions,
    files: {
      ...(adds.length === 0 ? {} : { adds: { files: packedAdds(adds), totals } }),
      ...(removes.length === 0 ? {} : { removes: packedRemoves(removes) }),
    },
  };
}

export interface WriteCheckpointOptions {
  /** Unique texts for the names of files; default: random UUIDs. */
  readonly uuid?: () => string;
  /** Default {@link INLINE_ACTIONS_MAX}. */
  readonly inlineActionsMax?: number;
  /** Default {@link SIDECAR_ACTIONS_MAX}. */
  readonly sidecarActionsMax?: number;
}

/**
 * Writes the state as a checkpoint of its version, and then the hint to it; both durable on return. It is of the v2
 * kind where the table's policy and protocol say so, otherwise a classic one in one part. Racing writers of one version
 * write the same content. Tombstones older than the table retains are left out.
 */
export async function writeCheckpoint(
  io: LogIo,
  state: TableState,
  nowMs: number,
  options: WriteCheckpointOptions = {},
): Promise<LastCheckpoint> {
  const writesV2 =
    checkpointPolicy(state.metadata.configuration) === 'v2' &&
    (state.protocol.writerFeatures ?? []).includes('v2Checkpoint');
  const last = writesV2
    ? await writeV2(io, state, { ...options, nowMs })
    : await writeClassic(io, state, nowMs);
  await writeLastCheckpoint(io.store, io.root, last);
  return last;
}

async function writeClassic(io: LogIo, state: TableState, nowMs: number): Promise<LastCheckpoint> {
  const rows = stateActions(state);
  for (const slice of fileActionSlices(state, { nowMs, sliceActionsMax: Infinity })) {
    for (const row of slice) rows.push(row);
  }
  const path = joinPath(io.root, LOG_DIRECTORY, checkpointName(state.version));
  const written = await writeRows(io, state, { path, rows, part: 'classic' });
  return {
    version: state.version,
    size: rows.length,
    sizeInBytes: written.sizeBytes,
    numOfAddFiles: state.files.count,
  };
}

async function writeV2(
  io: LogIo,
  state: TableState,
  options: WriteCheckpointOptions & { nowMs: number },
): Promise<LastCheckpoint> {
  const { nowMs, inlineActionsMax = INLINE_ACTIONS_MAX, sidecarActionsMax = SIDECAR_ACTIONS_MAX } = options;
  const uuid = (): string => asUuid((options.uuid ?? randomUUID)());
  const rows: Record<string, unknown>[] = [
    { checkpointMetadata: { version: state.version } },
    ...stateActions(state),
  ];
  const fileActions = fileActionCount(state, nowMs);
  const sidecarFiles: SidecarAction[] = [];
  for (const slice of fileActionSlices(state, { nowMs, sliceActionsMax: sidecarActionsMax })) {
    if (fileActions <= inlineActionsMax) {
      rows.push(...slice);
      continue;
    }
    const name = `${uuid()}.parquet`;
    const path = joinPath(io.root, LOG_DIRECTORY, SIDECARS_DIRECTORY, name);
    const { sizeBytes } = await writeRows(io, state, { path, rows: slice, part: 'sidecar' });
    sidecarFiles.push({ path: name, sizeInBytes: sizeBytes, modificationTime: nowMs });
  }
  for (const sidecar of sidecarFiles) rows.push({ sidecar });
  const name = v2CheckpointName(state.version, uuid());
  const path = joinPath(io.root, LOG_DIRECTORY, name);
  const written = await writeRows(io, state, { path, rows, part: 'v2' });
  const inSidecars = sidecarFiles.reduce((bytes, sidecar) => bytes + sidecar.sizeInBytes, 0);
  return {
    version: state.version,
    size: rows.length + (sidecarFiles.length > 0 ? fileActions : 0),
    sizeInBytes: written.sizeBytes + inSidecars,
    numOfAddFiles: state.files.count,
    v2Checkpoint: { path: name, sizeInBytes: written.sizeBytes, modificationTime: nowMs, sidecarFiles },
  };
}

async function writeRows(
  io: LogIo,
  state: TableState,
  file: { path: string; rows: readonly Record<string, unknown>[]; part: CheckpointPart },
): Promise<WrittenFile> {
  const [written, ...more] = await io.engine.writeParquet({
    store: io.store,
    schema: checkpointSchema(state, file.part),
    partitionColumns: [],
    source: { kind: 'rows', rows: file.rows },
    directory: joinPath(io.root, LOG_DIRECTORY),
    pathFor: () => file.path,
  });
  const isWhole = more.length === 0 && written?.rows === file.rows.length;
  assert(isWhole, 'a file of a checkpoint has all of its actions');
  return written;
}

/** Names of v2 checkpoints must hold a UUID, and the caller's unique texts need not be one. */
function asUuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text;
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
