/**
 * Takes a request of any of the AWS protocols to its operation, and writes the answer in the same one.
 *
 * A request is refused at the first of: protocol, target, signature, support, format of the body, shape, module. No step
 * after the signature runs for a stranger, and none answers success for what it doesn't do.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Counter, Histogram, Labels, Logger, Metrics } from '../../ports/observe.ts';
import type { Authenticate, Caller, SignedRequest } from './authenticate.ts';
import { chooseWire, wireOfRefusal } from './choose-wire.ts';
import { inflate } from './inflate.ts';
import { AwsError, StreamedOutput, type AwsService, type Operation, type RequestContext } from './service.ts';
import { InputCheck } from './validate.ts';
import type { Wire } from './wire.ts';

export interface AwsRequest extends SignedRequest {
  readonly body: Buffer;
  readonly requestId: string;
  /** Has the signal that is aborted when the client goes away; it is read only when an operation asks for it. */
  readonly exchange: { readonly signal: AbortSignal };
}

export interface AwsAnswer {
  readonly status: number;
  readonly wire: Wire;
  /** In the wire's form, or what is made while it is sent. */
  readonly body: string | Buffer | StreamedOutput;
  readonly extendedRequestId: boolean;
  /** Of an error. */
  readonly errorType?: string;
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
  return new TableDispatcher(options);
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

class TableDispatcher implements Dispatcher {
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
    let wire: Wire | undefined;
    try {
      const addressed = chooseWire(request);
      ({ wire } = addressed);
      target = this.#target(addressed.target);
      const body = await this.#run(target, wire, request);
      return { status: 200, wire, body, extendedRequestId: target.service.extendedRequestId === true };
    } catch (error) {
      return this.#refuse(error, target, wire ?? wireOfRefusal(request), request);
    } finally {
      if (target !== undefined) {
        this.#seconds.observe((this.#clock.monotonicMs() - startMs) / 1000, target.labels);
      }
    }
  }

  async #run(target: Target, wire: Wire, request: AwsRequest): Promise<AwsAnswer['body']> {
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
    const { input, seen } = wire.decode(body, operation.input);
    const checked = check.check(input, seen);
    try {
      const output = await operation.handle(input as never, new Context(caller, wire, request));
      if (typeof output === 'string' || Buffer.isBuffer(output) || output instanceof StreamedOutput)
        return output;
      return wire.encode(output, target.service.timestampMembers ?? NO_MEMBERS);
    } catch (error) {
      // What a cheap test left to the operation, such as the alphabet of base64, has the table's words.
      if (!checked && !check.accepts(input)) throw check.refusal(input);
      throw error;
    }
  }

  #target(name: string | undefined): Target {
    if (name === undefined) {
      throw new AwsError(
        'UnknownOperationException',
        'The header X-Amz-Target is missing: it names the operation.',
      );
    }
    const target = this.#targets.get(name);
    if (target !== undefined) return target;
    const text = name.slice(0, 256);
    const service = this.#prefixes.get(text.slice(0, text.lastIndexOf('.')));
    throw new AwsError(
      'UnknownOperationException',
      service === undefined
        ? `Sluice has no service for the target ${text}. It has: ${[...this.#prefixes.keys()].join(', ')}.`
        : `${text.slice(text.lastIndexOf('.') + 1)} is not an operation of ${service.name}`,
    );
  }

  #refuse(error: unknown, target: Target | undefined, wire: Wire, request: AwsRequest): AwsAnswer {
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
      wire,
      body: wire.encodeError(answer, {
        service: target?.service.name,
        messageMember: target?.service.messageMember ?? 'message',
      }),
      extendedRequestId: target?.service.extendedRequestId === true,
      errorType: answer.type,
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

/** What is said inside stays inside: only the log has it. */
const INTERNAL_MESSAGE =
  'The request failed inside Sluice. The server has logged the cause under the id of this request.';
const NO_MEMBERS: ReadonlySet<string> = new Set();

/** Makes the signal only when it is asked for. */
class Context implements RequestContext {
  readonly principal: Caller['principal'];
  readonly region: string;
  readonly requestId: string;
  readonly wire: Wire;
  readonly #request: AwsRequest;

  constructor({ principal, region }: Caller, wire: Wire, request: AwsRequest) {
    this.principal = principal;
    this.region = region;
    this.requestId = request.requestId;
    this.wire = wire;
    this.#request = request;
  }

  get signal(): AbortSignal {
    return this.#request.exchange.signal;
  }
}
