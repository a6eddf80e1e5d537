/** Connections that break, and services that refuse, between the store and a real service. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { type FaultProxy, type ProxyFault, startFaultProxy } from '../../test/fault-proxy.ts';
import { type S3TestServer, startS3Server } from '../../test/s3-server.ts';
import { S3Store, type S3StoreOptions } from './index.ts';
import { PROBE_WRITERS } from './conditional-probe.ts';

const PART_SIZE_BYTES = 5 * 1024 * 1024;
const ATTEMPTS_MAX = 4;

let unavailable: string | undefined;
let server: S3TestServer;
let proxy: FaultProxy;
let directory: string;
const stores: S3Store[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-s3-files-'));
  const started = await startS3Server();
  if (!('endpoint' in started)) return void ({ unavailable } = started);
  server = started;
  proxy = await startFaultProxy(server.endpoint);
});

afterEach(() => {
  if (unavailable !== undefined) return;
  proxy.plan = () => undefined;
  proxy.requests.length = 0;
});

after(async () => {
  for (const store of stores) store.close();
  await rm(directory, { recursive: true });
  if (unavailable !== undefined) return;
  await proxy.stop();
  await server.stop();
});

/** A store behind the proxy that has shown already that it can be written to. */
async function newStore(limits: S3StoreOptions['limits'] = {}): Promise<{ store: S3Store; bucket: string }> {
  const bucket = await server.newBucket();
  const store = new S3Store({
    bucket,
    client: { ...server.client, endpoint: proxy.endpoint },
    limits: {
      attemptsMax: ATTEMPTS_MAX,
      firstPauseMsMax: 1,
      pauseMsMax: 4,
      stallMsMax: 30_000,
      partSizeBytes: PART_SIZE_BYTES,
      ...limits,
    },
  });
  stores.push(store);
  await store.put('proof', Buffer.from('1'));
  proxy.requests.length = 0;
  return { store, bucket };
}

function check(what: string, task: () => Promise<void>): void {
  it(what, async (context) => {
    if (unavailable !== undefined) return context.skip(unavailable);
    await task();
  });
}

/** Breaks the first requests that are chosen, each in the way that its turn says. */
function breakFirst(faults: readonly ProxyFault[], isChosen: (url: string, method: string) => boolean): void {
  const left = [...faults];
  proxy.plan = ({ url, method }) => (isChosen(url, method) ? left.shift() : undefined);
}

const ANY = (): boolean => true;

describe('S3Store', () => {
  check('sends again what failed for the moment, a bounded number of times', async () => {
    const { store } = await newStore();
    await store.put('x', Buffer.from('hello'));
    for (const fault of ['refuse', 'throttle', 'lose-reply', 'tear'] as const) {
      breakFirst(
        Array.from({ length: ATTEMPTS_MAX - 1 }, () => fault),
        ANY,
      );
      assert.equal(Buffer.from(await store.read('x')).toString(), 'hello', fault);
    }
    proxy.requests.length = 0;
    proxy.plan = () => 'throttle';
    await assert.rejects(store.read('x'), { code: 'io', retry: 'backoff', message: /SlowDown/ });
    assert.equal(proxy.requests.length, ATTEMPTS_MAX);
  });

  check('knows a create of its own whose reply was lost', async () => {
    const { store } = await newStore();
    breakFirst(['lose-reply'], (_, method) => method === 'PUT');
    assert.equal(await store.putIfAbsent('mine', Buffer.from('1')), 'created');
    assert.equal(await store.putIfAbsent('mine', Buffer.from('1')), 'exists');
    await store.put('other', Buffer.from('1'));
    breakFirst(['lose-reply', 'refuse', 'throttle'], (_, method) => method === 'PUT');
    assert.equal(await store.putIfAbsent('other', Buffer.from('1')), 'exists');
  });

  check('sends a create again after a conflict', async () => {
    const { store } = await newStore();
    breakFirst(['conflict', 'conflict'], (_, method) => method === 'PUT');
    assert.equal(await store.putIfAbsent('x', Buffer.from('1')), 'created');
  });

  check('goes on when parts fail; leaves no parts behind when one keeps failing', async () => {
    const { store, bucket } = await newStore();
    const bytes = Buffer.alloc(3 * PART_SIZE_BYTES - 1, 'abcdefg');
    const file = join(directory, 'source');
    await writeFile(file, bytes);
    breakFirst(['throttle', 'refuse', 'lose-reply'], (url) => url.includes('partNumber='));
    await store.putFile('large', file);
    assert.equal(Buffer.compare(await store.read('large'), bytes), 0);
    proxy.plan = ({ url }) => (url.includes('partNumber=2') ? 'refuse' : undefined);
    await assert.rejects(store.putFile('never', file), { code: 'io', message: /part 2 of 3/ });
    assert.equal(await store.head('never'), undefined);
    const client = new S3Client(server.client);
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    client.destroy();
    assert.deepEqual(Uploads, []);
  });

  check('knows a large create of its own whose reply was lost, and another’s', async () => {
    const { store } = await newStore();
    const bytes = Buffer.alloc(PART_SIZE_BYTES + 1, 'abcdefg');
    const isCompletion = (url: string, method: string): boolean =>
      method === 'POST' && url.includes('uploadId=') && !url.includes('_sluice_probe');
    breakFirst(['lose-reply'], isCompletion);
    assert.equal(await store.putIfAbsent('large', bytes), 'created');
    assert.equal(await store.putIfAbsent('large', bytes), 'exists');
    breakFirst(['lose-reply'], isCompletion);
    await store.put('replaced', bytes);
    breakFirst(['conflict'], isCompletion);
    assert.equal(await store.putIfAbsent('again', bytes), 'created');
    assert.equal(Buffer.compare(await store.read('again'), bytes), 0);
  });

  check('finishes a download whose connection breaks', async () => {
    const { store } = await newStore();
    const bytes = Buffer.alloc(300_000, 'abcdefg');
    await store.put('x', bytes);
    breakFirst(['tear', 'refuse', 'tear'], ANY);
    const file = join(directory, 'torn');
    assert.equal((await store.download('x', file)).sizeBytes, bytes.length);
    assert.equal(Buffer.compare(await readFile(file), bytes), 0);
    await assert.rejects(store.download('none', join(directory, 'none')), { code: 'not-found' });
  });

  check('notices damaged bytes', async () => {
    const { store } = await newStore();
    const bytes = Buffer.alloc(100_000, 'abcdefg');
    await store.put('x', bytes);
    breakFirst(['damage'], ANY);
    assert.equal(Buffer.compare(await store.read('x'), bytes), 0);
    breakFirst(['damage'], ANY);
    await store.download('x', join(directory, 'mended'));
    assert.equal(Buffer.compare(await readFile(join(directory, 'mended')), bytes), 0);
    proxy.plan = () => 'damage';
    await assert.rejects(store.read('x'), { code: 'io' });
    await assert.rejects(store.download('x', join(directory, 'damaged')), { code: 'io' });
  });

  check('gives a service that stands still up, and asks again', async () => {
    const { store } = await newStore({ stallMsMax: 200 });
    await store.put('x', Buffer.from('hello'));
    breakFirst(['stall'], ANY);
    assert.equal(Buffer.from(await store.read('x')).toString(), 'hello');
    proxy.plan = () => 'stall';
    await assert.rejects(store.read('x'), { code: 'io', message: /stood still/ });
  });

  check('ends a download when its signal is aborted', async () => {
    const { store } = await newStore();
    await store.put('x', Buffer.from('hello'));
    const controller = new AbortController();
    proxy.plan = () => {
      controller.abort(new Error('enough'));
      return 'stall';
    };
    const { signal } = controller;
    await assert.rejects(store.download('x', join(directory, 'aborted'), { signal }), /enough/);
  });

  check('goes on with a listing and a deletion that break', async () => {
    const { store, bucket } = await newStore();
    const direct = new S3Store({ bucket, client: server.client });
    stores.push(direct);
    const paths = Array.from({ length: 1_050 }, (_, at) => `d/${String(at).padStart(5, '0')}`);
    for (let at = 0; at < paths.length; at += 50) {
      await Promise.all(paths.slice(at, at + 50).map((path) => direct.put(path, Buffer.from('x'))));
    }
    breakFirst(['tear', 'throttle', 'refuse'], ANY);
    const seen: string[] = [];
    for await (const { path } of store.list('d/')) seen.push(path);
    assert.deepEqual(seen, paths);
    breakFirst(['lose-reply', 'throttle'], ANY);
    await store.deleteMany(paths);
    for await (const { path } of store.list('d/')) assert.fail(path);
  });

  check('asks a service once whether it can be written to, and cleans up', async () => {
    const { store } = await newStore();
    await store.put('y', Buffer.from('1'));
    assert.deepEqual(
      proxy.requests.map(({ method }) => method),
      ['PUT'],
    );
    const seen: string[] = [];
    for await (const { path } of store.list('')) seen.push(path);
    assert.deepEqual(seen, ['proof', 'y']);
  });
});

describe('a service without conditional puts', () => {
  /** Takes every put, whatever its condition; `answers` says with what status, the first one first. */
  async function refusedBy(statusOf: (conditionalPuts: number) => number): Promise<unknown> {
    const seen: string[] = [];
    let conditionalPuts = 0;
    const naive = createServer((incoming, outgoing) => {
      incoming.resume().on('end', () => {
        seen.push(`${incoming.method} ${incoming.url?.split('?')[0]}`);
        if (incoming.method !== 'PUT') return outgoing.writeHead(204).end();
        if (incoming.headers['if-none-match'] !== undefined) conditionalPuts += 1;
        return outgoing.writeHead(statusOf(conditionalPuts), { etag: '"e"' }).end();
      });
    });
    await new Promise<void>((resolve) => naive.listen(0, '127.0.0.1', resolve));
    const { port } = naive.address() as AddressInfo;
    const store = new S3Store({
      bucket: 'naive',
      client: {
        region: 'us-east-1',
        endpoint: `http://127.0.0.1:${port}`,
        forcePathStyle: true,
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      },
      limits: { attemptsMax: 1 },
    });
    try {
      await store.put('x', Buffer.from('1'));
      return undefined;
    } catch (error) {
      assert.ok(!seen.includes('PUT /naive/x'), 'nothing was written');
      await assert.rejects(store.putIfAbsent('x', Buffer.from('1')), { code: 'io', retry: 'never' });
      return error;
    } finally {
      store.close();
      naive.closeAllConnections();
      naive.close();
    }
  }

  it('is refused for writing: one that ignores the condition', async () => {
    assert.match(String(await refusedBy(() => 200)), /ignores the condition of a put/);
  });

  it('is refused for writing: one that does not know it', async () => {
    assert.match(String(await refusedBy(() => 501)), /does not know conditional puts/);
  });

  it('is refused for writing: one that looks first and writes then', async () => {
    const error = await refusedBy((puts) => (puts <= 2 ? 200 : 412));
    assert.match(String(error), new RegExp(`2 of ${PROBE_WRITERS} racing puts`));
  });

  it('is written to when one of the racing puts wins', async () => {
    assert.equal(await refusedBy((puts) => (puts === 0 || puts === 3 ? 200 : 412)), undefined);
  });
});
