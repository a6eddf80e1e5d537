import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { suite, test } from 'node:test';
import { AwsError, type SignedRequest } from '../aws-json/index.ts';
import { createDevAuthenticate, createSigV4 } from './index.ts';
import { PRINCIPAL, testClock } from './testing/fixture.ts';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const NOW_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
const authenticate = createSigV4({
  identity: { secretOf: (id) => (id === KEY.accessKeyId ? { ...KEY, principal: PRINCIPAL } : undefined) },
  clock: testClock(() => NOW_MS),
});

const TIME = '20261121T120000Z';
const REQUEST: SignedRequest = {
  method: 'POST',
  path: '/',
  headers: {
    host: 'localhost:4566',
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-date': TIME,
    'x-amz-target': 'Kinesis_20131202.ListStreams',
  },
  body: Buffer.from('{}'),
};

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');

/** Written from the specification, apart from the code under test. */
function signed(
  request: SignedRequest,
  {
    scope = '20261121/eu-west-1/kinesis/aws4_request',
    names = Object.keys(request.headers).sort(),
    query = '',
  } = {},
): SignedRequest {
  const canonical = [
    request.method,
    request.path.split('?')[0],
    query,
    ...names.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    '',
    names.join(';'),
    sha256(request.body),
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', String(request.headers['x-amz-date']), scope, sha256(canonical)].join(
    '\n',
  );
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${KEY.secretAccessKey}`);
  const authorization = `AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${hmac(key, text).toString('hex')}`;
  return { ...request, headers: { ...request.headers, authorization } };
}

const refusal = (request: SignedRequest, service = 'kinesis'): AwsError => {
  try {
    authenticate(request, service);
  } catch (error) {
    assert.ok(error instanceof AwsError);
    assert.equal(error.status, 400);
    return error;
  }
  assert.fail('the request was taken');
};
const changed = (request: SignedRequest, headers: Record<string, string | undefined>): SignedRequest => ({
  ...request,
  headers: { ...request.headers, ...headers },
});
const MISMATCH = /^The request signature we calculated does not match the signature you provided\./;

suite('Signature Version 4', () => {
  test('takes what is signed right, and says who and where', () => {
    assert.deepEqual(authenticate(signed(REQUEST), 'kinesis'), { principal: PRINCIPAL, region: 'eu-west-1' });
    const withQuery = { ...REQUEST, path: '/?b=2&a=%20x&a=1&c' };
    authenticate(signed(withQuery, { query: 'a=%20x&a=1&b=2&c=' }), 'kinesis');
  });

  test('takes a host that HTTP/2 carries as :authority', () => {
    const { host, ...others } = signed(REQUEST).headers;
    authenticate({ ...REQUEST, headers: { ...others, ':authority': host } }, 'kinesis');
  });

  test('refuses every change of what is signed', () => {
    const good = signed(REQUEST);
    const mutants: SignedRequest[] = [
      { ...good, body: Buffer.from('{ }') },
      { ...good, body: Buffer.from('') },
      { ...good, method: 'GET' },
      { ...good, path: '/x' },
      { ...good, path: '/?a=1' },
      changed(good, { 'x-amz-target': 'Kinesis_20131202.DeleteStream' }),
      changed(good, { host: 'elsewhere' }),
      changed(good, { 'content-type': undefined }),
      changed(good, { 'x-amz-date': '20261121T120001Z' }),
      changed(good, { authorization: good.headers.authorization!.replace('eu-west-1', 'eu-west-2') }),
      changed(good, { authorization: good.headers.authorization!.slice(0, -1) }),
      changed(good, { authorization: good.headers.authorization!.slice(0, -64) + 'z'.repeat(64) }),
    ];
    const text = good.headers.authorization!;
    const start = text.indexOf('Signature=') + 'Signature='.length;
    for (let at = start; at < text.length; at++) {
      const other = text[at] === '0' ? '1' : '0';
      mutants.push(changed(good, { authorization: text.slice(0, at) + other + text.slice(at + 1) }));
    }
    for (const mutant of mutants) {
      const error = refusal(mutant);
      assert.equal(error.type, 'InvalidSignatureException');
      assert.match(error.message, MISMATCH);
    }
  });

  test('refuses a request whose target or host is not signed', () => {
    const names = ['content-type', 'host', 'x-amz-date'];
    assert.equal(
      refusal(signed(REQUEST, { names })).message,
      "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
    );
    assert.match(
      refusal(signed(REQUEST, { names: ['x-amz-date', 'x-amz-target'] })).message,
      /^'Host' or ':authority' must be/,
    );
  });

  test('refuses another scope in the words of AWS', () => {
    assert.equal(
      refusal(signed(REQUEST), 'glue').message,
      "Credential should be scoped to correct service: 'glue'.",
    );
    assert.equal(
      refusal(signed(REQUEST, { scope: '20261120/eu-west-1/kinesis/aws4_request' })).message,
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261120' != '20261121', from '${TIME}'.`,
    );
    assert.match(
      refusal(signed(REQUEST, { scope: '20261121/eu-west-1/kinesis/aws5' })).message,
      /valid terminator: 'aws4_request', not 'aws5'\.$/,
    );
    assert.match(
      refusal(signed(REQUEST, { scope: '20261121//kinesis/aws4_request' })).message,
      /scoped to a valid region/,
    );
  });

  test('holds the 15 minutes on both sides', () => {
    const at = (time: string) => signed(changed(REQUEST, { 'x-amz-date': time }));
    authenticate(at('20261121T114500Z'), 'kinesis');
    authenticate(at('20261121T121500Z'), 'kinesis');
    assert.equal(
      refusal(at('20261121T114459Z')).message,
      'Signature expired: 20261121T114459Z is now earlier than 20261121T114500Z (20261121T120000Z - 15 min.)',
    );
    assert.equal(
      refusal(at('20261121T121501Z')).message,
      'Signature not yet current: 20261121T121501Z is still later than 20261121T121500Z (20261121T120000Z + 15 min.)',
    );
    assert.equal(refusal(at('20261121')).type, 'IncompleteSignatureException');
    assert.equal(refusal(at('20261121Tnonsense')).type, 'IncompleteSignatureException');
  });

  test('refuses who is unknown, and session tokens', () => {
    const good = signed(REQUEST);
    const unknown = changed(good, {
      authorization: good.headers.authorization!.replace('AKIDEXAMPLE', 'AKIDOTHER'),
    });
    for (const request of [unknown, changed(good, { 'x-amz-security-token': 'token' })]) {
      const { type, message } = refusal(request);
      assert.equal(type, 'UnrecognizedClientException');
      assert.equal(message, 'The security token included in the request is invalid.');
    }
  });

  test('refuses what is no signature of this kind', () => {
    const cases: [string | undefined, string, RegExp][] = [
      [undefined, 'MissingAuthenticationTokenException', /^Missing Authentication Token$/],
      ['Bearer abc', 'MissingAuthenticationTokenException', /^Missing Authentication Token$/],
      ['', 'MissingAuthenticationTokenException', /^Missing Authentication Token$/],
      [
        'AWS4-ECDSA-P256-SHA256 Credential=a',
        'IncompleteSignatureException',
        /^Unsupported AWS 'algorithm': 'AWS4-ECDSA/,
      ],
      [
        'AWS4-HMAC-SHA256',
        'IncompleteSignatureException',
        /^Authorization header requires 'Credential' parameter\. Authorization header requires 'Signature' parameter\. Authorization header requires 'SignedHeaders' parameter\. Authorization=AWS4/,
      ],
      [
        'AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=ab',
        'IncompleteSignatureException',
        /^Credential must have exactly 5 slash-delimited elements/,
      ],
    ];
    for (const [authorization, type, message] of cases) {
      const error = refusal(changed(REQUEST, { authorization }));
      assert.equal(error.type, type);
      assert.match(error.message, message);
    }
    const undated = changed(signed(REQUEST), { 'x-amz-date': undefined });
    assert.match(refusal(undated).message, /requires existence of either a 'X-Amz-Date' or a 'Date' header/);
    const presigned = { ...REQUEST, path: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=ab' };
    assert.match(refusal(presigned).message, /Signatures in the query are not supported/);
  });

  test('in --dev anyone is taken, in the region that they sign for', () => {
    const dev = createDevAuthenticate(PRINCIPAL);
    assert.equal(dev(REQUEST, 'kinesis').region, 'us-east-1');
    assert.equal(
      dev(changed(signed(REQUEST), { 'x-amz-security-token': 'x' }), 'kinesis').region,
      'eu-west-1',
    );
  });
});
