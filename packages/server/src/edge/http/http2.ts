import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Writable } from 'node:stream';
import { bodyToSend, headersOf } from './answer-headers.ts';
import { Body } from './body.ts';
import { declaredBytes, Exchange, type Answer, type StreamedAnswer } from './exchange.ts';
import { SWEEP_MS, type ProtocolOptions } from './http1.ts';
import { newRequestId } from './request-id.ts';

export interface Http2Door {
  readonly server: Http2Server;
  /** Lets streams end and takes no new ones. */
  stop(): void;
}

/** Per stream and per connection: large batches must not wait for window updates. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const SESSION_WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * Of one connection, as Node counts it: beside its own state what waits to be sent, which answers that go on for long
 * share. Over it new streams are refused, so that it must be above what slow clients may leave unread.
 */
const SESSION_MEMORY_MB_MAX = 256;

/** A server without a port of its own, for connections that begin with the HTTP/2 preface. */
export function createHttp2(options: ProtocolOptions): Http2Door {
  const { limits, receiver, clock } = options;
  const sessions = new Set<ServerHttp2Session>();
  const receiving = new Set<Http2Exchange>();
  const server = createServer({
    maxSessionMemory: SESSION_MEMORY_MB_MAX,
    settings: {
      maxConcurrentStreams: limits.streamsPerSessionMax,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxHeaderListSize: limits.headerBytesMax,
      enablePush: false,
    },
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    session.setTimeout(limits.idleMsMax, () => session.close());
    session.once('close', () => sessions.delete(session));
    session.on('error', ignore);
  });
  server.on('sessionError', ignore);
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const exchange = new Http2Exchange(stream, headers, options, receiving);
    receiver.opened(exchange);
    exchange.receive();
  });
  let stopped = false;
  const sweep = () => {
    if (stopped) return;
    const deadlineMs = clock.monotonicMs() - limits.requestMsMax;
    for (const exchange of receiving) if (exchange.startMs < deadlineMs) exchange.giveUp();
    timer = clock.timer(SWEEP_MS, sweep);
  };
  let timer = clock.timer(SWEEP_MS, sweep);
  return {
    server,
    stop() {
      stopped = true;
      timer.cancel();
      for (const session of sessions) session.close();
    },
  };
}

class Http2Exchange extends Exchange {
  readonly #stream: ServerHttp2Stream;
  readonly #options: ProtocolOptions;
  readonly #receiving: Set<Http2Exchange>;
  #refused = false;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    options: ProtocolOptions,
    receiving: Set<Http2Exchange>,
  ) {
    super({
      method: headers[':method'] ?? 'GET',
      path: headers[':path'] ?? '/',
      headers,
      requestId: newRequestId(),
      body: new Body(options.limits, options.budget, declaredBytes(headers)),
      startMs: options.clock.monotonicMs(),
    });
    this.#stream = stream;
    this.#options = options;
    this.#receiving = receiving;
  }

  receive(): void {
    const stream = this.#stream;
    const { receiver, limits } = this.#options;
    this.#receiving.add(this);
    stream.on('error', ignore);
    stream.on('close', () => {
      this.#receiving.delete(this);
      this.body.release();
      this.clientGone();
      receiver.closed(this);
    });
    if ((declaredBytes(this.headers) ?? 0) > limits.bodyBytesMax) {
      this.#refuse('too-large');
      stream.resume();
      return;
    }
    stream.on('data', (chunk: Buffer) => {
      if (this.#refused) return;
      const problem = this.body.add(chunk);
      if (problem !== undefined) this.#refuse(problem);
    });
    stream.on('end', () => {
      this.received = true;
      this.#receiving.delete(this);
      // A stream that is reset in the middle of its body ends, too.
      if (!this.#refused && !stream.aborted) void receiver.serve(this);
    });
  }

  override send(answer: Answer): void {
    if (this.answered || this.#stream.destroyed || this.#stream.closed) return;
    this.answered = true;
    this.finished = true;
    const body = bodyToSend(answer.body);
    this.#respond(answer.status, headersOf(this.requestId, answer, body));
    this.#stream.end(this.method === 'HEAD' ? undefined : body);
    this.body.release();
  }

  protected override beginStreamed(answer: Omit<StreamedAnswer, 'chunks'>): Writable | undefined {
    if (this.answered || this.#stream.destroyed || this.#stream.closed) return undefined;
    this.answered = true;
    this.#respond(answer.status, headersOf(this.requestId, answer));
    this.body.release();
    return this.#stream;
  }

  #respond(status: number, headers: readonly string[]): void {
    const answered: OutgoingHttpHeaders = { ':status': status };
    for (let at = 0; at < headers.length; at += 2) answered[headers[at]!.toLowerCase()] = headers[at + 1]!;
    this.#stream.respond(answered);
  }

  /** The body did not arrive in time. */
  giveUp(): void {
    this.#receiving.delete(this);
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #refuse(problem: 'too-large' | 'overloaded'): void {
    this.#refused = true;
    this.body.release();
    this.#options.receiver.refuseBody(this, problem);
    // RFC 9113, 8.1: a whole answer, then a reset without an error, asks the client to stop sending.
    this.#stream.once('finish', () => this.#stream.close(constants.NGHTTP2_NO_ERROR));
  }
}

const ignore = () => {};
