import { DeltaError } from '../errors.ts';
import {
  type Action,
  type AddFile,
  type DomainMetadataAction,
  fileKey,
  type MetadataAction,
  type RemoveFile,
} from '../log/actions.ts';
import { columnMappingMaxId, columnMappingMode } from '../properties/table-properties.ts';
import { assertRemovable, assertWritable, featuresOf, upgradedProtocol } from '../protocol/features.ts';
import { schemaFromJson, schemaToJson } from '../schema/json.ts';
import type { StructField, StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { retryOnConflict } from '../transaction/retry-on-conflict.ts';
import { placesOf, sizeAt } from './file-places.ts';
import { forEachBounded, type LongWork, throwIfAborted } from './long-work.ts';
import { timeText } from '../schema/timestamp-text.ts';
import { removeOf } from './remove-of.ts';

/** Which version to bring back: by its number, or the one that was the newest at a time. */
export type RestoreOptions = LongWork & ({ readonly version: number } | { readonly timestampMs: number });

export interface RestoreResult {
  readonly kind: 'restored' | 'unchanged';
  /** The table's newest version, which for `restored` is the restoring commit. */
  readonly version: number;
  readonly restoredVersion: number;
  readonly filesRestored: number;
  readonly bytesRestored: number;
  readonly filesRemoved: number;
  readonly bytesRemoved: number;
  readonly filesAfter: number;
  readonly bytesAfter: number;
}

/** Look-ups of files that are under way at once. */
const LOOKUPS_IN_FLIGHT_MAX = 32;
/** Missing files that an error names. */
const MISSING_NAMED_MAX = 20;

/** The one system domain that belongs to a version; the others count on (Delta restores no other either). */
const RESTORED_DOMAIN = 'delta.clustering';

/**
 * Makes the newest version hold the rows, the schema and the properties of an earlier one, in one commit after which
 * the versions between stay readable. The protocol never loses a feature, the marks of identity columns and the column
 * ids never go back, and in-commit timestamps stay on. Concurrent commits are undone as well, if they come first.
 *
 * Phase of the progress: `check`. Throws `version-not-found`, `not-found` naming the files that a vacuum took,
 * `constraint` when rows would have to go from an append-only table, `conflict`, `aborted`; then nothing was committed.
 */
export async function restore(context: TableContext, options: RestoreOptions): Promise<RestoreResult> {
  const wanted = 'version' in options ? options.version : await context.versionAt(options.timestampMs);
  const old = await context.stateAt(wanted);
  return retryOnConflict(context, async (state) => {
    assertWritable(state);
    const plan = planRestore(state, old, context.now());
    const summary = {
      restoredVersion: wanted,
      filesRestored: plan.adds.length,
      bytesRestored: bytesOf(plan.adds),
      filesRemoved: plan.removes.length,
      bytesRemoved: bytesOf(plan.removes),
      filesAfter: old.files.count,
      bytesAfter: old.files.sizeBytes,
    };
    if (plan.actions.length === 0) return { kind: 'unchanged', version: state.version, ...summary };
    if (plan.removes.length > 0) assertRemovable(state);
    await assertPresent(context, plan.adds, options);
    throwIfAborted(options.signal, 'the restore');
    const outcome = await context.commit({
      state,
      reads: { kind: 'rows', mayMatch: () => true },
      operation: 'RESTORE',
      operationParameters:
        'version' in options
          ? { version: options.version, timestamp: null }
          : { version: null, timestamp: timeText(options.timestampMs) },
      operationMetrics: {
        tableSizeAfterRestore: summary.bytesAfter,
        numOfFilesAfterRestore: summary.filesAfter,
        numRemovedFiles: summary.filesRemoved,
        numRestoredFiles: summary.filesRestored,
        removedFilesSize: summary.bytesRemoved,
        restoredFilesSize: summary.bytesRestored,
      },
      actions: plan.actions,
    });
    if (outcome.kind === 'conflict') return outcome;
    return { kind: 'restored', version: outcome.version, ...summary };
  });
}

interface RestorePlan {
  readonly adds: readonly AddFile[];
  readonly removes: readonly RemoveFile[];
  readonly actions: readonly Action[];
}

/** What makes `state` as `old` was; no actions when it is so already. */
function planRestore(state: TableState, old: TableState, nowMs: number): RestorePlan {
  const before = new Map([...old.files.files()].map((add) => [fileKey(add), add]));
  const removes: RemoveFile[] = [];
  for (const add of state.files.files()) {
    if (!before.delete(fileKey(add))) removes.push(removeOf(add, { dataChange: true, nowMs }));
  }
  const adds = [...before.values()].map((add): AddFile => ({ ...add, dataChange: true }));
  const metaData = restoredMetadata(state, old);
  const features = [...featuresOf(old.protocol)];
  const protocol = upgradedProtocol(state.protocol, schemaFromJson(metaData.schemaString), { features });
  const actions: Action[] = [
    ...(protocol === state.protocol ? [] : [{ protocol }]),
    ...(JSON.stringify(metaData) === JSON.stringify(state.metadata) ? [] : [{ metaData }]),
    ...restoredDomains(state, old).map((domainMetadata): Action => ({ domainMetadata })),
    ...removes.map((remove): Action => ({ remove })),
    ...adds.map((add): Action => ({ add })),
  ];
  return { adds, removes, actions };
}

/** Properties that say since when something holds, or name columns of files: the old ones would be untrue. */
const KEPT_PROPERTIES = [
  'delta.enableInCommitTimestamps',
  'delta.inCommitTimestampEnablementVersion',
  'delta.inCommitTimestampEnablementTimestamp',
  'delta.enableRowTracking',
  'delta.rowTracking.materializedRowIdColumnName',
  'delta.rowTracking.materializedRowCommitVersionColumnName',
] as const;

function restoredMetadata(state: TableState, old: TableState): MetadataAction {
  const now = state.metadata.configuration;
  const then = old.metadata.configuration;
  if (columnMappingMode(now) !== columnMappingMode(then) && columnMappingMode(now) !== 'none') {
    // Files written since have other column names inside than the old schema says, and the other way round.
    if (columnMappingMode(then) !== 'none') {
      throw new DeltaError({
        code: 'unsupported-feature',
        message: `version ${old.version} maps columns by another mode (${columnMappingMode(then)}) than the table does now (${columnMappingMode(now)})`,
      });
    }
  }
  const configuration: Record<string, string> = { ...then };
  for (const name of KEPT_PROPERTIES) {
    const value = now[name];
    if (value === undefined) delete configuration[name];
    else configuration[name] = value;
  }
  const maxId = Math.max(columnMappingMaxId(now), columnMappingMaxId(then));
  if (maxId > 0) configuration['delta.columnMapping.maxColumnId'] = String(maxId);
  const schema = withHighWaterMarks(old.schema, state.schema);
  return {
    ...old.metadata,
    id: state.metadata.id,
    schemaString: schema === old.schema ? old.metadata.schemaString : schemaToJson(schema),
    configuration,
  };
}

const HIGH_WATER_MARK = 'delta.identity.highWaterMark';

/** The old schema with the marks of identity columns where they are now: values are never given twice. */
function withHighWaterMarks(old: StructType, now: StructType): StructType {
  if (!old.fields.some((field) => field.metadata['delta.identity.start'] !== undefined)) return old;
  return {
    ...old,
    fields: old.fields.map((field): StructField => {
      const current = now.fields.find((other) => other.name === field.name)?.metadata[HIGH_WATER_MARK];
      const before = field.metadata[HIGH_WATER_MARK];
      if (typeof current !== 'number' || current === before) return field;
      const step = Number(field.metadata['delta.identity.step'] ?? 1);
      const isFurther = typeof before !== 'number' || (step > 0 ? current > before : current < before);
      if (!isFurther) return field;
      return { ...field, metadata: { ...field.metadata, [HIGH_WATER_MARK]: current } };
    }),
  };
}

function restoredDomains(state: TableState, old: TableState): DomainMetadataAction[] {
  const [now, then] = [state.domains.get(RESTORED_DOMAIN), old.domains.get(RESTORED_DOMAIN)];
  if (now?.configuration === then?.configuration) return [];
  if (then !== undefined) return [then];
  return now === undefined ? [] : [{ ...now, removed: true }];
}

async function assertPresent(context: TableContext, adds: readonly AddFile[], work: LongWork): Promise<void> {
  const missing: string[] = [];
  let done = 0;
  let bytes = 0;
  await forEachBounded(adds, LOOKUPS_IN_FLIGHT_MAX, async (add) => {
    throwIfAborted(work.signal, 'the restore');
    for (const place of placesOf(context.io, add)) {
      if ((await sizeAt(context.io, place)) === undefined) missing.push(place.path);
    }
    done += 1;
    bytes += add.size;
    work.onProgress?.({ phase: 'check', done, total: adds.length, bytes });
  });
  if (missing.length === 0) return;
  const named = missing.toSorted().slice(0, MISSING_NAMED_MAX);
  const rest = missing.length > named.length ? ` and ${missing.length - named.length} more` : '';
  throw new DeltaError({
    code: 'not-found',
    message: `the version can't be restored: ${missing.length} of its files are gone: ${named.join(', ')}${rest}`,
    hint: 'A vacuum removed them. Restore a newer version, or bring the files back from a backup.',
  });
}

function bytesOf(files: readonly { readonly size?: number | null | undefined }[]): number {
  return files.reduce((sum, file) => sum + (file.size ?? 0), 0);
}
