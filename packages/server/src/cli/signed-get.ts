/**
 * Requests to Sluice's own endpoints, signed with AWS Signature Version 4 under the service name `sluice`
 * (AWS General Reference, "Create a signed AWS API request").
 */
import { createHash, createHmac } from 'node:crypto';
import { noAnswer, refusal, type Connection } from './connection.ts';
import { CliError } from './exit.ts';

/** The service name that Sluice's own endpoints are signed for. */
export const SERVICE = 'sluice';
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const ANSWER_MS_MAX = 10_000;

export type Signer = Pick<Connection, 'accessKeyId' | 'secretAccessKey' | 'sessionToken' | 'region'>;

/** The JSON of a path without a query. Rejects with exit code 3 when nobody answers. */
export async function getJson(connection: Connection, path: string): Promise<unknown> {
  const url = new URL(path, connection.endpoint);
  let response;
  try {
    response = await fetch(url, {
      headers: signedHeaders(url, connection, { service: SERVICE, now: new Date() }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
  } catch (cause) {
    throw noAnswer(connection, cause);
  }
  const text = await response.text();
  if (response.ok) return parse(text, url);
  const { __type: type, message } = readError(text);
  throw refusal(connection, {
    type: type ?? `${url.href} answers ${response.status}`,
    message: message ?? text.slice(0, 300),
  });
}

/** The members of an error's body; none for what is no such body. */
export function readError(text: string): { __type?: string; message?: string } {
  try {
    return JSON.parse(text) as { __type?: string; message?: string };
  } catch {
    return {};
  }
}

export interface SignedRequest {
  readonly service: string;
  readonly now: Date;
  readonly payloadHeader?: boolean;
  /** Default: GET, without a body. */
  readonly method?: 'GET' | 'POST';
  readonly body?: string;
}

/** Headers of a request without a query, `host` among those that are signed. */
export function signedHeaders(url: URL, signer: Signer, request: SignedRequest): Record<string, string> {
  const { service, now, payloadHeader = true, method = 'GET', body = '' } = request;
  const payload = body === '' ? EMPTY_SHA256 : createHash('sha256').update(body).digest('hex');
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const scope = `${stamp.slice(0, 8)}/${signer.region}/${service}/aws4_request`;
  const headers: Record<string, string> = {
    host: url.host,
    ...(payloadHeader ? { 'x-amz-content-sha256': payload } : {}),
    'x-amz-date': stamp,
    ...(signer.sessionToken === undefined ? {} : { 'x-amz-security-token': signer.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    url.pathname,
    '',
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    payload,
  ].join('\n');
  const toSign = [
    'AWS4-HMAC-SHA256',
    stamp,
    scope,
    createHash('sha256').update(canonical).digest('hex'),
  ].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${signer.secretAccessKey}`);
  const signature = hmac(key, toSign).toString('hex');
  const { host: _, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${signer.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function parse(text: string, url: URL): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError(`${url.href} does not answer as Sluice does: ${text.slice(0, 100)}`, {
      hint: 'Check the URL and port.',
      cause,
    });
  }
}
