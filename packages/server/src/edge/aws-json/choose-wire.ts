import type { IncomingHttpHeaders } from 'node:http';
import { CBOR_1_1, RPC_V2_CBOR } from './cbor-wire.ts';
import { JSON_1_0, JSON_1_1 } from './json-wire.ts';
import { AwsError } from './service.ts';
import type { Wire } from './wire.ts';

interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** Where a request is meant to go. */
export interface Addressed {
  readonly wire: Wire;
  /** As `X-Amz-Target` has it: the service's shape and the operation; undefined when nothing names it. */
  readonly target: string | undefined;
}

/** A path of the endpoint may stand before it. */
const RPC_PATH = /\/service\/([A-Za-z0-9_.]{1,128})\/operation\/([A-Za-z0-9_]{1,128})$/;
const JSON_TYPE = 'application/x-amz-json-1.1';

/** Throws the refusal of a request that is in none of the protocols. */
export function chooseWire(request: RequestHead): Addressed {
  const { method, path, headers } = request;
  const contentType = headers['content-type'];
  if (method === 'POST' && path === '/' && contentType === JSON_TYPE) return ofTarget(JSON_1_1, headers);
  if (path.includes('/service/')) return ofRpcPath(request);
  if (path !== '/' && !path.startsWith('/?')) {
    throw new AwsError(
      'UnknownOperationException',
      `${method} ${path.slice(0, 256)} is not served here: requests of the AWS protocols are POST /`,
      404,
    );
  }
  // What AWS says to all that is not a call.
  if (method !== 'POST') {
    throw new AwsError(
      'AccessDeniedException',
      'Unable to determine service/operation name to be authorized',
      403,
    );
  }
  const media = mediaOf(contentType);
  if (media === CBOR_1_1.contentType) return ofTarget(CBOR_1_1, headers);
  if (media === JSON_1_0.contentType) return ofTarget(JSON_1_0, headers);
  if (media === JSON_TYPE || media === 'application/json') return ofTarget(JSON_1_1, headers);
  throw new AwsError(
    'SerializationException',
    `The content type ${JSON.stringify((contentType ?? '').slice(0, 256))} is not one of the AWS protocols: send application/x-amz-json-1.1 or application/x-amz-cbor-1.1, or application/cbor to /service/…/operation/…`,
  );
}

/** What to answer in to a request that `chooseWire` refused, or whose body was never read. */
export function wireOfRefusal({ path, headers }: Omit<RequestHead, 'method'>): Wire {
  if (headers['smithy-protocol'] === 'rpc-v2-cbor' || path.includes('/service/')) return RPC_V2_CBOR;
  const media = mediaOf(headers['content-type']);
  if (media === CBOR_1_1.contentType) return CBOR_1_1;
  return media === JSON_1_0.contentType ? JSON_1_0 : JSON_1_1;
}

function ofTarget(wire: Wire, headers: IncomingHttpHeaders): Addressed {
  const target = headers['x-amz-target'];
  return { wire, target: target === undefined ? undefined : String(target) };
}

function ofRpcPath({ method, path, headers }: RequestHead): Addressed {
  const end = path.indexOf('?');
  const [, service, operation] = RPC_PATH.exec(end < 0 ? path : path.slice(0, end)) ?? [];
  if (service === undefined || operation === undefined || method !== 'POST') {
    throw new AwsError(
      'UnknownOperationException',
      `${method} ${path.slice(0, 256)} is not served here: requests of the Smithy RPC v2 protocol are POST /service/{service}/operation/{operation}`,
      404,
    );
  }
  if (headers['smithy-protocol'] !== 'rpc-v2-cbor') {
    throw new AwsError(
      'SerializationException',
      'The header smithy-protocol has to be rpc-v2-cbor on this path.',
    );
  }
  const media = mediaOf(headers['content-type']);
  if (media !== '' && media !== RPC_V2_CBOR.contentType) {
    throw new AwsError(
      'SerializationException',
      `The content type ${JSON.stringify(media.slice(0, 256))} is not application/cbor.`,
    );
  }
  // The namespace may stand before the service's name.
  return { wire: RPC_V2_CBOR, target: `${service.slice(service.lastIndexOf('.') + 1)}.${operation}` };
}

const mediaOf = (contentType: string | undefined): string =>
  (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
