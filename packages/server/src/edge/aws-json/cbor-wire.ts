import { CborProblem, decodeCbor, encodeCbor } from '../aws-cbor/index.ts';
import { AwsError } from './service.ts';
import type { Shape } from './shapes.ts';
import { messageMemberOf, type DecodedInput, type ErrorOrigin, type Wire } from './wire.ts';

export const CBOR_1_1: Wire = {
  name: 'aws-cbor-1.1',
  format: 'cbor',
  contentType: 'application/x-amz-cbor-1.1',
  timestampsPerSecond: 1000,
  decode: (body, shape) => decode(body, shape, 1000),
  encode: (output, timestampMembers) => encodeCbor(output, { timestampMembers, timestampsPerSecond: 1000 }),
  encodeError: (error, of) => encodeError(error, error.type, of),
};

export const RPC_V2_CBOR: Wire = {
  name: 'rpc-v2-cbor',
  format: 'cbor',
  contentType: 'application/cbor',
  timestampsPerSecond: 1,
  // An operation without an input is called without a body.
  decode: (body, shape) => (body.length === 0 ? { input: {}, seen: NOTHING } : decode(body, shape, 1)),
  encode: (output, timestampMembers) => encodeCbor(output, { timestampMembers, timestampsPerSecond: 1 }),
  encodeError: (error, of) =>
    encodeError(
      error,
      of.service === undefined ? error.type : `com.amazonaws.${of.service}#${error.type}`,
      of,
    ),
};

const NOTHING = { nulls: false, surrogates: false };

function decode(body: Buffer, shape: Shape, timestampsPerSecond: 1 | 1000): DecodedInput {
  try {
    const { value, nulls } = decodeCbor(body, shape, { timestampsPerSecond });
    return { input: value, seen: { nulls, surrogates: false } };
  } catch (error) {
    if (error instanceof CborProblem) throw new AwsError('SerializationException', error.message);
    throw error;
  }
}

function encodeError(error: AwsError, type: string, of: ErrorOrigin): Buffer {
  return encodeCbor(
    { __type: type, [messageMemberOf(error, of)]: error.message, ...error.members },
    { timestampMembers: NO_MEMBERS, timestampsPerSecond: 1 },
  );
}

const NO_MEMBERS: ReadonlySet<string> = new Set();
