/** Sluice's own paths beside the AWS protocols: for probes, for Prometheus, for `sluice status` and `sluice table`. */
import type {
  Catalog,
  TableMaintenance,
  TableOverview,
  Upkeep,
  UpkeepStatus,
} from '../../modules/catalog/index.ts';
import type { Delivery, DeliveryProgress } from '../../modules/delivery/index.ts';
import type { ConsumerFacts, Consumers, StreamFacts, Streams } from '../../modules/streams/index.ts';
import type { Logger } from '../../ports/observe.ts';
import type { Route } from '../http/index.ts';
import { createShardFactsRoute } from './shard-facts.ts';
import { streamMetrics } from './stream-metrics.ts';
import { createTableRoutes } from './tables.ts';

export type { TableAnswer } from './tables.ts';

export interface AdminOptions {
  /** State of each role, cheap enough for every probe. */
  readonly roles: () => readonly RoleState[];
  /** The text of a scrape of the metrics. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly streams: Pick<Streams, 'facts'>;
  readonly delivery: Pick<Delivery, 'progress'>;
  readonly catalog: Pick<Catalog, 'overview'>;
  readonly upkeep: Pick<Upkeep, 'status'>;
  readonly consumers: Pick<Consumers, 'facts'>;
  readonly maintenance: TableMaintenance;
  readonly logger: Logger;
  readonly version: string;
  readonly uptimeMs: () => number;
}

export interface RoleState {
  readonly name: string;
  readonly state: 'starting' | 'running' | 'failed' | 'stopping' | 'stopped';
  /** Why it doesn't run, for the operator. */
  readonly reason?: string;
}

/** The body of `GET /status`. */
export interface ServerStatus {
  readonly version: string;
  readonly uptimeMs: number;
  readonly roles: readonly RoleState[];
  readonly streams: readonly StreamFacts[];
  readonly deliveries: readonly DeliveryProgress[];
  readonly tables: readonly TableOverview[];
  readonly upkeep: UpkeepStatus;
  /** Consumers with enhanced fan-out. */
  readonly consumers: readonly ConsumerStatus[];
}

export interface ConsumerStatus {
  readonly stream: string;
  readonly name: string;
  /** Subscribed now, of those that it subscribed to since the start of the process. */
  readonly shardsSubscribed: number;
  readonly shards: number;
  readonly lagRecords: number;
  /** Of the shard that is furthest behind. */
  readonly lagMs: number;
}

/** The service name that requests to everything but probes are signed for. */
export const ADMIN_SERVICE = 'sluice';
const JSON_TYPE = 'application/json';

export function createAdminRoutes(options: AdminOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/health',
      async handle() {
        const roles = options.roles();
        const healthy = roles.every(({ state }) => state === 'running');
        return {
          status: healthy ? 200 : 503,
          contentType: JSON_TYPE,
          body: JSON.stringify({ status: healthy ? 'ok' : 'unavailable', version: options.version, roles }),
        };
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      async handle() {
        const { contentType, text } = await options.metrics();
        const facts = {
          streams: await options.streams.facts.streams(),
          consumers: options.consumers.facts(),
        };
        return { status: 200, contentType, body: text + streamMetrics(facts) };
      },
    },
    {
      method: 'GET',
      path: '/status',
      signedFor: ADMIN_SERVICE,
      handle: async () => ({
        status: 200,
        contentType: JSON_TYPE,
        body: JSON.stringify(await status(options)),
      }),
    },
    createShardFactsRoute({ streams: options.streams, signedFor: ADMIN_SERVICE }),
    ...createTableRoutes({ ...options, signedFor: ADMIN_SERVICE }),
  ];
}

async function status(options: AdminOptions): Promise<ServerStatus> {
  const [streams, deliveries, tables] = await Promise.all([
    options.streams.facts.streams(),
    options.delivery.progress(),
    options.catalog.overview(),
  ]);
  return {
    version: options.version,
    uptimeMs: options.uptimeMs(),
    roles: options.roles(),
    streams,
    deliveries,
    tables,
    upkeep: options.upkeep.status(),
    consumers: options.consumers.facts().map(consumerStatus),
  };
}

const consumerStatus = ({ stream, consumer, shards }: ConsumerFacts): ConsumerStatus => ({
  stream,
  name: consumer,
  shardsSubscribed: shards.filter(({ subscribed }) => subscribed).length,
  shards: shards.length,
  lagRecords: shards.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
  lagMs: Math.max(0, ...shards.map(({ lagMs }) => lagMs)),
});
