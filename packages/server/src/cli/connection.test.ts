import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { formatVariables } from './commands/env-formats.ts';
import { findServer } from './connection.ts';
import { signedHeaders } from './signed-get.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
after(() => rmSync(directory, { recursive: true }));
const key = { accessKeyId: 'AKIAROOT', secretAccessKey: 'secret' };

function running(file: object | undefined): string {
  const data = mkdtempSync(join(directory, 'data-'));
  if (file !== undefined) writeFileSync(join(data, 'run.json'), JSON.stringify(file));
  return data;
}

describe('the server is found', () => {
  test('by its data directory, with the root key', () => {
    const data = running({ pid: process.pid, url: 'http://0.0.0.0:4000', dev: false });
    writeFileSync(join(data, 'root-credentials.json'), JSON.stringify(key));
    const found = findServer({ data }, { AWS_ENDPOINT_URL: 'http://elsewhere', AWS_ACCESS_KEY_ID: 'other' });
    assert.deepEqual(
      [found.endpoint, found.accessKeyId, found.region],
      ['http://127.0.0.1:4000', 'AKIAROOT', 'us-east-1'],
    );
    assert.equal(findServer({}, { SLUICE_DATA: data }).accessKeyId, 'AKIAROOT');
  });
  test('by its data directory without a key when it takes any', () => {
    const data = running({ pid: process.pid, url: 'http://127.0.0.1:4000', dev: true });
    assert.equal(findServer({ data }, {}).accessKeyId, 'sluice');
  });
  test('by its URL, with the key of the environment', () => {
    const environment = {
      AWS_ENDPOINT_URL: 'http://a:1',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 's',
      AWS_REGION: 'eu-west-1',
    };
    assert.deepEqual(findServer({}, environment), {
      endpoint: 'http://a:1',
      accessKeyId: 'id',
      secretAccessKey: 's',
      sessionToken: undefined,
      region: 'eu-west-1',
      source: 'AWS_ENDPOINT_URL',
    });
    assert.equal(findServer({ endpoint: 'http://b:2/' }, environment).endpoint, 'http://b:2');
  });
});

describe('where none runs, the error says what to do', () => {
  test('on a directory without a server', () => {
    assert.throws(() => findServer({ data: running(undefined) }, {}), {
      exitCode: 3,
      hint: /sluice start --data/,
    });
  });
  test('on a directory whose server was killed', () => {
    // No process has the largest number that Linux gives, and this one is larger.
    const data = running({ pid: 2 ** 30, url: 'http://127.0.0.1:4000', dev: true });
    assert.throws(() => findServer({ data }, {}), { exitCode: 3, message: /without a clean stop/ });
  });
  test('with a key that cannot be read', () => {
    const data = running({ pid: process.pid, url: 'http://127.0.0.1:4000', dev: false });
    assert.throws(() => findServer({ data }, {}), { exitCode: 1, message: /root-credentials\.json/ });
  });
  test('with a URL that is none', () => {
    assert.throws(() => findServer({ endpoint: 'localhost' }, {}), { exitCode: 2 });
  });
});

test('a GET is signed as the suite of AWS signs it (get-vanilla)', () => {
  const headers = signedHeaders(
    new URL('https://example.amazonaws.com/'),
    {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      region: 'us-east-1',
    },
    { service: 'service', now: new Date('2015-08-30T12:36:00Z'), payloadHeader: false },
  );
  assert.equal(
    headers['authorization'],
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  );
});

test('variables stay values in each shell', () => {
  const variables = { A: 'http://127.0.0.1:4566', B: `it's $x \\ "q"` };
  assert.equal(
    formatVariables(variables, 'sh'),
    `export A=http://127.0.0.1:4566\nexport B='it'\\''s $x \\ "q"'\n`,
  );
  assert.equal(
    formatVariables(variables, 'fish'),
    `set -gx A 'http://127.0.0.1:4566'\nset -gx B 'it\\'s $x \\\\ "q"'\n`,
  );
  assert.equal(
    formatVariables(variables, 'powershell'),
    `$env:A = 'http://127.0.0.1:4566'\n$env:B = 'it''s $x \\ "q"'\n`,
  );
  assert.deepEqual(JSON.parse(formatVariables(variables, 'json')), variables);
});
