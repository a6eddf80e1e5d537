import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { CBOR_WIRES, cborPost } from './cbor-post.ts';
import { SAMPLES, SERVICE_NAMES } from './samples.ts';
import { signedPost } from './signed-post.ts';
import { openTarget } from './target.ts';

/** Cut off, with bytes after it, a tag, a huge length, a reserved form, not a map. */
const BAD_CBOR = ['bf', 'a1', 'a000', 'd9d9f7a0', 'bb7fffffffffffffff', '5affffffff', '1c', '80', '00', 'ff'];

const BODY_BYTES_MAX = 16 * 1024 * 1024;

suite('bad input', () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  before(async () => (target = await openTarget()));
  after(() => target.stop());
  const healthy = async () => assert.equal((await fetch(`${target.url}/health`)).status, 200);
  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(target.url);
      const socket = connect(Number(port), hostname, () => resolve(socket));
      socket.once('error', reject);
    });
  const ended = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
    });

  for (const service of SERVICE_NAMES) {
    const { targetPrefix, operations } = SAMPLES[service];
    test(`${service}: broken JSON, wrong types, unknown members for every operation`, async () => {
      for (const [operation, sample] of Object.entries(operations)) {
        const send = (body: string) =>
          signedPost(target, { service, target: `${targetPrefix}.${operation}`, body });
        for (const body of ['', '{', 'nonsense', '[]', '"text"', '{"a":1}}', '{"a":"\u0001"}']) {
          const answer = await send(body);
          assert.deepEqual(
            [answer.status, answer.type],
            [400, 'SerializationException'],
            `${operation} ${body}`,
          );
        }
        const unknown = await send(JSON.stringify({ ...sample, NoSuchMember: 1 }));
        assert.equal(unknown.status, 400);
        assert.match(unknown.message, /NoSuchMember/, operation);
        for (const [member, value] of Object.entries(sample)) {
          const wrong = Array.isArray(value) ? 'text' : typeof value === 'object' ? 1 : [value];
          const answer = await send(JSON.stringify({ ...sample, [member]: wrong }));
          assert.deepEqual(
            [answer.status, answer.type],
            [400, 'SerializationException'],
            `${operation} ${member}`,
          );
        }
      }
    });
    test(`${service}: other protocols, unknown operations`, async () => {
      const [operation, sample] = Object.entries(operations)[0]!;
      const xml = await signedPost(target, {
        service,
        target: `${targetPrefix}.${operation}`,
        body: JSON.stringify(sample),
        contentType: 'application/xml',
      });
      assert.deepEqual([xml.status, xml.type], [400, 'SerializationException']);
      const unknown = await signedPost(target, {
        service,
        target: `${targetPrefix}.NoSuchOperation`,
        body: '{}',
      });
      assert.deepEqual([unknown.status, unknown.type], [400, 'UnknownOperationException']);
    });
  }

  for (const wire of CBOR_WIRES) {
    test(`bodies that are not CBOR, or not of the operation, over ${wire}`, async () => {
      const { targetPrefix, operations } = SAMPLES.kinesis;
      for (const operation of Object.keys(operations)) {
        const post = { service: 'kinesis', targetPrefix, operation };
        for (const bytes of BAD_CBOR) {
          const body = Buffer.from(bytes, 'hex');
          const answer = await cborPost(target, wire, { ...post, body });
          assert.deepEqual(
            [answer.status, answer.type],
            [400, 'SerializationException'],
            `${operation} ${bytes}`,
          );
          assert.equal(answer.headers.get('x-amzn-errortype'), 'SerializationException');
          assert.equal(answer.headers.get('x-amz-crc32'), String(crc32(answer.bytes)));
          assert.ok(answer.headers.get('date'));
        }
      }
      const deep = Buffer.concat([Buffer.from('a16178', 'hex'), Buffer.alloc(10_000_000, 0x81)]);
      const many = Buffer.concat([
        Buffer.from('a161789f', 'hex'),
        Buffer.alloc(10_000_000, 0xa0),
        Buffer.from([0xff]),
      ]);
      for (const body of [deep, many]) {
        const answer = await cborPost(target, wire, {
          service: 'kinesis',
          targetPrefix,
          operation: 'ListStreams',
          body,
        });
        assert.equal(answer.type, 'SerializationException');
      }
      await healthy();
    });
  }

  test('deep nesting and unpaired surrogates', async () => {
    const send = (body: string) =>
      signedPost(target, { service: 'kinesis', target: 'Kinesis_20131202.ListStreams', body });
    const deep = await send(`{"Limit":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`);
    assert.equal(deep.type, 'SerializationException');
    const surrogate = await send('{"ExclusiveStartStreamName":"\\ud800"}');
    assert.equal(surrogate.type, 'SerializationException');
    await healthy();
  });

  test('a body over the limit is answered, announced or sent', async () => {
    const sent = await signedPost(target, {
      service: 'kinesis',
      target: 'Kinesis_20131202.ListStreams',
      body: Buffer.alloc(BODY_BYTES_MAX + 1, 0x20),
    });
    assert.equal(sent.status, 413);
    const socket = await open();
    const answer = ended(socket);
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY_BYTES_MAX * 1_000}\r\n\r\n`);
    assert.match(await answer, /^HTTP\/1\.1 413 /);
    await healthy();
  });

  test('half-sent requests are closed, uploads that break off are forgotten', async () => {
    const halfHead = await open();
    const answer = ended(halfHead);
    halfHead.write('POST / HTTP/1.1\r\nHost: x\r\nContent-');
    const broken = await open();
    broken.on('error', () => {});
    broken.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(10_000)}`);
    broken.resetAndDestroy();
    const garbage = await open();
    const garbageAnswer = ended(garbage);
    garbage.write('\x16\x03\x01\x02\x00\x01\r\n\r\n');
    assert.match(await garbageAnswer, /^HTTP\/1\.1 400 /);
    assert.match(await answer, /^HTTP\/1\.1 408 /);
    await healthy();
  });

  test('a slow client holds nobody up', async () => {
    const slow = await open();
    slow.on('error', () => {});
    slow.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n');
    for (let sent = 0; sent < 20; sent++) {
      slow.write('x');
      await healthy();
    }
    slow.destroy();
  });

  test('1,000 idle connections', async () => {
    const sockets = await Promise.all(Array.from({ length: 1_000 }, open));
    for (const socket of sockets) socket.on('error', () => {});
    await healthy();
    const answer = await signedPost(target, {
      service: 'kinesis',
      target: 'Kinesis_20131202.ListStreams',
      body: '{}',
    });
    assert.equal(answer.status, 200);
    for (const socket of sockets) socket.destroy();
    await healthy();
  });
});
