/**
 * The protocols that the services speak: one table of operations, several ways to write the same request and answer.
 *
 * - AWS JSON 1.1 and 1.0 (Smithy `aws.protocols#awsJson1_1`): `POST /`, the header `X-Amz-Target` names the operation.
 * - AWS CBOR 1.1: the same with CBOR bodies, as the SDKs for Java speak to Kinesis. Its timestamps count milliseconds.
 * - Smithy RPC v2 CBOR (`smithy.protocols#rpcv2Cbor`): `POST /service/…/operation/…`.
 */
import type { Shape } from './shapes.ts';
import type { AwsError } from './service.ts';
import type { Seen } from './validate.ts';

export type WireName = 'aws-json-1.1' | 'aws-json-1.0' | 'aws-cbor-1.1' | 'rpc-v2-cbor';

export interface Wire {
  readonly name: WireName;
  readonly format: 'json' | 'cbor';
  /** Of the bodies of answers, and of the payload of each event of a streamed one. */
  readonly contentType: string;
  /** What timestamps count in CBOR; in JSON they are seconds with a fraction. */
  readonly timestampsPerSecond: 1 | 1000;
  /** Throws the refusal of a body that isn't in the format; constraints are not its matter. */
  decode(body: Buffer, shape: Shape): DecodedInput;
  /** A structure of an operation's output, or of an event of it. */
  encode(output: object, timestampMembers: ReadonlySet<string>): string | Buffer;
  /** The body of an error. */
  encodeError(error: AwsError, of: ErrorOrigin): string | Buffer;
}

export interface DecodedInput {
  readonly input: unknown;
  readonly seen: Seen;
}

export interface ErrorOrigin {
  /** The service's name, which its shapes' namespace ends with; undefined where there is none. */
  readonly service: string | undefined;
  readonly messageMember: 'message' | 'Message';
}

/** What can't be read is refused by a layer that all services share, and that writes its messages so. */
export function messageMemberOf(error: AwsError, { messageMember }: ErrorOrigin): 'message' | 'Message' {
  return error.type === 'SerializationException' ? 'Message' : messageMember;
}
