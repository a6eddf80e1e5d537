/** Answers that are made while they are sent. */
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { afterEach, test } from 'node:test';
import type { StreamedAnswer } from './exchange.ts';
import type { RouteRequest } from './server.ts';
import { type Line, startTestServer, testLogger } from './testing/fixture.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function serve(chunks: (request: RouteRequest) => AsyncIterable<string>, lines: Line[] = []) {
  const server = await startTestServer({
    logger: testLogger(lines),
    routes: [
      {
        method: 'GET',
        path: '/stream',
        handle: async (request): Promise<StreamedAnswer> => ({
          status: 200,
          contentType: 'text/plain',
          chunks: chunks(request),
        }),
      },
    ],
  });
  closing.push(() => server.close());
  return server;
}

test('go out chunk by chunk over both protocols', async () => {
  let sent = 0;
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const server = await serve(async function* () {
    const gate = gates[sent++];
    yield 'a';
    await gate?.promise;
    yield 'b';
  });
  const response = await fetch(`${server.url}/stream`);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader?.read())?.value, 'a');
  gates[0]?.resolve();
  assert.equal((await reader?.read())?.value, 'b');
  assert.equal((await reader?.read())?.done, true);

  const session = connect(server.url);
  const stream = session.request({ ':path': '/stream' }).setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text === 'a') gates[1]?.resolve();
  }
  assert.equal(text, 'ab');
  session.close();
});

test('that fail in the middle are cut off, so that they are not taken for whole', async () => {
  const lines: Line[] = [];
  const server = await serve(async function* () {
    yield 'a';
    throw new Error('torn');
  }, lines);
  await assert.rejects(fetch(`${server.url}/stream`).then((response) => response.text()));
  assert.ok(lines.some(({ fields }) => String(fields['err']).includes('torn')));
  const session = connect(server.url);
  const stream = session.request({ ':path': '/stream' });
  await assert.rejects(async () => {
    for await (const chunk of stream) assert.equal(String(chunk), 'a');
    assert.equal(stream.rstCode, 0);
  });
  session.destroy();
});

test('end when the client goes away, and so does their signal', async () => {
  const ended = Promise.withResolvers<boolean>();
  const server = await serve(async function* ({ signal }) {
    try {
      yield 'a';
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      yield 'b';
    } finally {
      ended.resolve(signal.aborted);
    }
  });
  const client = new AbortController();
  const response = await fetch(`${server.url}/stream`, { signal: client.signal });
  await response.body?.getReader().read();
  client.abort();
  assert.equal(await ended.promise, true);
});
