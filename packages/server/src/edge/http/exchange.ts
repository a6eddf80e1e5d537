import type { IncomingHttpHeaders } from 'node:http';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AnswerHead } from './answer-headers.ts';
import type { Body, BodyProblem } from './body.ts';

export interface Answer extends AnswerHead {
  readonly status: number;
  readonly body: string | Buffer;
}

/** An answer that is made while it is sent, for work that takes long. */
export interface StreamedAnswer extends AnswerHead {
  readonly status: number;
  /** Sent as they come, no faster than the client reads; ended early by `return()` when the client goes away. */
  readonly chunks: AsyncIterable<string | Uint8Array>;
  /** When it is aborted, what the client did not read is dropped and the answer cut off. */
  readonly cut?: AbortSignal;
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
  /** No more of the answer is to come. */
  protected finished = false;
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

  /** Aborted when the client goes away before its answer, the whole of it, is sent; made when it is asked for. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.#gone) this.#aborter.abort();
    return this.#aborter.signal;
  }

  /** Sends the answer once; later ones and those to a client that went away are dropped. */
  abstract send(answer: Answer): void;

  /**
   * Sends an answer chunk by chunk; resolves when it is sent or the client went away. Rejects with what the chunks
   * throw, after it has cut the answer off so that the client can't take it for whole.
   */
  async sendStreamed(answer: StreamedAnswer): Promise<void> {
    const sink = this.beginStreamed(answer);
    if (sink === undefined) return;
    let failure: { readonly error: unknown } | undefined;
    const chunks = async function* (
      isGone: () => boolean,
    ): AsyncGenerator<string | Uint8Array, void, undefined> {
      try {
        yield* answer.chunks;
      } catch (error) {
        // Without a client the work ends with an error that nobody waits for.
        if (!isGone()) failure = { error };
        throw error;
      }
    };
    try {
      await pipeline(Readable.from(chunks(() => this.#gone)), sink, { signal: answer.cut });
    } catch {
      sink.destroy();
    } finally {
      this.finished = true;
    }
    if (failure !== undefined) throw failure.error;
  }

  /** Sends the head of an answer; undefined when there is no one to send it to. */
  protected abstract beginStreamed(answer: Omit<StreamedAnswer, 'chunks'>): Writable | undefined;

  protected clientGone(): void {
    this.#gone = true;
    if (!this.finished) this.#aborter?.abort();
  }
}

/** Undefined for a body of unknown length; NaN-free as both parsers refuse a malformed header. */
export function declaredBytes(headers: IncomingHttpHeaders): number | undefined {
  const text = headers['content-length'];
  return text === undefined ? undefined : Number(text);
}
