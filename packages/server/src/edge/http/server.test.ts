import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { echo, startTestServer, trivialService } from './testing/fixture.ts';
import { openSocket, post, postHttp2, readAll } from './testing/raw.ts';

const BODY = '{"StreamName":"orders","PartitionKey":"a","Data":"aGVsbG8="}';
const HEADERS = {
  'content-type': 'application/x-amz-json-1.1',
  'x-amz-target': 'Kinesis_20131202.PutRecord',
};
const head = (length: number | string) =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.PutRecord\r\nContent-Length: ${length}\r\n\r\n`;

const healthy = async (url: string) => assert.equal((await post(url, 'PutRecord', BODY)).status, 200);

suite('the port', () => {
  test('tells the protocols apart when bytes come one by one', async () => {
    const server = await startTestServer();
    try {
      const socket = await openSocket(server.port);
      const answer = readAll(socket);
      socket.setNoDelay(true);
      for (const character of `${head(BODY.length)}${BODY}`.slice(0, 10)) {
        socket.write(character);
        await delay(1);
      }
      socket.write(`${head(BODY.length)}${BODY}`.slice(10).replace('Host', 'Connection: close\r\nHost'));
      assert.match(await answer, /^HTTP\/1\.1 200 OK/);
      const http2 = await postHttp2(server.url, HEADERS, Buffer.from(BODY));
      assert.equal(http2.status, 200);
      assert.match(http2.headers['x-amzn-requestid']!, /^[0-9a-f-]{36}$/);
    } finally {
      await server.close();
    }
  });

  test('takes a body at the bound and refuses one over it, whole or announced, over both protocols', async () => {
    const bodyBytesMax = 100_000;
    const server = await startTestServer({ limits: { bodyBytesMax, lingerMsMax: 200 } });
    try {
      const padded = (bytes: number) => `${BODY}${' '.repeat(bytes - BODY.length)}`;
      assert.equal((await post(server.url, 'PutRecord', padded(bodyBytesMax))).status, 200);
      const over = await post(server.url, 'PutRecord', padded(bodyBytesMax + 1));
      assert.equal(over.status, 413);
      assert.equal(over.type, 'RequestEntityTooLargeException');
      assert.equal((await postHttp2(server.url, HEADERS, Buffer.from(padded(bodyBytesMax)))).status, 200);
      assert.equal((await postHttp2(server.url, HEADERS, Buffer.from(padded(bodyBytesMax * 3)))).status, 413);

      const announced = await openSocket(server.port);
      const answer = readAll(announced);
      announced.write(head(1e15));
      assert.match(await answer, /^HTTP\/1\.1 413 /, 'answered though the body never comes, then closed');

      const chunked = await openSocket(server.port);
      const chunkedAnswer = readAll(chunked);
      chunked.write(head(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked'));
      for (let sent = 0; sent < 3; sent++) chunked.write(`c350\r\n${'x'.repeat(0xc350)}\r\n`);
      assert.match(await chunkedAnswer, /^HTTP\/1\.1 413 /);
      await healthy(server.url);
    } finally {
      await server.close();
    }
  });

  test('closes half-sent requests, silent connections and uploads that break off', async () => {
    const server = await startTestServer({
      limits: { headersMsMax: 300, requestMsMax: 600, idleMsMax: 500 },
    });
    try {
      const silent = readAll(await openSocket(server.port));
      const halfHead = await openSocket(server.port);
      const halfHeadAnswer = readAll(halfHead);
      halfHead.write('POST / HTTP/1.1\r\nHost:');
      const halfBody = await openSocket(server.port);
      const halfBodyAnswer = readAll(halfBody);
      halfBody.write(`${head(100)}{`);
      const halfPreface = await openSocket(server.port);
      const halfPrefaceAnswer = readAll(halfPreface);
      halfPreface.write('PR');
      const broken = await openSocket(server.port);
      broken.write(`${head(50_000)}${'x'.repeat(1_000)}`);
      broken.destroy();

      assert.equal(await silent, '');
      assert.match(await halfHeadAnswer, /^HTTP\/1\.1 408 /);
      assert.match(await halfBodyAnswer, /^HTTP\/1\.1 408 /);
      assert.equal(await halfPrefaceAnswer, '');
      await healthy(server.url);
    } finally {
      await server.close();
    }
  });

  test('answers what is no HTTP, and headers over the bound', async () => {
    const server = await startTestServer({ limits: { headerBytesMax: 2_000 } });
    try {
      const garbage = await openSocket(server.port);
      const garbageAnswer = readAll(garbage);
      garbage.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n');
      assert.match(await garbageAnswer, /^HTTP\/1\.1 400 /);
      const large = await openSocket(server.port);
      const largeAnswer = readAll(large);
      large.write(`POST / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(4_000)}\r\n\r\n`);
      assert.match(await largeAnswer, /^HTTP\/1\.1 431 /);
      const preface = await openSocket(server.port);
      const prefaceAnswer = readAll(preface);
      preface.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is not a frame of HTTP/2 at all');
      await prefaceAnswer;
      await healthy(server.url);
    } finally {
      await server.close();
    }
  });

  test('bounds the bytes of bodies over all connections and gives them back', async () => {
    const server = await startTestServer({ limits: { bodyBytesTotalMax: 150_000 } });
    try {
      const holding = await openSocket(server.port);
      const held = readAll(holding);
      holding.write(`${head(100_001)}${' '.repeat(100_000)}`);
      const large = `${BODY}${' '.repeat(90_000)}`;
      let refused = await post(server.url, 'PutRecord', large);
      // The held bytes come over another connection, so they may come later.
      while (refused.status === 200) refused = await post(server.url, 'PutRecord', large);
      assert.equal(refused.status, 503);
      assert.equal(refused.type, 'ServiceUnavailableException');
      holding.destroy();
      await held;
      while ((await post(server.url, 'PutRecord', large)).status !== 200) await delay(5);
    } finally {
      await server.close();
    }
  });

  test('serves with a thousand idle connections open and refuses those over the bound', async () => {
    const server = await startTestServer({ limits: { connectionsMax: 1_010 } });
    const sockets = await Promise.all(Array.from({ length: 1_000 }, () => openSocket(server.port)));
    try {
      await healthy(server.url);
      const more = await Promise.all(Array.from({ length: 20 }, () => openSocket(server.port)));
      const closed = await Promise.race(more.map(readAll));
      assert.equal(closed, '');
      for (const socket of more) socket.destroy();
    } finally {
      for (const socket of sockets) socket.destroy();
      await server.close();
    }
  });

  test('aborts the signal of a request whose client goes away', async () => {
    const aborted = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const handle = async (_input: never, { signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', () => aborted.resolve());
      started.resolve();
      await aborted.promise;
      return {};
    };
    const server = await startTestServer({ services: [trivialService(handle)] });
    try {
      const socket = await openSocket(server.port);
      socket.write(`${head(BODY.length)}${BODY}`);
      await started.promise;
      socket.destroy();
      await aborted.promise;
    } finally {
      await server.close();
    }
  });

  test('lets requests under way end when it closes, and cuts off those that do not', async () => {
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const handle = async (input: unknown) => {
      started.resolve();
      await release.promise;
      return echo(input);
    };
    const ending = await startTestServer({ services: [trivialService(handle)] });
    const idle = readAll(await openSocket(ending.port));
    const request = post(ending.url, 'PutRecord', BODY);
    await started.promise;
    const closed = ending.close();
    await idle;
    await assert.rejects(openSocket(ending.port));
    release.resolve();
    assert.equal((await request).status, 200);
    await closed;

    const never = trivialService(() => new Promise<never>(() => {}));
    const stuck = await startTestServer({ services: [never], limits: { closeMsMax: 50 } });
    const cut = post(stuck.url, 'PutRecord', BODY);
    const outcome = assert.rejects(cut);
    await delay(50);
    await stuck.close();
    await outcome;
  });
});
