import type { Principal } from '../../modules/identity/index.ts';
import type { Shape } from './shapes.ts';

/**
 * A service of the AWS JSON 1.1 protocol as a table: the dispatcher decodes, authenticates, validates against the
 * operation's shape and calls; the same table makes the parity report, so that the report can't drift.
 */
export interface AwsService {
  /** As in a SigV4 credential scope: `kinesis`, `firehose`, `glue`, `athena`. */
  readonly name: string;
  /** Before the dot in `X-Amz-Target`. */
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
  /** Answers carry the header `x-amz-id-2`. */
  readonly extendedRequestId?: boolean;
  /** Maps an error of a module to the protocol; undefined for one that is not a module's. */
  readonly mapError: (error: unknown) => AwsError | undefined;
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
  /** Gives the output's members, or their JSON as text or bytes when the operation writes its own. */
  // The shape has been checked, so handlers name their own input type.
  readonly handle: (input: never, context: RequestContext) => Promise<object | string | Buffer>;
}

export interface RequestContext {
  readonly principal: Principal;
  readonly region: string;
  readonly requestId: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

/** An error as the protocol carries it: `{"__type": type, "message": …}` with a status. */
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
