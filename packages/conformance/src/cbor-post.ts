/** Requests in CBOR, written by another implementation than the server's. */
import { cbor, tag } from '@smithy/core/cbor';
import type { Model, ModelShape } from './models.ts';
import { signedPost, type Posted } from './signed-post.ts';
import type { Target } from './target.ts';

export const CBOR_WIRES = ['aws-cbor-1.1', 'rpc-v2-cbor'] as const;
export type CborWire = (typeof CBOR_WIRES)[number];

export interface CborPost {
  readonly service: string;
  /** As in `X-Amz-Target`. */
  readonly targetPrefix: string;
  readonly operation: string;
  readonly body: Uint8Array;
}

export function cborPost(to: Target, wire: CborWire, post: CborPost): Promise<Posted> {
  const { service, targetPrefix, operation } = post;
  const body = Buffer.from(post.body);
  return wire === 'rpc-v2-cbor'
    ? signedPost(to, {
        service,
        body,
        path: `/service/${targetPrefix}/operation/${operation}`,
        contentType: 'application/cbor',
        headers: { 'smithy-protocol': wire, accept: 'application/cbor' },
      })
    : signedPost(to, {
        service,
        body,
        target: `${targetPrefix}.${operation}`,
        contentType: 'application/x-amz-cbor-1.1',
      });
}

/** An input of JSON in CBOR: base64 as bytes, timestamps with their tag, in what the protocol counts. */
export function cborBody(model: Model, operation: string, input: unknown, wire: CborWire): Uint8Array {
  const perSecond = wire === 'rpc-v2-cbor' ? 1 : 1000;
  const convert = (shape: ModelShape | undefined, value: unknown): unknown => {
    if (shape?.type === 'blob' && typeof value === 'string') return Buffer.from(value, 'base64');
    if (shape?.type === 'timestamp' && typeof value === 'number')
      return tag({ tag: 1, value: value * perSecond });
    if (Array.isArray(value)) return value.map((item) => convert(member(shape?.member), item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, convert(member(shape?.members?.[name]), item)]),
    );
  };
  const member = (of: { readonly target: string } | undefined) =>
    of === undefined ? undefined : model.shape(of.target);
  return cbor.serialize(convert(model.inputOf(operation), input));
}
