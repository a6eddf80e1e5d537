/**
 * AWS JSON 1.1 (Smithy `aws.protocols#awsJson1_1`): one `POST /` whose header `X-Amz-Target` names the operation.
 *
 * A request is refused at the first of: path and content type, target, signature, support, JSON, shape, module. No
 * step after the signature runs for a stranger, and none answers success for what it doesn't do.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Clock } from '../../ports/clock.ts';
import type { Counter, Histogram, Labels, Logger, Metrics } from '../../ports/observe.ts';
import type { Authenticate, Caller, SignedRequest } from './authenticate.ts';
import { inflate } from './inflate.ts';
import { AwsError, type AwsService, type Operation, type RequestContext } from './service.ts';
import { InputCheck } from './validate.ts';

export interface AwsRequest extends SignedRequest {
  readonly body: Buffer;
  readonly requestId: string;
  /** Has the signal that is aborted when the client goes away; it is read only when an operation asks for it. */
  readonly exchange: { readonly signal: AbortSignal };
}

export interface AwsAnswer {
  readonly status: number;
  /** JSON, or nothing. */
  readonly body: string | Buffer;
  readonly extendedRequestId: boolean;
}

export interface Dispatcher {
  /** Never rejects: what fails is an answer. */
  dispatch(request: AwsRequest): Promise<AwsAnswer>;
}

export interface DispatcherOptions {
  readonly services: readonly AwsService[];
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Of an inflated body. */
  readonly bodyBytesMax: number;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  return new JsonDispatcher(options);
}

/** One operation as the dispatcher meets it; without `operation` it is known and refused. */
interface Target {
  readonly service: AwsService;
  readonly name: string;
  readonly operation: Operation | undefined;
  readonly check: InputCheck | undefined;
  readonly labels: Labels;
}

const LATENCY_BUCKETS_SECONDS = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

class JsonDispatcher implements Dispatcher {
  readonly #targets = new Map<string, Target>();
  readonly #prefixes = new Map<string, AwsService>();
  readonly #authenticate: Authenticate;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #seconds: Histogram;
  readonly #errors: Counter;
  readonly #bodyBytesMax: number;

  constructor({ services, authenticate, logger, metrics, clock, bodyBytesMax }: DispatcherOptions) {
    this.#bodyBytesMax = bodyBytesMax;
    this.#authenticate = authenticate;
    this.#logger = logger;
    this.#clock = clock;
    this.#seconds = metrics.histogram('sluice_request_seconds', 'Time from a whole request to its answer.', {
      labels: ['service', 'operation'],
      buckets: LATENCY_BUCKETS_SECONDS,
    });
    this.#errors = metrics.counter('sluice_request_errors_total', 'Requests answered with an error.', [
      'service',
      'operation',
      'type',
    ]);
    for (const service of services) this.#add(service);
  }

  async dispatch(request: AwsRequest): Promise<AwsAnswer> {
    const startMs = this.#clock.monotonicMs();
    let target: Target | undefined;
    try {
      target = this.#target(request);
      const body = await this.#run(target, request);
      return { status: 200, body, extendedRequestId: target.service.extendedRequestId === true };
    } catch (error) {
      return this.#refuse(error, target, request);
    } finally {
      if (target !== undefined) {
        this.#seconds.observe((this.#clock.monotonicMs() - startMs) / 1000, target.labels);
      }
    }
  }

  async #run(target: Target, request: AwsRequest): Promise<string | Buffer> {
    const caller = this.#authenticate(request, target.service.name);
    const { operation, check } = target;
    if (operation === undefined || check === undefined) {
      throw new AwsError(
        target.service.unsupportedError,
        `${target.name} is not supported by this version of Sluice`,
      );
    }
    const encoding = request.headers['content-encoding'];
    const body =
      encoding === undefined ? request.body : await inflate(request.body, encoding, this.#bodyBytesMax);
    const text = decodeText(body);
    const input = parseJson(text);
    const checked = check.check(input, {
      nulls: body.includes('null'),
      surrogates: body.includes('\\u') && SURROGATE_ESCAPE.test(text),
    });
    try {
      const output = await operation.handle(input as never, new Context(caller, request));
      return typeof output === 'string' || Buffer.isBuffer(output) ? output : JSON.stringify(output);
    } catch (error) {
      // What a cheap test left to the operation, such as the alphabet of base64, has the table's words.
      if (!checked && !check.accepts(input)) throw check.refusal(input);
      throw error;
    }
  }

  #target({ method, path, headers }: AwsRequest): Target {
    refuseOtherProtocols(method, path, headers['content-type']);
    const name = headers['x-amz-target'];
    const target = typeof name === 'string' ? this.#targets.get(name) : undefined;
    if (target !== undefined) return target;
    if (name === undefined) {
      throw new AwsError(
        'UnknownOperationException',
        'The header X-Amz-Target is missing: it names the operation.',
      );
    }
    const text = String(name).slice(0, 256);
    const service = this.#prefixes.get(text.slice(0, text.lastIndexOf('.')));
    throw new AwsError(
      'UnknownOperationException',
      service === undefined
        ? `Sluice has no service for the target ${text}. It has: ${[...this.#prefixes.keys()].join(', ')}.`
        : `${text.slice(text.lastIndexOf('.') + 1)} is not an operation of ${service.name}`,
    );
  }

  #refuse(error: unknown, target: Target | undefined, request: AwsRequest): AwsAnswer {
    const known = error instanceof AwsError ? error : this.#mapped(error, target);
    const answer = known ?? new AwsError('InternalFailure', INTERNAL_MESSAGE, 500);
    if (known === undefined) {
      this.#logger.error({ err: error, requestId: request.requestId, ...target?.labels }, 'request failed');
    }
    this.#errors.add(1, {
      ...(target?.labels ?? { service: 'none', operation: 'none' }),
      type: answer.type,
    });
    return {
      status: answer.status,
      body: errorBody(answer, target?.service.messageMember),
      extendedRequestId: target?.service.extendedRequestId === true,
    };
  }

  #mapped(error: unknown, target: Target | undefined): AwsError | undefined {
    try {
      return target?.service.mapError(error);
    } catch {
      return undefined;
    }
  }

  #add(service: AwsService): void {
    this.#prefixes.set(service.targetPrefix, service);
    const label = (operation: string): Labels => ({ service: service.name, operation });
    for (const [name, operation] of Object.entries(service.operations)) {
      const check = new InputCheck(service, name, operation);
      this.#targets.set(`${service.targetPrefix}.${name}`, {
        service,
        name,
        operation,
        check,
        labels: label(name),
      });
    }
    for (const name of service.unsupported) {
      this.#targets.set(`${service.targetPrefix}.${name}`, {
        service,
        name,
        operation: undefined,
        check: undefined,
        labels: label(name),
      });
    }
  }
}

/** The body of an error; `InternalFailure` says nothing of what is inside. */
export function errorBody(error: AwsError, messageMember: 'message' | 'Message' = 'message'): string {
  return JSON.stringify({ __type: error.type, [messageMember]: error.message, ...error.members });
}

const INTERNAL_MESSAGE =
  'The request failed inside Sluice. The server has logged the cause under the id of this request.';
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** Makes the signal only when it is asked for. */
class Context implements RequestContext {
  readonly principal: Caller['principal'];
  readonly region: string;
  readonly requestId: string;
  readonly #request: AwsRequest;

  constructor({ principal, region }: Caller, request: AwsRequest) {
    this.principal = principal;
    this.region = region;
    this.requestId = request.requestId;
    this.#request = request;
  }

  get signal(): AbortSignal {
    return this.#request.exchange.signal;
  }
}

function refuseOtherProtocols(method: string, path: string, contentType: string | undefined): void {
  if (method === 'POST' && path === '/' && contentType === 'application/x-amz-json-1.1') return;
  if (path.startsWith('/service/') && path.includes('/operation/')) {
    throw new AwsError(
      'UnknownOperationException',
      `${path.slice(0, 256)} is a path of the Smithy RPC v2 CBOR protocol, which this version of Sluice does not speak. Set the client to AWS JSON 1.1.`,
      404,
    );
  }
  if (method !== 'POST' || (path !== '/' && !path.startsWith('/?'))) {
    throw new AwsError(
      'UnknownOperationException',
      `${method} ${path.slice(0, 256)} is not served here: AWS JSON requests are POST /`,
      404,
    );
  }
  refuseContentType(contentType ?? '');
}

function refuseContentType(contentType: string): void {
  const media = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (/^application\/(x-amz-json-1\.[01]|json)$/.test(media)) return;
  if (media.includes('cbor')) {
    throw new AwsError(
      'SerializationException',
      `The body is declared as CBOR (${media}), which this version of Sluice does not read. Switch the client to JSON: set AWS_CBOR_DISABLE=true (SDKs for Java: the system property aws.cborEnabled=false).`,
    );
  }
  throw new AwsError(
    'SerializationException',
    `The content type ${JSON.stringify(contentType.slice(0, 256))} is not one of AWS JSON: send application/x-amz-json-1.1`,
  );
}

function decodeText(body: Buffer): string {
  if (isAscii(body)) return body.toString('latin1');
  if (isUtf8(body)) return body.toString('utf8');
  throw new AwsError('SerializationException', 'The body is not UTF-8.');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AwsError(
      'SerializationException',
      `The body is not JSON: ${error instanceof Error ? error.message.slice(0, 256) : ''}`,
    );
  }
}
