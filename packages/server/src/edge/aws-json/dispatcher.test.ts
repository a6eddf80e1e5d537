import assert from 'node:assert/strict';
import { crc32, gzipSync } from 'node:zlib';
import { after, before, suite, test } from 'node:test';
import type { HttpServer } from '../http/index.ts';
import { echo, startTestServer, testLogger, trivialService, type Line } from '../http/testing/fixture.ts';
import { post } from '../http/testing/raw.ts';
import { AwsError } from './index.ts';

const PUT = { StreamName: 'orders', PartitionKey: 'a', Data: 'aGVsbG8=' };
const json = (changes: object) => JSON.stringify({ ...PUT, ...changes });

suite('the dispatcher', () => {
  const lines: Line[] = [];
  let server: HttpServer & { url: string };
  let fail: Error | undefined;
  before(async () => {
    const handle = async (input: unknown) => {
      if (fail !== undefined) throw fail;
      return echo(input);
    };
    server = await startTestServer({ services: [trivialService(handle)], logger: testLogger(lines) });
  });
  after(() => server.close());
  const refused = async (target: string, body: string, type: string, message: string | RegExp) => {
    const answer = await post(server.url, target, body);
    assert.equal(answer.status, 400);
    assert.equal(answer.type, type);
    if (typeof message === 'string') assert.equal(answer.message, message);
    else assert.match(answer.message, message);
  };

  test('answers with the headers of the protocol', async () => {
    const answer = await post(server.url, 'PutRecord', json({}));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'application/x-amz-json-1.1');
    assert.match(answer.headers.get('x-amzn-requestid') ?? '', /^[0-9a-f]{8}-/);
    assert.ok(answer.headers.get('x-amz-id-2'));
    assert.ok(answer.headers.get('date'));
  });

  const constraints: [string, object, string][] = [
    [
      'a pattern',
      { StreamName: 'a b' },
      "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
    ],
    [
      'a missing member',
      { PartitionKey: undefined },
      "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: Member must not be null",
    ],
    [
      'a null member',
      { PartitionKey: null },
      "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: Member must not be null",
    ],
    [
      'a long text',
      { StreamName: 'a'.repeat(129) },
      `1 validation error detected: Value '${'a'.repeat(129)}' at 'streamName' failed to satisfy constraint: Member must have length less than or equal to 128`,
    ],
    [
      'a blob by its bytes',
      { Data: Buffer.alloc(1025).toString('base64') },
      "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1025 cap=1025]' at 'data' failed to satisfy constraint: Member must have length less than or equal to 1024",
    ],
    [
      'several',
      { StreamName: '', PartitionKey: '' },
      "3 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
  ];
  for (const [name, changes, message] of constraints) {
    test(`refuses ${name} in the words of AWS`, () =>
      refused('PutRecord', json(changes), 'ValidationException', message));
  }
  test('refuses a range, and what is in lists', async () => {
    await refused(
      'ListStreams',
      '{"Limit":0}',
      'ValidationException',
      /Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1$/,
    );
    await refused(
      'ListStreams',
      '{"Names":["a","b!"]}',
      'ValidationException',
      /Value 'b!' at 'names\.2\.member' failed/,
    );
    await refused(
      'ListStreams',
      '{"Names":["a",null]}',
      'ValidationException',
      /Value null at 'names\.2\.member' failed to satisfy constraint: Member must not be null$/,
    );
  });

  const wrongTypes: [object, string][] = [
    [{ StreamName: 1 }, 'NUMBER_VALUE can not be converted to a String'],
    [{ StreamName: 1.5 }, 'DECIMAL_VALUE can not be converted to a String'],
    [{ StreamName: true }, 'TRUE_VALUE can not be converted to a String'],
    [{ StreamName: {} }, 'Start of structure or map found where not expected.'],
    [{ StreamName: [] }, 'Start of list found where not expected'],
    [
      { Data: 'abc' },
      "'abc' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 3",
    ],
    [{ Data: 'a*==' }, "'a*==' can not be converted to a Blob: Invalid Base64 character: '*'"],
    [
      { Data: 'aB==' },
      "'aB==' can not be converted to a Blob: Invalid last non-pad Base64 character dectected",
    ],
  ];
  for (const [changes, message] of wrongTypes) {
    test(`refuses ${JSON.stringify(changes)}`, () =>
      refused('PutRecord', json(changes), 'SerializationException', message));
  }
  test('refuses other wrong types', async () => {
    await refused(
      'ListStreams',
      '{"Limit":"1"}',
      'SerializationException',
      'STRING_VALUE can not be converted to an Integer',
    );
    await refused(
      'ListStreams',
      '{"Limit":1.5}',
      'SerializationException',
      /can not be converted to an Integer/,
    );
    await refused(
      'ListStreams',
      '{"Limit":9007199254740993}',
      'SerializationException',
      /can not be converted to an Integer/,
    );
    await refused('ListStreams', '{"Names":"a"}', 'SerializationException', 'Expected list or null');
    await refused('ListStreams', '[]', 'SerializationException', 'Start of list found where not expected');
    await refused('ListStreams', 'null', 'SerializationException', 'Expected structure or null');
    await refused(
      'PutRecord',
      '{"StreamName":"a","PartitionKey":"\\ud800","Data":""}',
      'SerializationException',
      /surrogate/,
    );
  });

  test('refuses what is not JSON or not UTF-8', async () => {
    for (const body of ['', '{', '{"a":}', 'x', '{"a":1}}']) {
      await refused('ListStreams', body, 'SerializationException', /^The body is not JSON/);
    }
    const answer = await post(server.url, 'ListStreams', new Uint8Array([0x22, 0xff, 0xfe, 0x22]));
    assert.equal(answer.message, 'The body is not UTF-8.');
  });
  test('takes deep nesting and huge lists of bad elements without harm', async () => {
    const deep = 2_000_000;
    await refused(
      'ListStreams',
      `{"Names":${'['.repeat(deep)}${']'.repeat(deep)}}`,
      'SerializationException',
      /Start of list/,
    );
    await refused(
      'ListStreams',
      `{"X":${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}}`,
      'ValidationException',
      /^X is not a member/,
    );
    await refused(
      'ListStreams',
      `{"Names":[${'"!",'.repeat(2_000_000)}"!"]}`,
      'ValidationException',
      /^10 validation errors detected: /,
    );
  });
  test('refuses members that it would have to ignore', async () => {
    await refused(
      'PutRecord',
      json({ Colour: 'red' }),
      'ValidationException',
      /^Colour is not a member of the input of PutRecord/,
    );
    await refused(
      'PutRecord',
      json({ StreamARN: 'arn' }),
      'InvalidArgumentException',
      'StreamARN of PutRecord is not supported by this version of Sluice: streams are named',
    );
    await refused(
      'PutRecord',
      '{"__proto__":{"StreamName":"a"},"constructor":1}',
      'ValidationException',
      /^__proto__ is not a member/,
    );
    assert.equal((await post(server.url, 'PutRecord', json({ StreamARN: null }))).status, 200);
  });
  test('refuses operations that it does not have', async () => {
    await refused(
      'MergeShards',
      '{}',
      'InvalidArgumentException',
      'MergeShards is not supported by this version of Sluice',
    );
    await refused('Fly', '{}', 'UnknownOperationException', 'Fly is not an operation of kinesis');
    const other = await post(server.url, 'x', '{}', { 'x-amz-target': 'DynamoDB_20120810.GetItem' });
    assert.equal(other.type, 'UnknownOperationException');
    assert.match(other.message, /no service for the target DynamoDB_20120810\.GetItem/);
    const none = await post(server.url, 'x', '{}', { 'x-amz-target': '' });
    assert.equal(none.type, 'UnknownOperationException');
  });
  test('refuses other protocols, and says which there are', async () => {
    const form = await post(server.url, 'PutRecord', 'a=b', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    assert.match(form.message, /send application\/x-amz-json-1\.1/);
    const other = await fetch(`${server.url}/elsewhere`, { method: 'POST' });
    assert.equal(other.status, 404);
    for (const method of ['GET', 'PUT', 'OPTIONS', 'DELETE']) {
      const answer = await fetch(server.url, { method });
      assert.equal(answer.status, 403, method);
      assert.match(await answer.text(), /Unable to determine service\/operation name to be authorized/);
    }
    const head = await fetch(server.url, { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [403, '']);
  });
  test('answers JSON 1.0 in JSON 1.0, and plain JSON in JSON 1.1', async () => {
    for (const [sent, answered] of [
      ['application/x-amz-json-1.0', 'application/x-amz-json-1.0'],
      ['Application/JSON; charset=utf-8', 'application/x-amz-json-1.1'],
    ] as const) {
      const answer = await post(server.url, 'PutRecord', json({}), { 'content-type': sent });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('content-type'), answered);
    }
  });
  test('tells the checksum of the body as it is sent, and the type of an error', async () => {
    for (const [body, type] of [
      [json({}), null],
      [json({ StreamName: 'é' }), 'ValidationException'],
    ] as const) {
      const answer = await post(server.url, 'PutRecord', body);
      assert.equal(answer.headers.get('x-amz-crc32'), String(crc32(answer.body)));
      assert.equal(answer.headers.get('x-amzn-errortype'), type);
    }
  });
  test('inflates gzip within the bound and refuses other encodings', async () => {
    const gzip = { 'content-encoding': 'gzip' };
    assert.equal((await post(server.url, 'PutRecord', new Uint8Array(gzipSync(json({}))), gzip)).status, 200);
    assert.match(
      (await post(server.url, 'PutRecord', json({}), gzip)).message,
      /declared as gzip and is not/,
    );
    const bomb = await post(
      server.url,
      'PutRecord',
      new Uint8Array(gzipSync(Buffer.alloc(64 * 1024 * 1024))),
      gzip,
    );
    assert.equal(bomb.status, 413);
    assert.match(
      (await post(server.url, 'PutRecord', json({}), { 'content-encoding': 'br' })).message,
      /"br" is not supported/,
    );
  });
  test("maps a module's error and hides what is inside of others", async () => {
    fail = new Error('mapped');
    await refused('PutRecord', json({}), 'ResourceNotFoundException', 'mapped for the client');
    fail = new AwsError('ThrottledException', 'slow down', 400, { Reason: 'x' });
    assert.equal(
      (await post(server.url, 'PutRecord', json({}))).body,
      '{"__type":"ThrottledException","message":"slow down","Reason":"x"}',
    );
    fail = new Error('secret path /data');
    const answer = await post(server.url, 'PutRecord', json({}));
    fail = undefined;
    assert.equal(answer.status, 500);
    assert.equal(answer.type, 'InternalFailure');
    assert.doesNotMatch(answer.body, /secret/);
    const logged = lines.find(({ message }) => message === 'request failed');
    assert.equal(logged?.fields['requestId'], answer.headers.get('x-amzn-requestid'));
  });
});
