import { crc32 } from 'node:zlib';
import { extendedRequestId } from './request-id.ts';

/** What the head of an answer says beside its status. */
export interface AnswerHead {
  readonly contentType: string;
  /** Sends `x-amz-id-2` beside the request's id. */
  readonly extendedRequestId?: boolean;
  /** Of an error of the AWS protocols, which SDKs read before the body: `x-amzn-ErrorType`. */
  readonly errorType?: string | undefined;
  /** `rpc-v2-cbor` in an answer of that protocol. */
  readonly smithyProtocol?: string | undefined;
  /** Sends `x-amz-crc32`, which some SDKs check against the body as it came, with answers that aren't large. */
  readonly checksum?: boolean;
}

/** The sum of a large batch of records would cost a tenth of what the whole answer does. */
const SUMMED_BYTES_MAX = 16 * 1024;

/** Names and values in turn, those of `body` included; without a body the length isn't told. */
export function headersOf(requestId: string, head: AnswerHead, body?: string | Buffer): string[] {
  const headers = ['x-amzn-RequestId', requestId, 'Content-Type', head.contentType];
  if (body !== undefined) {
    const bytes = Buffer.byteLength(body);
    headers.push('Content-Length', String(bytes));
    if (head.checksum === true && bytes <= SUMMED_BYTES_MAX) headers.push('x-amz-crc32', String(crc32(body)));
  }
  if (head.extendedRequestId === true) headers.push('x-amz-id-2', extendedRequestId(requestId));
  if (head.errorType !== undefined) headers.push('x-amzn-ErrorType', head.errorType);
  if (head.smithyProtocol !== undefined) headers.push('smithy-protocol', head.smithyProtocol);
  return headers;
}

/** Text that is longer is made bytes once, rather than measured, summed and sent each by an encoding of its own. */
const TEXT_LENGTH_MAX = 4_096;

export function bodyToSend(body: string | Buffer): string | Buffer {
  return typeof body === 'string' && body.length > TEXT_LENGTH_MAX ? Buffer.from(body) : body;
}
