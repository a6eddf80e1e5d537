/** Requests as no SDK would send them, signed by this file's own implementation of Signature Version 4. */
import { createHash, createHmac } from 'node:crypto';
import { REGION, type Target } from './target.ts';

export interface PostOptions {
  readonly service: string;
  /** `Kinesis_20131202.ListStreams` */
  readonly target: string;
  readonly body: string | Buffer;
  readonly contentType?: string;
  readonly now?: Date;
  /** Changes what was signed before it is sent. */
  readonly tamper?: (request: { headers: Record<string, string>; body: Buffer }) => { body?: Buffer } | void;
}

export interface Posted {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly body: string;
  readonly headers: Headers;
}

export async function signedPost(to: Target, options: PostOptions): Promise<Posted> {
  const body = Buffer.from(options.body);
  const headers = signedHeaders(to, options, body);
  const tampered = options.tamper?.({ headers, body });
  const response = await fetch(to.url, {
    method: 'POST',
    headers,
    body: new Uint8Array(tampered?.body ?? body),
  });
  const text = await response.text();
  return { status: response.status, body: text, headers: response.headers, ...errorOf(text) };
}

export function signedHeaders(to: Target, options: PostOptions, body: Buffer): Record<string, string> {
  const time = (options.now ?? new Date()).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const headers: Record<string, string> = {
    'content-type': options.contentType ?? 'application/x-amz-json-1.1',
    host: new URL(to.url).host,
    'x-amz-date': time,
    'x-amz-target': options.target,
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    'POST',
    '/',
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

function errorOf(text: string): { type: string; message: string } {
  try {
    const {
      __type = '',
      message,
      Message,
    } = JSON.parse(text) as Record<'__type' | 'message' | 'Message', string | undefined>;
    return { type: __type, message: message ?? Message ?? '' };
  } catch {
    return { type: '', message: '' };
  }
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
