/** Requests as no SDK would send them, signed by this file's own implementation of Signature Version 4. */
import { createHash, createHmac } from 'node:crypto';
import { cbor } from '@smithy/core/cbor';
import { REGION, type Target } from './target.ts';

export interface PostOptions {
  readonly service: string;
  /** `Kinesis_20131202.ListStreams` */
  readonly target?: string;
  readonly body: string | Buffer;
  readonly contentType?: string;
  /** `/` by default; without a query. */
  readonly path?: string;
  /** Sent and signed with the others. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly now?: Date;
  /** Changes what was signed before it is sent. */
  readonly tamper?: (request: { headers: Record<string, string>; body: Buffer }) => { body?: Buffer } | void;
}

export interface Posted {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly body: string;
  readonly bytes: Buffer;
  readonly headers: Headers;
}

export async function signedPost(to: Target, options: PostOptions): Promise<Posted> {
  const body = Buffer.from(options.body);
  const headers = signedHeaders(to, options, body);
  const tampered = options.tamper?.({ headers, body });
  const response = await fetch(new URL(options.path ?? '/', to.url), {
    method: 'POST',
    headers,
    body: new Uint8Array(tampered?.body ?? body),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const text = bytes.toString();
  const error = response.headers.get('content-type')?.includes('cbor')
    ? errorOf(cbor.deserialize(bytes) as Partial<ErrorMembers>)
    : errorOf(parsed(text));
  return { status: response.status, body: text, bytes, headers: response.headers, ...error };
}

export function signedHeaders(to: Target, options: PostOptions, body: Buffer): Record<string, string> {
  const time = (options.now ?? new Date()).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const headers: Record<string, string> = {
    'content-type': options.contentType ?? 'application/x-amz-json-1.1',
    host: new URL(to.url).host,
    'x-amz-date': time,
    ...(options.target === undefined ? undefined : { 'x-amz-target': options.target }),
    ...options.headers,
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    'POST',
    options.path ?? '/',
    '',
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    sha256(body),
  ].join('\n');
  const scope = [time.slice(0, 8), REGION, options.service, 'aws4_request'];
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${to.secretAccessKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonical)].join('\n'));
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${to.accessKeyId}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature.toString('hex')}`;
  return headers;
}

type ErrorMembers = Record<'__type' | 'message' | 'Message', string>;

/** The type without the namespace that RPC v2 names. */
function errorOf({ __type = '', message, Message }: Partial<ErrorMembers>): {
  type: string;
  message: string;
} {
  return { type: __type.slice(__type.indexOf('#') + 1), message: message ?? Message ?? '' };
}

function parsed(text: string): Partial<ErrorMembers> {
  try {
    return JSON.parse(text) as Partial<ErrorMembers>;
  } catch {
    return {};
  }
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
