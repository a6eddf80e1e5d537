/** Where a delivery stands, read from the logs of its tables: the one truth about what is delivered (D1, D4, D5). */
import type { Catalog, OpenTable, Snapshot } from '../catalog/index.ts';
import type { Logger } from '../../ports/observe.ts';
import type { UnknownFields } from '../../ports/row-writer.ts';
import type { ShardState, Streams } from '../streams/index.ts';
import { rejectsAppId, shardAppId, type Target } from './batch.ts';
import { deliveryError } from './errors.ts';
import type { DeliveryLimits } from './limits.ts';
import { openRejected } from './rejected-table.ts';
import type { Definition, DeliveryStore } from './store.ts';

export interface Positions {
  readonly target: Target;
  readonly shards: readonly ShardState[];
  /** Last offset in the table by shard uid; undefined where it has none. */
  readonly positions: ReadonlyMap<number, number | undefined>;
  /** First offset to read by shard uid. */
  readonly starts: ReadonlyMap<number, number>;
}

export interface PositionContext {
  readonly store: DeliveryStore;
  readonly streams: Streams;
  readonly catalog: Catalog;
  readonly logger: Logger;
  readonly limits: DeliveryLimits;
  readonly source: { readonly name: string };
}

/** Table parameter that says what happens to members that are no column. */
const UNKNOWN_FIELDS = 'sluice.unknown-fields';
const POLICIES: readonly UnknownFields[] = ['reject', 'ignore', 'evolve'];

export async function takePositions(definition: Definition, context: PositionContext): Promise<Positions> {
  const { catalog, streams, limits } = context;
  const { destination } = definition;
  const { shards } = streams.describe(context.source.name);
  const open = await catalog.open(destination.database, destination.table);
  const snapshot = await newest(open);
  const positions = new Map(
    shards.map(({ uid }) => [uid, snapshot.txnVersion(shardAppId(definition.id, uid))]),
  );
  const starts = new Map(
    shards.map(({ uid }) => [
      uid,
      Math.max((positions.get(uid) ?? -1) + 1, definition.startOffsets[uid] ?? 0),
    ]),
  );
  const target = {
    tableId: snapshot.metadata.id,
    schemaJson: JSON.stringify(snapshot.schema),
    unknownFields: policyOf(open),
    columnsAddedMax: Math.max(
      0,
      Math.min(limits.columnsAddedMax, limits.columnsMax - snapshot.schema.fields.length),
    ),
    ...(await decisionInForce(definition, context, starts)),
  };
  return { target, shards, positions, starts };
}

/**
 * The newest snapshot, even where a listing may be stale: a second look asks for the next commits by name, until one
 * is absent.
 */
export async function newest(open: OpenTable): Promise<Snapshot> {
  await open.snapshot();
  return open.snapshot();
}

/** The decision that the rejected table's last commit carried out, where the table itself isn't as far yet. */
async function decisionInForce(
  definition: Definition,
  { catalog, store, logger }: PositionContext,
  starts: ReadonlyMap<number, number>,
): Promise<Pick<Target, 'decided' | 'rejects'>> {
  const decisions = await store.decisions(definition.id);
  const rejected = await openRejected(catalog, definition.destination);
  const version = rejected && (await newest(rejected)).txnVersion(rejectsAppId(definition.id));
  const rejects = { version };
  const decision = decisions.find((candidate) => candidate.id === version);
  if (version !== undefined && decision === undefined)
    logger.error(
      { delivery: definition.name, decision: version },
      'the decision of a commit to the rejected table is lost',
    );
  const shards = decision?.shards.filter((shard) => shard.to >= (starts.get(shard.uid) ?? Infinity)) ?? [];
  return { rejects, decided: shards.length === 0 ? undefined : { id: decision!.id, shards } };
}

function policyOf(open: OpenTable): UnknownFields {
  const given = open.table.parameters[UNKNOWN_FIELDS] ?? 'ignore';
  const policy = POLICIES.find((candidate) => candidate === given.toLowerCase());
  if (policy !== undefined) return policy;
  throw deliveryError(
    'invalid',
    `the table parameter ${UNKNOWN_FIELDS} is "${given}"; it is one of ${POLICIES.join(', ')}`,
  );
}
