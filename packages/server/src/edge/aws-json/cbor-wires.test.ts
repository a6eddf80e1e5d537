import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { crc32, gzipSync } from 'node:zlib';
import { decodeCbor, encodeCbor } from '../aws-cbor/index.ts';
import type { HttpServer } from '../http/index.ts';
import { echo, startTestServer, trivialService } from '../http/testing/fixture.ts';
import { CBOR_1_1, RPC_V2_CBOR } from './cbor-wire.ts';
import { blob, string, structure, timestamp, type RequestContext } from './index.ts';

const ANSWER = structure({
  __type: string(),
  message: string(),
  Message: string(),
  StreamName: string(),
  PartitionKey: string(),
  SequenceNumber: string(),
  ShardId: string(),
  Data: blob(),
  CreatedTimestamp: timestamp(),
  Wire: string(),
});
const CREATED_SECONDS = 1_787_036_486.712;
const PUT = { StreamName: 'orders', PartitionKey: 'a', Data: Buffer.from([0, 255, 128]) };
const RPC = '/service/Kinesis_20131202/operation/';

const encode = (value: object) =>
  encodeCbor(value, { timestampMembers: new Set(), timestampsPerSecond: 1000 });

for (const wire of ['aws-cbor-1.1', 'rpc-v2-cbor'] as const) {
  const rpc = wire === 'rpc-v2-cbor';
  const contentType = rpc ? 'application/cbor' : 'application/x-amz-cbor-1.1';
  suite(wire, () => {
    let server: HttpServer & { url: string };
    before(async () => {
      const handle = async (input: unknown, context: RequestContext) => ({
        ...(await echo(input)),
        CreatedTimestamp: CREATED_SECONDS,
        Wire: context.wire.name,
      });
      const service = trivialService(handle);
      server = await startTestServer({
        services: [{ ...service, timestampMembers: new Set(['CreatedTimestamp']) }],
      });
    });
    after(() => server.close());
    const send = async (
      operation: string,
      body: Buffer | undefined,
      headers: Readonly<Record<string, string>> = {},
    ) => {
      const response = await fetch(rpc ? `${server.url}${RPC}${operation}` : server.url, {
        method: 'POST',
        headers: {
          ...(body !== undefined && { 'content-type': contentType }),
          ...(rpc
            ? { 'smithy-protocol': 'rpc-v2-cbor' }
            : { 'x-amz-target': `Kinesis_20131202.${operation}` }),
          ...headers,
        },
        ...(body !== undefined && { body: new Uint8Array(body) }),
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.equal(response.headers.get('content-type'), contentType);
      assert.equal(response.headers.get('smithy-protocol'), rpc ? wire : null);
      assert.equal(response.headers.get('x-amz-crc32'), String(crc32(bytes)));
      assert.ok(response.headers.get('x-amzn-requestid'));
      assert.ok(response.headers.get('date'));
      const { value } = decodeCbor(bytes, ANSWER, { timestampsPerSecond: rpc ? 1 : 1000 });
      const { Message, ...members } = value as { __type?: string; message: string; Message?: string };
      return {
        status: response.status,
        errorType: response.headers.get('x-amzn-errortype'),
        ...members,
        ...(Message !== undefined && { message: Message }),
      };
    };
    const refused = async (
      body: Buffer | undefined,
      type: string,
      message: RegExp,
      operation = 'PutRecord',
    ) => {
      const answer = await send(operation, body);
      assert.deepEqual([answer.status, answer.errorType], [400, type]);
      assert.equal(answer.__type, rpc ? `com.amazonaws.kinesis#${type}` : type);
      assert.match(answer.message, message);
    };

    test('blobs are bytes, timestamps have their tag', async () => {
      const answer = await send('PutRecord', encode(PUT));
      assert.deepEqual(answer, {
        ...PUT,
        status: 200,
        errorType: null,
        SequenceNumber: '1',
        ShardId: 's',
        CreatedTimestamp: CREATED_SECONDS,
        Wire: wire,
      });
    });
    test('gzip is taken', async () => {
      const answer = await send('PutRecord', gzipSync(encode(PUT)), { 'content-encoding': 'gzip' });
      assert.equal(answer.status, 200);
    });
    test('constraints hold as in JSON', async () => {
      await refused(
        encode({ ...PUT, StreamName: 'a b' }),
        'ValidationException',
        /^1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: \[a-zA-Z0-9_.-\]\+$/,
      );
      await refused(
        encode({ ...PUT, Data: Buffer.alloc(1025) }),
        'ValidationException',
        /Value 'java\.nio\.HeapByteBuffer\[pos=0 lim=1025 cap=1025\]' at 'data' failed to satisfy constraint: Member must have length less than or equal to 1024$/,
      );
      await refused(
        encode({ ...PUT, PartitionKey: null }),
        'ValidationException',
        /Value null at 'partitionKey' failed/,
      );
      await refused(encode({ ...PUT, Colour: 1 }), 'ValidationException', /^Colour is not a member/);
      await refused(encode({ ...PUT, StreamARN: 'a' }), 'InvalidArgumentException', /streams are named$/);
    });
    test('types are those of the members', async () => {
      for (const [changes, message] of [
        [{ StreamName: 1 }, /^NUMBER_VALUE can not be converted to a String$/],
        [{ StreamName: [] }, /^Start of list found where not expected$/],
        [{ StreamName: {} }, /^Start of structure or map found where not expected\.$/],
        [{ StreamName: Buffer.from('a') }, /a byte string is found where not expected/],
        [{ Data: 'AAAA' }, /a text is found where a byte string is expected/],
        [{ Data: 1 }, /^NUMBER_VALUE can not be converted to a Blob$/],
      ] as const) {
        await refused(encode({ ...PUT, ...changes }), 'SerializationException', message);
      }
      await refused(encode([]), 'SerializationException', /Start of list found/);
      await refused(Buffer.from('{}'), 'SerializationException', /bytes follow|announced|not CBOR/);
      await refused(Buffer.from([0xf6]), 'SerializationException', /Expected structure or null/);
    });
    test('a whole number may be a float, and no more', async () => {
      const limit = (bytes: string) => Buffer.from(`a1654c696d6974${bytes}`, 'hex');
      assert.equal((await send('ListStreams', limit('f93c00'))).status, 200);
      for (const bytes of ['f93e00', 'f97e00', 'f97c00', '1b001fffffffffffff'])
        await refused(
          limit(bytes),
          'SerializationException',
          /can not be converted to an Integer/,
          'ListStreams',
        );
    });
    test('what is not there is refused in the same protocol', async () => {
      await refused(encode({}), 'InvalidArgumentException', /^MergeShards is not supported/, 'MergeShards');
      const unknown = await send('Fly', encode({}));
      assert.equal(unknown.errorType, 'UnknownOperationException');
    });
    test('a body that is too large is refused in the same protocol', async () => {
      const small = await startTestServer({ limits: { bodyBytesMax: 100 } });
      try {
        const response = await fetch(rpc ? `${small.url}${RPC}PutRecord` : small.url, {
          method: 'POST',
          headers: { 'content-type': contentType, ...(rpc && { 'smithy-protocol': 'rpc-v2-cbor' }) },
          body: new Uint8Array(200),
        });
        assert.equal(response.status, 413);
        assert.equal(response.headers.get('content-type'), contentType);
        assert.equal(response.headers.get('x-amzn-errortype'), 'RequestEntityTooLargeException');
      } finally {
        await small.close();
      }
    });
    test('an operation without input', async () => {
      const answer = await send('ListStreams', rpc ? undefined : encode({}));
      assert.equal(answer.status, 200);
    });
  });
}

test('the RPC v2 protocol is told by path and header together', async () => {
  const server = await startTestServer();
  try {
    const send = (path: string, headers: Readonly<Record<string, string>>, method = 'POST') =>
      fetch(`${server.url}${path}`, {
        method,
        headers,
        ...(method === 'POST' && { body: new Uint8Array([0xa0]) }),
      });
    const header = { 'smithy-protocol': 'rpc-v2-cbor' };
    assert.equal((await send(`${RPC}ListStreams`, header)).status, 200);
    assert.equal((await send(`/some/prefix${RPC}ListStreams`, header)).status, 200);
    assert.equal(
      (await send('/service/com.amazonaws.kinesis.Kinesis_20131202/operation/ListStreams', header)).status,
      200,
    );
    assert.equal((await send(`${RPC}ListStreams`, {})).status, 400);
    assert.equal(
      (await send(`${RPC}ListStreams`, { ...header, 'content-type': 'application/json' })).status,
      400,
    );
    assert.equal((await send(`${RPC}ListStreams`, header, 'GET')).status, 404);
    assert.equal((await send('/service/x', header)).status, 404);
  } finally {
    await server.close();
  }
});

test('a timestamp that is sent counts milliseconds in AWS CBOR and seconds in RPC v2', () => {
  const shape = structure({ At: timestamp() });
  const at = (seconds: number, timestampsPerSecond: 1 | 1000) =>
    encodeCbor({ At: seconds }, { timestampMembers: new Set(['At']), timestampsPerSecond });
  for (const [wire, perSecond] of [
    [CBOR_1_1, 1000],
    [RPC_V2_CBOR, 1],
  ] as const) {
    assert.deepEqual(wire.decode(at(CREATED_SECONDS, perSecond), shape).input, { At: CREATED_SECONDS });
  }
});
