import type { Principal } from '../../modules/identity/index.ts';
import type { Shape } from './shapes.ts';
import type { Wire } from './wire.ts';

/**
 * A service of the AWS protocols as a table: the dispatcher decodes, authenticates, validates against the operation's
 * shape and calls; the same table makes the parity report, so that the report can't drift.
 */
export interface AwsService {
  /** As in a SigV4 credential scope: `kinesis`, `firehose`, `glue`, `athena`. */
  readonly name: string;
  /** The service's shape in its model, which is before the dot in `X-Amz-Target`. */
  readonly targetPrefix: string;
  readonly operations: Readonly<Record<string, Operation>>;
  /** Operations of the real service that this version refuses, by name. */
  readonly unsupported: readonly string[];
  /** Error type for input that breaks a constraint of the shapes (`ValidationException`, `InvalidRequestException` …). */
  readonly validationError: string;
  /** Error type for what is known and not supported. */
  readonly unsupportedError: string;
  /** The member of an error's body that holds its message, as the service's model names it; `message` by default. */
  readonly messageMember?: 'message' | 'Message';
  /** Members of outputs and events whose numbers are timestamps, in seconds; CBOR has a form of its own for them. */
  readonly timestampMembers?: ReadonlySet<string>;
  /** Protocols that clients of the real service can speak to it, beyond JSON and RPC v2; for the parity report. */
  readonly speaksCbor?: boolean;
  /** Answers carry the header `x-amz-id-2`. */
  readonly extendedRequestId?: boolean;
  /** Maps an error of a module to the protocol; undefined for one that is not a module's. */
  readonly mapError: (error: unknown) => AwsError | undefined;
  /** Ends the answers that would go on for long; called once, when the server takes no new requests. */
  readonly stop?: () => void;
}

export interface Operation {
  readonly input: Shape;
  /**
   * Members that the real service has and this version refuses when they are given: name → why. A member within a
   * structure is named by its path, without the positions in lists: `Records.Data`.
   */
  readonly refused?: Readonly<Record<string, string>>;
  /** Members that are taken and mean something else than on AWS: name or path → how. */
  readonly different?: Readonly<Record<string, string>>;
  /**
   * A cheap test on hot paths that an input is certainly valid; when it gives false the table decides. It must never
   * accept what the table refuses.
   */
  readonly certainlyValid?: (input: Readonly<Record<string, unknown>>) => boolean;
  /**
   * Gives the output's members, or the whole body in the form of `context.wire` when the operation writes its own, or an
   * answer that is made while it is sent.
   */
  // The shape has been checked, so handlers name their own input type.
  readonly handle: (
    input: never,
    context: RequestContext,
  ) => Promise<object | string | Buffer | StreamedOutput>;
}

/** An answer that goes on for long, in a content type of its own. */
export class StreamedOutput {
  readonly contentType: string;
  /** Sent as they come, no faster than the client reads, and not changed. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** When it is aborted, what was not sent is dropped and the answer cut off. */
  readonly cut: AbortSignal;
  /** Called once when all is sent, or the answer is cut off. */
  readonly over: () => void;

  constructor(options: Pick<StreamedOutput, 'contentType' | 'chunks' | 'cut' | 'over'>) {
    this.contentType = options.contentType;
    this.chunks = options.chunks;
    this.cut = options.cut;
    this.over = options.over;
  }
}

export interface RequestContext {
  readonly principal: Principal;
  readonly region: string;
  readonly requestId: string;
  /** How the request was written, and its answer has to be. */
  readonly wire: Wire;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

/** An error as the protocols carry it: `{"__type": type, "message": …}` with a status. */
export class AwsError extends Error {
  readonly type: string;
  readonly status: number;
  /** Further members of the error's structure. */
  readonly members: Readonly<Record<string, unknown>> | undefined;

  constructor(type: string, message: string, status = 400, members?: Readonly<Record<string, unknown>>) {
    super(message);
    this.type = type;
    this.status = status;
    this.members = members;
  }
}
