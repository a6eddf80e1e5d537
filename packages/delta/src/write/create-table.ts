import { DeltaError } from '../errors.ts';
import type { Action, MetadataAction } from '../log/actions.ts';
import { isEmptyListing, listLog } from '../log/log-listing.ts';
import { clusteringDomain } from '../alter/clustering-domain.ts';
import { schemaChange } from '../alter/schema-change.ts';
import { resolveProperties } from '../properties/requested-properties.ts';
import { LEAST_PROTOCOL } from '../protocol/upgrade.ts';
import { schemaToJson } from '../schema/json.ts';
import type { StructType } from '../schema/types.ts';
import type { OpenOptions, TableContext } from '../table-context.ts';
import { putCommit } from '../transaction/commit.ts';
import { describeCommit } from '../transaction/commit-info.ts';
import { stampedActions } from '../transaction/in-commit-timestamp.ts';
import { writeRules } from './prepare.ts';

export interface CreateOptions extends OpenOptions {
  readonly schema: StructType;
  readonly partitionColumns?: readonly string[];
  /** As documented for Delta's tables; `delta.feature.<name>`, `delta.minReaderVersion` and such go to the protocol. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly description?: string;
  /** Columns, nested ones by path, that the table is clustered by; none of them may partition it. */
  readonly clusterBy?: readonly (string | readonly string[])[];
}

/** As `DeltaTable.create` promises. */
export async function createTable(context: TableContext, options: CreateOptions): Promise<void> {
  const { schema, partitionColumns = [], properties = {}, clusterBy = [], name, description } = options;
  const { store, root } = context.io;
  const { configuration } = resolveProperties(properties);
  const nowMs = context.now();
  const empty: MetadataAction = {
    id: context.uuid(),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    format: { provider: 'parquet', options: {} },
    schemaString: '',
    partitionColumns,
    configuration: {},
    createdTime: nowMs,
  };
  const isClustered = clusterBy.length > 0;
  const change = schemaChange(
    { schema: { type: 'struct', fields: [] }, metadata: empty, protocol: LEAST_PROTOCOL },
    schema,
    {
      uuid: context.uuid,
      configuration,
      partitionColumns,
      requested: properties,
      features: isClustered ? ['clustering'] : [],
    },
  );
  // Rules that can't be evaluated would make a table that can't be written.
  writeRules(change);
  const metaData = { ...change.metadata, schemaString: schemaToJson(change.schema) };
  const protocol = change.actions.find((action) => action.protocol)?.protocol ?? LEAST_PROTOCOL;
  const domain = isClustered ? [{ domainMetadata: clusteringDomain(change, clusterBy) }] : [];
  if (!isEmptyListing(await listLog(store, { root }))) throw exists(root);
  const commitInfo = describeCommit({
    operation: 'CREATE TABLE',
    operationParameters: { partitionBy: partitionColumns, properties, isManaged: false },
    isBlindAppend: true,
    timestampMs: nowMs,
    txnId: context.uuid(),
  });
  const actions: Action[] = [{ commitInfo }, { protocol }, { metaData }, ...domain];
  const stamped = stampedActions(actions, { state: undefined, version: 0, previousMs: 0, nowMs });
  const outcome = await putCommit(context.io, { version: 0, txnId: commitInfo.txnId, actions: stamped });
  if (outcome.kind === 'lost') throw exists(root);
}

function exists(root: string): DeltaError {
  return new DeltaError({
    code: 'exists',
    message: `there is a Delta table at "${root}" already`,
    hint: 'Open it instead.',
  });
}
