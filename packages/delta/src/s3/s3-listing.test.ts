/** The order of listings, and keys as Amazon S3 encodes them. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { S3Store } from './index.ts';
import { inUtf16Order, startAfterInUtf8 } from './list-order.ts';

const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function reordered(paths: readonly string[]): Promise<string[]> {
  async function* items(): AsyncIterable<{ path: string }> {
    for (const path of paths) yield { path };
  }
  const result: string[] = [];
  for await (const { path } of inUtf16Order(items())) result.push(path);
  return result;
}

describe('order', () => {
  it('of UTF-16 code units is made of the one of UTF-8 bytes, for every mixture of names', async () => {
    const parts = ['', 'a', 'b', '\u{1F600}', '\uFF5E', '\uE000', '\u{10FFFF}', '/', '\uD7FF'];
    const paths = parts.flatMap((a) => parts.flatMap((b) => parts.map((c) => `x${a}${b}${c}`)));
    const unique = [...new Set(paths)];
    const sorted = unique.toSorted();
    assert.notDeepEqual(sorted, unique.toSorted(byUtf8));
    assert.deepEqual(await reordered(unique.toSorted(byUtf8)), sorted);
    for (const [at, startAfter] of sorted.entries()) {
      const asked = startAfterInUtf8(startAfter);
      for (const later of sorted.slice(at + 1))
        assert.ok(byUtf8(later, asked) > 0, `${later} after ${asked}`);
    }
  });
});

describe('a listing', () => {
  it('asks for encoded keys and decodes them as Amazon S3 does', async () => {
    const asked: string[] = [];
    const amazon = createServer((incoming, outgoing) => {
      asked.push(incoming.url ?? '');
      outgoing
        .writeHead(200, { 'content-type': 'application/xml' })
        .end(
          '<?xml version="1.0" encoding="UTF-8"?>' +
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>' +
            '<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents>' +
            '<Key>lake/p%3Da+b%252F%2B%01/%C3%A9</Key><Size>7</Size><ETag>&quot;e&quot;</ETag>' +
            '<LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents></ListBucketResult>',
        );
    });
    await new Promise<void>((resolve) => amazon.listen(0, '127.0.0.1', resolve));
    const { port } = amazon.address() as AddressInfo;
    const store = new S3Store({
      bucket: 'b',
      prefix: 'lake/',
      client: {
        region: 'us-east-1',
        endpoint: `http://127.0.0.1:${port}`,
        forcePathStyle: true,
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      },
    });
    const found: unknown[] = [];
    for await (const object of store.list('p=', { startAfter: 'p=a' })) found.push(object);
    store.close();
    amazon.close();
    assert.deepEqual(found, [
      { path: 'p=a b%2F+\u0001/é', sizeBytes: 7, modifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5), etag: '"e"' },
    ]);
    const query = new URL(asked[0] ?? '', 'http://x').searchParams;
    assert.deepEqual(
      ['encoding-type', 'prefix', 'start-after'].map((name) => query.get(name)),
      ['url', 'lake/p=', 'lake/p=a'],
    );
  });

  it('refuses paths that can be no keys', async () => {
    const store = new S3Store({ bucket: 'b', client: { region: 'us-east-1' } });
    await assert.rejects(store.read('\uD800'), { code: 'io', retry: 'never' });
    await assert.rejects(store.read('x'.repeat(1025)), { code: 'io', retry: 'never' });
    await assert.rejects(store.read(''), { code: 'io', retry: 'never' });
    assert.throws(() => new S3Store({ bucket: 'b', limits: { partSizeBytes: 1 } }), { code: 'io' });
    store.close();
  });
});
