/**
 * MQTT 3.1.1 and 5.0 for devices that publish: messages become records of streams. It is no broker: there are no
 * subscriptions, no retained messages, no QoS 2 and no sessions beyond a connection, and each of these is refused.
 */
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '../../ports/clock.ts';
import type { Logger, Metrics } from '../../ports/observe.ts';
import type { Random } from '../../ports/random.ts';
import type { Streams } from '../../modules/streams/index.ts';
import type { Client, Credentials } from './handshake.ts';
import { MQTT_LIMITS, type MqttLimits } from './limits.ts';
import { createMqttMetrics } from './metrics.ts';
import { createPublisher } from './publisher.ts';
import { REASONS, type Reason } from './reasons.ts';
import { compileRoutes, type Route } from './routes.ts';
import { Session } from './session.ts';

export interface MqttOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** PEM; without it the connection is in the clear. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** Undefined: any user name and password, or none. */
  readonly credentials: Credentials;
  /** Good by `problemOfRoutes`. */
  readonly routes: readonly Route[];
  readonly limits?: Partial<MqttLimits>;
  readonly streams: Pick<Streams, 'append' | 'describe'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface MqttListener {
  readonly port: number;
  /** Takes no more, tells MQTT 5 clients, and resolves when what was taken is in its stream or refused. */
  close(): Promise<void>;
}

/** Beyond `connectionsMax`, so many more are told why they can't connect; the rest are closed at once. */
const REFUSALS_MAX = 100;

/** Resolves when it listens; rejects with the system's error when it can't. */
export async function createMqttListener(options: MqttOptions): Promise<MqttListener> {
  const limits = { ...MQTT_LIMITS, ...options.limits };
  const { clock, random } = options;
  const publisher = createPublisher({ ...options, limits, routes: compileRoutes(options.routes) });
  const metrics = createMqttMetrics(options.metrics);
  const sessions = new Set<Session>();
  const byClient = new Map<string, Session>();
  let closing = false;

  const admit = (client: Client, session: Session): Reason | undefined => {
    if (closing) return REASONS.unavailable;
    const name = nameOf(client);
    const before = byClient.get(name);
    if (before === undefined && byClient.size >= limits.connectionsMax) return REASONS.full;
    // MQTT 5.0, 3.1.4: the later one stays.
    before?.end(REASONS.takenOver);
    byClient.set(name, session);
    metrics.connections(byClient.size);
    return undefined;
  };

  const onEnd = (session: Session): void => {
    if (session.client !== undefined && byClient.get(nameOf(session.client)) === session)
      byClient.delete(nameOf(session.client));
    metrics.connections(byClient.size);
    void session.ended.then(() => sessions.delete(session));
  };

  const handshake = {
    credentials: options.credentials,
    limits,
    newClientId: () => `sluice-${random.uuid()}`,
    problemOfWill: ({ topic }: { topic: string }, clientId: string) => publisher.problemOf(topic, clientId),
  };
  const onConnection = (socket: Socket): void => {
    const common = { socket, handshake, publisher, limits, clock, metrics };
    sessions.add(new Session({ ...common, admit, onEnd }));
  };
  const server: Server =
    options.tls === undefined
      ? createTcpServer({ keepAlive: true }, onConnection)
      : createTlsServer(
          { ...options.tls, keepAlive: true, handshakeTimeout: limits.handshakeMsMax },
          onConnection,
        );
  server.maxConnections = limits.connectionsMax + REFUSALS_MAX;
  server.on('tlsClientError', (_error: unknown, socket: Socket) => socket.destroy());
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen({ host: options.host, port: options.port }, listening.resolve);
  await listening.promise;
  server.on('error', (error) => options.logger.error({ error: error.message }, 'the MQTT listener failed'));

  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      closing = true;
      server.close();
      const left = [...sessions];
      for (const session of left) session.end(REASONS.shuttingDown);
      await Promise.all(left.map((session) => session.ended));
    },
  };
}

function nameOf({ principal, id }: Client): string {
  return `${principal}\n${id}`;
}
