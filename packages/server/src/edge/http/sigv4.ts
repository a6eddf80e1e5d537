/**
 * AWS Signature Version 4 in the `Authorization` header ("Create a signed AWS API request", IAM user guide).
 *
 * The signature covers method, path, query, the signed headers and the hash of the body; it holds for 15 minutes
 * around its time. Requests signed in the query, with SigV4A or with a session token are refused in words.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { Identity, Principal } from '../../modules/identity/index.ts';
import { AwsError, type Authenticate, type SignedRequest } from '../aws-json/index.ts';

export interface SigV4Options {
  readonly identity: Pick<Identity, 'secretOf'>;
  readonly clock: Clock;
}

const SKEW_MS = 15 * 60 * 1000;
const DERIVED_KEYS_MAX = 1_024;
const ALGORITHM = 'AWS4-HMAC-SHA256';

/** Checks signatures against the identity module's access keys. */
export function createSigV4({ identity, clock }: SigV4Options): Authenticate {
  const derived = new DerivedKeys();
  return (request, service) => {
    const signed = parseAuthorization(request);
    if (request.headers['x-amz-security-token'] !== undefined) throw unrecognized();
    const key = identity.secretOf(signed.accessKeyId);
    if (key === undefined) throw unrecognized();
    checkScope(signed, service);
    checkTime(signed.time, clock.nowMs());
    checkSignedHeaders(signed.headerNames, request);
    const signingKey = derived.of(key.secretAccessKey, signed);
    const text = stringToSign(signed, canonicalRequest(request, signed.headerNames));
    const expected = createHmac('sha256', signingKey).update(text).digest();
    const given = Buffer.from(signed.signature, 'hex');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw mismatch();
    return { principal: key.principal, region: signed.region };
  };
}

/** Takes any credentials, and none: for `--dev` on loopback. The region is that of the signature, where there is one. */
export function createDevAuthenticate(principal: Principal): Authenticate {
  return ({ headers }) => {
    const region = /Credential=[^/,]*\/\d{8}\/([a-z0-9-]+)\//.exec(headers.authorization ?? '')?.[1];
    return { principal, region: region ?? 'us-east-1' };
  };
}

interface Signed {
  readonly accessKeyId: string;
  /** YYYYMMDD */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
  readonly headerNames: readonly string[];
  readonly signature: string;
  /** YYYYMMDDTHHMMSSZ */
  readonly time: string;
}

function parseAuthorization({ headers, path }: SignedRequest): Signed {
  const { authorization } = headers;
  const query = path.slice(path.indexOf('?') + 1);
  if (authorization === undefined) {
    if (/(^|&)X-Amz-(Algorithm|Signature)=/i.test(query)) {
      throw new AwsError(
        'IncompleteSignatureException',
        'Signatures in the query are not supported by this version of Sluice: sign the Authorization header.',
      );
    }
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const space = authorization.indexOf(' ');
  const algorithm = space < 0 ? authorization : authorization.slice(0, space);
  if (algorithm !== ALGORITHM) {
    if (!algorithm.startsWith('AWS4-')) {
      throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
    }
    throw new AwsError(
      'IncompleteSignatureException',
      `Unsupported AWS 'algorithm': '${algorithm.slice(0, 64)}'. Sluice takes ${ALGORITHM}.`,
    );
  }
  const parts = new Map<string, string>();
  for (const part of authorization.slice(space + 1).split(',')) {
    const equals = part.indexOf('=');
    if (equals > 0) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  const time = headers['x-amz-date'] ?? dateHeaderTime(headers.date);
  const missing = ['Credential', 'Signature', 'SignedHeaders']
    .filter((name) => !parts.get(name))
    .map((name) => `Authorization header requires '${name}' parameter. `);
  if (time === undefined) {
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
  }
  if (missing.length > 0) {
    throw new AwsError(
      'IncompleteSignatureException',
      `${missing.join('')}Authorization=${authorization.slice(0, 1_024)}`,
    );
  }
  const credential = parts.get('Credential')!.split('/');
  if (credential.length !== 5) {
    throw new AwsError(
      'IncompleteSignatureException',
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${parts.get('Credential')!.slice(0, 256)}'`,
    );
  }
  const [accessKeyId, date, region, service, terminator] = credential as [
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    accessKeyId,
    date,
    region,
    service,
    terminator,
    headerNames: parts.get('SignedHeaders')!.toLowerCase().split(';'),
    signature: parts.get('Signature')!,
    time: String(time),
  };
}

function dateHeaderTime(date: string | undefined): string | undefined {
  const ms = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(ms) ? undefined : basicTime(ms);
}

function checkScope(signed: Signed, service: string): void {
  const problems: string[] = [];
  if (!/^[a-z0-9-]{1,64}$/.test(signed.region))
    problems.push('Credential should be scoped to a valid region. ');
  if (signed.service !== service)
    problems.push(`Credential should be scoped to correct service: '${service}'. `);
  if (signed.terminator !== 'aws4_request') {
    problems.push(
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${signed.terminator.slice(0, 64)}'. `,
    );
  }
  if (!signed.time.startsWith(signed.date) || signed.date.length !== 8) {
    problems.push(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${signed.date.slice(0, 32)}' != '${signed.time.slice(0, 8)}', from '${signed.time.slice(0, 32)}'. `,
    );
  }
  if (problems.length > 0) throw new AwsError('InvalidSignatureException', problems.join('').trimEnd());
}

function checkTime(time: string, nowMs: number): void {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time);
  if (parts === null) {
    throw new AwsError(
      'IncompleteSignatureException',
      `Date must be in ISO-8601 'basic format'. Got '${time.slice(0, 64)}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  }
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const now = basicTime(nowMs);
  if (ms < nowMs - SKEW_MS) {
    throw new AwsError(
      'InvalidSignatureException',
      `Signature expired: ${time} is now earlier than ${basicTime(nowMs - SKEW_MS)} (${now} - 15 min.)`,
    );
  }
  if (ms > nowMs + SKEW_MS) {
    throw new AwsError(
      'InvalidSignatureException',
      `Signature not yet current: ${time} is still later than ${basicTime(nowMs + SKEW_MS)} (${now} + 15 min.)`,
    );
  }
}

/** What decides where a request goes and what it does must be under the signature. */
function checkSignedHeaders(names: readonly string[], { headers }: SignedRequest): void {
  if (!names.includes('host') && !names.includes(':authority')) {
    throw new AwsError(
      'InvalidSignatureException',
      "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
  }
  for (const name of ['x-amz-date', 'x-amz-target']) {
    if (headers[name] !== undefined && !names.includes(name)) {
      throw new AwsError(
        'InvalidSignatureException',
        `'${name}' must be a 'SignedHeader' in the AWS Authorization.`,
      );
    }
  }
}

function canonicalRequest({ method, path, headers, body }: SignedRequest, names: readonly string[]): string {
  const question = path.indexOf('?');
  const uri = question < 0 ? path : path.slice(0, question);
  let text = `${method}\n${canonicalPath(uri)}\n${question < 0 ? '' : canonicalQuery(path.slice(question + 1))}\n`;
  for (const name of names) text += `${name}:${headerValue(headers, name)}\n`;
  return `${text}\n${names.join(';')}\n${hash('sha256', body)}`;
}

function headerValue(headers: SignedRequest['headers'], name: string): string {
  let value = headers[name];
  // Over HTTP/2 the host goes as `:authority`, whichever of the two a client signs.
  if (value === undefined && name === 'host') value = headers[':authority'];
  if (value === undefined && name === ':authority') value = headers.host;
  const text = typeof value === 'string' ? value : (value ?? []).join(',');
  return text.trim().replace(/ {2,}/g, ' ');
}

/** Each segment of the path as it came, encoded once more, as every service but S3 wants it. */
function canonicalPath(path: string): string {
  return path === '/' ? path : path.split('/').map(encode).join('/');
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const name = equals < 0 ? part : part.slice(0, equals);
      return [encode(decode(name)), encode(decode(equals < 0 ? '' : part.slice(equals + 1)))] as const;
    })
    .sort(([a, av], [b, bv]) => (a < b ? -1 : a > b ? 1 : av < bv ? -1 : av > bv ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (at) => `%${at.charCodeAt(0).toString(16).toUpperCase()}`);

function stringToSign({ time, date, region, service }: Signed, canonical: string): string {
  return `${ALGORITHM}\n${time}\n${date}/${region}/${service}/aws4_request\n${hash('sha256', canonical)}`;
}

/** Signing keys hold for a day, a region and a service; deriving one costs as much as the rest of the check. */
class DerivedKeys {
  readonly #keys = new Map<string, Buffer>();

  of(secret: string, { accessKeyId, date, region, service }: Signed): Buffer {
    const name = `${accessKeyId}/${date}/${region}/${service}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = [date, region, service, 'aws4_request'].reduce(
        (from: Buffer, part) => createHmac('sha256', from).update(part).digest(),
        Buffer.from(`AWS4${secret}`),
      );
      if (this.#keys.size >= DERIVED_KEYS_MAX) this.#keys.delete(this.#keys.keys().next().value!);
      this.#keys.set(name, key);
    }
    return key;
  }
}

function basicTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

const unrecognized = (): AwsError =>
  new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');

const mismatch = (): AwsError =>
  new AwsError(
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
