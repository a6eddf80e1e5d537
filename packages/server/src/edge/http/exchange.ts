import type { IncomingHttpHeaders } from 'node:http';
import type { Body, BodyProblem } from './body.ts';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
  /** Sends `x-amz-id-2` beside the request's id. */
  readonly extendedRequestId?: boolean;
}

/** What takes requests once they are whole. */
export interface Receiver {
  /** Answers through `exchange.send`; never rejects. */
  serve(exchange: Exchange): Promise<void>;
  refuseBody(exchange: Exchange, problem: BodyProblem): void;
  opened(exchange: Exchange): void;
  closed(exchange: Exchange): void;
}

/** One request and its answer, over either version of HTTP. */
export abstract class Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  readonly body: Body;
  readonly startMs: number;
  /** The whole request is here. */
  received = false;
  answered = false;
  #aborter: AbortController | undefined;
  #gone = false;

  constructor(request: {
    readonly method: string;
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
    readonly requestId: string;
    readonly body: Body;
    readonly startMs: number;
  }) {
    this.method = request.method;
    this.path = request.path;
    this.headers = request.headers;
    this.requestId = request.requestId;
    this.body = request.body;
    this.startMs = request.startMs;
  }

  /** Aborted when the client goes away before its answer is sent; made when it is asked for. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#gone) this.#aborter.abort();
    return this.#aborter.signal;
  }

  /** Sends the answer once; later ones and those to a client that went away are dropped. */
  abstract send(answer: Answer): void;

  protected clientGone(): void {
    this.#gone = true;
    if (!this.answered) this.#aborter?.abort();
  }
}

/** Undefined for a body of unknown length; NaN-free as both parsers refuse a malformed header. */
export function declaredBytes(headers: IncomingHttpHeaders): number | undefined {
  const text = headers['content-length'];
  return text === undefined ? undefined : Number(text);
}
