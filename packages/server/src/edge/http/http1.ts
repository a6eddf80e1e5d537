import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Clock } from '../../ports/clock.ts';
import { bodyToSend, headersOf } from './answer-headers.ts';
import { Body, type BodyBudget } from './body.ts';
import { declaredBytes, Exchange, type Answer, type Receiver, type StreamedAnswer } from './exchange.ts';
import { newRequestId } from './request-id.ts';
import type { HttpLimits } from './limits.ts';

export interface ProtocolOptions {
  readonly limits: HttpLimits;
  readonly budget: BodyBudget;
  readonly receiver: Receiver;
  readonly clock: Clock;
  /** True once the server stops: answers then ask the client to close its connection. */
  readonly stopping: () => boolean;
}

/** How often requests that take too long are looked for. */
export const SWEEP_MS = 1_000;

/** A server without a port of its own: connections come by `emit('connection', socket)`. */
export function createHttp1(options: ProtocolOptions): Server {
  const { limits, receiver } = options;
  const server = createServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersMsMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.idleMsMax,
    connectionsCheckingInterval: SWEEP_MS,
    noDelay: true,
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const exchange = new Http1Exchange(request, response, options);
    receiver.opened(exchange);
    exchange.receive();
  });
  server.on('clientError', answerUnreadable);
  // Node arms the timeouts above when a server begins to listen, which this one never does by itself.
  server.emit('listening');
  return server;
}

class Http1Exchange extends Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: ProtocolOptions;
  #refused = false;

  constructor(request: IncomingMessage, response: ServerResponse, options: ProtocolOptions) {
    super({
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: request.headers,
      requestId: newRequestId(),
      body: new Body(options.limits, options.budget, declaredBytes(request.headers)),
      startMs: 0,
    });
    this.#request = request;
    this.#response = response;
    this.#options = options;
  }

  receive(): void {
    const request = this.#request;
    const { receiver, limits } = this.#options;
    this.#response.on('close', () => {
      this.body.release();
      this.clientGone();
      receiver.closed(this);
    });
    // A connection that breaks shows as `close` of the response.
    request.on('error', ignore);
    this.#response.on('error', ignore);
    if ((declaredBytes(this.headers) ?? 0) > limits.bodyBytesMax) {
      this.#refuse('too-large');
      request.resume();
      return;
    }
    request.on('data', (chunk: Buffer) => {
      if (this.#refused) return;
      const problem = this.body.add(chunk);
      if (problem !== undefined) this.#refuse(problem);
    });
    request.on('end', () => {
      this.received = true;
      if (!this.#refused) void receiver.serve(this);
    });
  }

  override send(answer: Answer): void {
    if (this.answered || this.#response.destroyed) return;
    this.answered = true;
    this.finished = true;
    const body = bodyToSend(answer.body);
    const headers = headersOf(this.requestId, answer, body);
    if (this.#options.stopping() && this.received) headers.push('Connection', 'close');
    this.#response.writeHead(answer.status, headers);
    this.#response.end(this.method === 'HEAD' ? undefined : body);
    this.body.release();
  }

  protected override beginStreamed(answer: Omit<StreamedAnswer, 'chunks'>): Writable | undefined {
    if (this.answered || this.#response.destroyed) return undefined;
    this.answered = true;
    const headers = headersOf(this.requestId, answer);
    if (this.#options.stopping()) headers.push('Connection', 'close');
    this.#response.writeHead(answer.status, headers);
    this.#response.flushHeaders();
    this.body.release();
    return this.#response;
  }

  /** Answers in the middle of a body and reads on for a while: a connection that is closed at once loses the answer. */
  #refuse(problem: 'too-large' | 'overloaded'): void {
    this.#refused = true;
    this.body.release();
    this.#options.receiver.refuseBody(this, problem);
    const { socket } = this.#request;
    const { clock, limits } = this.#options;
    const linger = clock.timer(limits.lingerMsMax, () => socket.destroy());
    const cancel = () => linger.cancel();
    this.#request.once('end', cancel);
    socket.once('close', cancel);
  }
}

function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason, message] = unreadable(error.code);
  const body = JSON.stringify({ __type: 'SerializationException', message });
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function unreadable(code: string | undefined): [number, string, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [431, 'Request Header Fields Too Large', 'The headers of the request are too large.'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'Request Timeout', 'The request did not arrive whole in time.'];
    default:
      return [400, 'Bad Request', 'The request is not HTTP.'];
  }
}

const ignore = () => {};
