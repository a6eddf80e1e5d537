/**
 * The one port: HTTP/1.1 and HTTP/2 with prior knowledge, told apart by a connection's first bytes (RFC 9113, 3.4).
 *
 * A client can make the process wait, hold or remember only up to a named bound of `HttpLimits`; over it the answer is
 * a clear error where one can still be sent, and a closed connection where not.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import type { Logger, Metrics } from '../../ports/observe.ts';
import {
  AwsError,
  createDispatcher,
  StreamedOutput,
  wireOfRefusal,
  type Authenticate,
  type AwsAnswer,
  type AwsService,
  type Caller,
  type Dispatcher,
} from '../aws-json/index.ts';
import { BodyBudget, type BodyProblem } from './body.ts';
import type { Answer, Exchange, Receiver, StreamedAnswer } from './exchange.ts';
import { createHttp1 } from './http1.ts';
import { createHttp2 } from './http2.ts';
import { HTTP_LIMITS, type HttpLimits } from './limits.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly services: readonly AwsService[];
  readonly routes: readonly Route[];
  readonly authenticate: Authenticate;
  readonly limits?: Partial<HttpLimits>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** A path of Sluice itself. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** Without a query; taken as it is. */
  readonly path: string;
  /** The service name that a signature must be scoped to; without it anyone may ask. */
  readonly signedFor?: string;
  readonly handle: (request: RouteRequest) => Promise<RouteAnswer | StreamedAnswer>;
}

export interface RouteRequest {
  readonly body: Buffer;
  readonly caller: Caller | undefined;
  readonly signal: AbortSignal;
}

export interface RouteAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no new requests, lets those under way end up to `closeMsMax`, then closes every connection. */
  close(): Promise<void>;
}

/** Resolves when it listens; rejects with the system's error (`EADDRINUSE` …) when it can't. */
export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const door = new Door(options);
  await door.listen(options.host, options.port);
  return door;
}

const PREFACE = Buffer.from('PRI');

class Door implements HttpServer, Receiver {
  readonly #limits: HttpLimits;
  readonly #budget: BodyBudget;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #authenticate: Authenticate;
  readonly #dispatcher: Dispatcher;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #services: readonly AwsService[];
  readonly #net: Server;
  readonly #http1: ReturnType<typeof createHttp1>;
  readonly #http2: ReturnType<typeof createHttp2>;
  readonly #sockets = new Set<Socket>();
  readonly #unknown = new Set<Socket>();
  #open = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: HttpServerOptions) {
    this.#limits = { ...HTTP_LIMITS, ...options.limits };
    this.#budget = new BodyBudget(this.#limits.bodyBytesTotalMax);
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#authenticate = options.authenticate;
    this.#dispatcher = createDispatcher({ ...options, bodyBytesMax: this.#limits.bodyBytesMax });
    this.#services = options.services;
    this.#routes = new Map(options.routes.map((route) => [`${route.method} ${route.path}`, route]));
    const protocol = {
      limits: this.#limits,
      budget: this.#budget,
      receiver: this,
      clock: options.clock,
      stopping: () => this.#stopping !== undefined,
    };
    this.#http1 = createHttp1(protocol);
    this.#http2 = createHttp2(protocol);
    this.#net = createServer({ noDelay: true, pauseOnConnect: false }, (socket) => this.#connected(socket));
    this.#net.maxConnections = this.#limits.connectionsMax;
    this.#net.on('drop', () => {
      this.#logger.warn(
        { connectionsMax: this.#limits.connectionsMax },
        'connection refused: too many are open',
      );
    });
    const connections = options.metrics.gauge('sluice_http_connections', 'Open connections.');
    const held = options.metrics.gauge('sluice_http_body_bytes', 'Bytes of request bodies in memory.');
    this.#report = () => {
      connections.set(this.#sockets.size);
      held.set(this.#budget.bytes);
    };
  }

  readonly #report: () => void;

  get port(): number {
    return (this.#net.address() as AddressInfo).port;
  }

  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#net.once('error', reject);
      this.#net.listen({ host, port, backlog: 1_024 }, () => {
        this.#net.off('error', reject);
        this.#net.on('error', (error) => this.#logger.error({ err: error }, 'listening failed'));
        resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#net.close(() => resolve()));
    for (const socket of this.#unknown) socket.destroy();
    for (const service of this.#services) service.stop?.();
    this.#http2.stop();
    this.#http1.close();
    const bound = this.#clock.timer(this.#limits.closeMsMax, () => {
      this.#logger.warn({ requests: this.#open }, 'requests were cut off by the stop');
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
    bound.cancel();
  }

  opened(): void {
    this.#open++;
  }

  closed(): void {
    this.#open--;
    // A connection that became idle only now.
    if (this.#stopping !== undefined) this.#http1.closeIdleConnections();
  }

  async serve(exchange: Exchange): Promise<void> {
    const { path } = exchange;
    try {
      if (path !== '/' || exchange.method !== 'POST') {
        const end = path.indexOf('?');
        const route = this.#routes.get(`${exchange.method} ${end < 0 ? path : path.slice(0, end)}`);
        if (route !== undefined) return await this.#serveRoute(route, exchange);
      }
      const answer = await this.#dispatcher.dispatch({
        method: exchange.method,
        path,
        headers: exchange.headers,
        body: exchange.body.whole,
        requestId: exchange.requestId,
        exchange,
      });
      const { body } = answer;
      if (body instanceof StreamedOutput) await this.#stream(exchange, answer, body);
      else exchange.send({ ...headOf(answer), body, checksum: true });
    } catch (error) {
      this.#fail(exchange, error);
    }
  }

  refuseBody(exchange: Exchange, problem: BodyProblem): void {
    this.#fail(
      exchange,
      problem === 'too-large'
        ? new AwsError(
            'RequestEntityTooLargeException',
            `The body is larger than ${this.#limits.bodyBytesMax} bytes.`,
            413,
          )
        : new AwsError(
            'ServiceUnavailableException',
            'Sluice holds as many request bodies as it can. Try again after a pause.',
            503,
          ),
    );
  }

  async #stream(exchange: Exchange, answer: AwsAnswer, output: StreamedOutput): Promise<void> {
    const { contentType, chunks, cut } = output;
    try {
      await exchange.sendStreamed({ ...headOf(answer), contentType, chunks, cut });
    } finally {
      output.over();
    }
  }

  async #serveRoute(route: Route, exchange: Exchange): Promise<void> {
    const { body } = exchange;
    const caller = route.signedFor === undefined ? undefined : this.#callerOf(exchange, route.signedFor);
    this.#report();
    const request: RouteRequest = { body: body.whole, caller, signal: exchange.signal };
    const answer = await route.handle(request);
    if ('chunks' in answer) await exchange.sendStreamed(answer);
    else exchange.send(answer);
  }

  /** On a path of Sluice itself, who isn't let in is told so by the status, too: 403. */
  #callerOf({ method, path, headers, body }: Exchange, service: string): Caller {
    try {
      return this.#authenticate({ method, path, headers, body: body.whole }, service);
    } catch (error) {
      if (error instanceof AwsError) throw new AwsError(error.type, error.message, 403);
      throw error;
    }
  }

  #fail(exchange: Exchange, error: unknown): void {
    const known = error instanceof AwsError;
    if (!known) this.#logger.error({ err: error, requestId: exchange.requestId }, 'request failed');
    const answer = known ? error : new AwsError('InternalFailure', 'The request failed inside Sluice.', 500);
    const wire = wireOfRefusal(exchange);
    const body = wire.encodeError(answer, { service: undefined, messageMember: 'message' });
    const { status, type: errorType } = answer;
    exchange.send({ ...headOf({ status, wire, errorType, extendedRequestId: false }), body });
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    this.#unknown.add(socket);
    const timer = this.#clock.timer(this.#limits.idleMsMax, () => socket.destroy());
    socket.on('error', ignore);
    socket.once('close', () => {
      timer.cancel();
      this.#sockets.delete(socket);
      this.#unknown.delete(socket);
    });
    let first: Buffer | undefined;
    const onData = (chunk: Buffer) => {
      first = first === undefined ? chunk : Buffer.concat([first, chunk]);
      const seen = Math.min(first.length, PREFACE.length);
      const http2 = PREFACE.compare(first, 0, seen, 0, seen) === 0;
      // `P` alone may begin POST as well as the preface.
      if (http2 && seen < PREFACE.length) return;
      socket.off('data', onData);
      socket.pause();
      timer.cancel();
      this.#unknown.delete(socket);
      socket.unshift(first);
      (http2 ? this.#http2.server : this.#http1).emit('connection', socket);
      if (!http2) socket.resume();
    };
    socket.on('data', onData);
  }
}

function headOf({
  status,
  wire,
  errorType,
  extendedRequestId,
}: Omit<AwsAnswer, 'body'>): Omit<Answer, 'body' | 'checksum'> {
  return {
    status,
    contentType: wire.contentType,
    extendedRequestId,
    errorType,
    smithyProtocol: wire.name === 'rpc-v2-cbor' ? wire.name : undefined,
  };
}

const ignore = () => {};
