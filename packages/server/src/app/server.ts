/**
 * The composition root: the only place that knows which adapter stands behind a port. Roles are started in the order
 * in which they need one another; the port is opened last, so that a server that answers is whole.
 */
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { LocalStore } from '@sluice/delta';
import { createDuckDbSql } from '../adapters/duckdb-sql/index.ts';
import { createLocalKeys } from '../adapters/local-keys/index.ts';
import { createNodeDisk } from '../adapters/node-disk/index.ts';
import { createSecretFile } from '../adapters/node-secret-file/index.ts';
import { createLogger } from '../adapters/pino/index.ts';
import { createMetrics } from '../adapters/prometheus/index.ts';
import { openSqliteMetaStore } from '../adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../adapters/system/index.ts';
import { createWorkerRowWriter } from '../adapters/delivery-worker/index.ts';
import { createAdminRoutes } from '../edge/admin/index.ts';
import { createAthenaService } from '../edge/athena/index.ts';
import { createFirehoseService } from '../edge/firehose/index.ts';
import { createGlueService } from '../edge/glue/index.ts';
import { createDevAuthenticate, createHttpServer, createSigV4 } from '../edge/http/index.ts';
import { createKinesisService } from '../edge/kinesis/index.ts';
import {
  createCatalog,
  createDeltaTables,
  createTableMaintenance,
  startUpkeep,
} from '../modules/catalog/index.ts';
import { createDelivery } from '../modules/delivery/index.ts';
import { createIdentity } from '../modules/identity/index.ts';
import { createQuery } from '../modules/query/index.ts';
import { createStreams } from '../modules/streams/index.ts';
import { loadConfig, type Config, type Settings } from './config.ts';
import { openDataDirectory, writeFileDurably, type DataDirectory } from './data-directory.ts';
import { AppError } from './errors.ts';
import { LazyEngine } from './lazy-engine.ts';
import { Lifecycle } from './lifecycle.ts';
import { startMqtt } from './mqtt.ts';

/** Flags that were given, and the configuration file if one was named. */
export type StartOptions = { readonly [Key in keyof Settings]?: Settings[Key] | undefined } & {
  readonly config?: string | undefined;
};

export interface RunningServer {
  readonly url: string;
  readonly dataDirectory: string;
  /** Rejects when the server can't go on; never resolves. */
  readonly failed: Promise<never>;
  /** Drains: takes no new requests, ends those under way within a bound, and releases the data directory. */
  close(): Promise<void>;
}

/** Resolves when the server answers. Rejects with an `AppError`, or a module's error, that says what to do. */
export async function start({ config: file, ...flags }: StartOptions): Promise<RunningServer> {
  const startedMs = performance.now();
  const config = loadConfig({ flags, environment: process.env, file });
  const directory = openDataDirectory(config.data);
  try {
    return await serve(config, directory, startedMs);
  } catch (error) {
    directory.close();
    throw error;
  }
}

/** Not a setting: it is never in a file or in the arguments of a process. */
const PASSPHRASE = 'SLUICE_MASTER_KEY_PASSPHRASE';

/** For writing and rewriting tables; queries have a process of their own. */
const TABLE_ENGINE = { memoryLimit: '1GB' };

async function serve(config: Config, directory: DataDirectory, startedMs: number): Promise<RunningServer> {
  const clock = createSystemClock();
  const random = createSystemRandom();
  const logger = createLogger(config.logLevel);
  const metrics = createMetrics();
  const shared = { clock, random, metrics };
  const roles = new Lifecycle(clock, logger);
  const failure = Promise.withResolvers<never>();
  // Whoever runs the server waits for it; a start that fails first has its own error.
  failure.promise.catch(() => undefined);
  const log = (role: string) => logger.child({ role });

  const meta = await roles.start('metadata', () => openSqliteMetaStore(directory.metaFile));
  const identity = await roles.start('identity', async () => {
    const secretFile = createSecretFile(directory.credentialsFile);
    return withClose(await createIdentity({ secretFile, random, accountId: config.account }));
  });
  const streams = await roles.start('streams', () =>
    createStreams({
      ...shared,
      disk: createNodeDisk(),
      directory: directory.root,
      meta,
      logger: log('streams'),
      capacity: config.limits,
      keys: createLocalKeys({
        file: createSecretFile(directory.masterKeysFile),
        passphrase: process.env[PASSPHRASE] || undefined,
      }),
      onFailed: (error) => failure.reject(error),
    }),
  );
  const catalog = await roles.start('catalog', async () => {
    const engine = new LazyEngine({ ...TABLE_ENGINE, temporaryDirectory: directory.temp });
    const tables = createDeltaTables({
      engine,
      storeFor: (root) => new LocalStore(root),
      clock,
      random,
      logger: log('tables'),
      // The upkeep writes them, so that no delivery waits for one.
      checkpoints: 'manual',
    });
    const made = await createCatalog({
      meta,
      clock,
      logger: log('catalog'),
      dataDirectory: directory.lake,
      tables,
    });
    return withClose(made, () => engine.close());
  });
  const upkeep = await roles.start('upkeep', () =>
    startUpkeep({ tables: () => catalog.places(), clock, metrics, logger: log('upkeep') }),
  );
  const delivery = await roles.start('delivery', async () => {
    const writer = createWorkerRowWriter({ directory: join(directory.temp, 'delivery') });
    const made = await createDelivery({ ...shared, meta, streams, catalog, writer, logger: log('delivery') });
    return closedBefore(made, writer);
  });
  const query = await roles.start('query', async () => {
    const engine = createDuckDbSql({
      clock,
      logger: log('sql'),
      dataDirectories: [directory.lake],
      temporaryDirectory: join(directory.temp, 'sql'),
    });
    const resultsDirectory = directory.results;
    const made = await createQuery({
      ...shared,
      meta,
      catalog,
      engine,
      resultsDirectory,
      logger: log('query'),
    });
    return closedBefore(made, engine);
  });
  const { mqttPort } = config;
  const mqtt =
    mqttPort === undefined
      ? undefined
      : await roles.start('mqtt', () =>
          startMqtt({ ...config, mqttPort }, { ...shared, streams, identity, logger: log('mqtt') }),
        );
  const edge = await roles.start('edge', () =>
    createHttpServer({
      host: config.host,
      port: config.port,
      services: [
        createKinesisService({
          streams,
          clock,
          tokenSecret: identity.root.secretAccessKey,
          limits: config.limits,
          logger: log('kinesis'),
        }),
        createFirehoseService({ delivery }),
        createGlueService({ catalog }),
        createAthenaService({ query }),
      ],
      routes: createAdminRoutes({
        roles: () => roles.status(),
        metrics: () => metrics.scrape(),
        streams,
        delivery,
        catalog,
        upkeep,
        consumers: streams.consumers,
        maintenance: createTableMaintenance({ catalog }),
        logger: log('edge'),
        version: manifest.version,
        uptimeMs: () => Math.round(performance.now() - startedMs),
      }),
      authenticate: config.dev
        ? createDevAuthenticate(identity.root.principal)
        : createSigV4({ identity, clock }),
      logger: log('edge'),
      metrics,
      clock,
    }).catch((error: unknown) => {
      throw addressError(error, config);
    }),
  );

  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${edge.port}`;
  const run = { pid: process.pid, url, mqtt: mqtt?.url, dev: config.dev, startedMs: Date.now() };
  writeFileDurably(directory.runFile, `${JSON.stringify(run)}\n`);
  logger.info(
    { url, mqtt: mqtt?.url, data: directory.root, startMs: Math.round(performance.now() - startedMs) },
    'ready',
  );

  let closing: Promise<void> | undefined;
  return {
    url,
    dataDirectory: directory.root,
    failed: failure.promise,
    close() {
      closing ??= roles.close().then(() => directory.close());
      return closing;
    },
  };
}

function withClose<Role extends object>(role: Role, close: () => Promise<void> | void = () => undefined) {
  return Object.assign(role, { close });
}

/** The role, closed before the engine that it uses. */
function closedBefore<Role extends object>(
  role: Role & Partial<Closable>,
  engine: Closable,
): Role & Closable {
  const close = role.close?.bind(role);
  return Object.assign(role, {
    async close() {
      await close?.();
      await engine.close();
    },
  });
}

interface Closable {
  close(): Promise<void> | void;
}

function addressError(error: unknown, { host, port }: Config): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new AppError({
      code: 'address',
      message: `the port ${port} of ${host} is in use by another program`,
      hint: 'Stop that program, or choose another port with --port (0 takes a free one).',
      cause: error,
    });
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new AppError({
      code: 'address',
      message: `${host}:${port} can't be served here: ${error instanceof Error ? error.message : code}`,
      hint: 'Choose an address of this machine with --host and a port above 1023 with --port.',
      cause: error,
    });
  }
  return error;
}
