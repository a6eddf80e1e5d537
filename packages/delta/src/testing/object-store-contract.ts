import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeltaError } from '../errors.ts';
import type { ObjectStore } from '../store/object-store.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Registers the tests that every object store must pass; `makeStore` gives an empty one to each. */
export function objectStoreContract(name: string, makeStore: () => ObjectStore | Promise<ObjectStore>): void {
  describe(`ObjectStore contract: ${name}`, () => {
    it('reads back what was put, whole and in part', async () => {
      const store = await makeStore();
      await store.put('a/b', bytesOf('hello'));
      assert.equal(textOf(await store.read('a/b')), 'hello');
      assert.equal(textOf(await store.read('a/b', { offset: 1, length: 3 })), 'ell');
      assert.equal(textOf(await store.read('a/b', { offset: 3, length: 10 })), 'lo');
      assert.equal(textOf(await store.read('a/b', { offset: 9, length: 1 })), '');
    });

    it('says so when an object is absent', async () => {
      const store = await makeStore();
      await assert.rejects(store.read('none'), (error) => isDeltaError(error, 'not-found'));
      await assert.rejects(store.read('none', { offset: 0, length: 1 }), (error) =>
        isDeltaError(error, 'not-found'),
      );
      assert.equal(await store.head('none'), undefined);
      await store.delete('none');
      assert.deepEqual(await listed(store, ''), []);
    });

    it('replaces by put, and keeps by putIfAbsent', async () => {
      const store = await makeStore();
      assert.equal(await store.putIfAbsent('x', bytesOf('first')), 'created');
      assert.equal(await store.putIfAbsent('x', bytesOf('second')), 'exists');
      assert.equal(textOf(await store.read('x')), 'first');
      await store.put('x', bytesOf('third'));
      assert.equal(textOf(await store.read('x')), 'third');
      assert.equal((await store.head('x'))?.sizeBytes, 5);
      await store.delete('x');
      assert.equal(await store.putIfAbsent('x', bytesOf('fourth')), 'created');
    });

    it('lets exactly one of racing putIfAbsent win', async () => {
      const store = await makeStore();
      const writers = Array.from({ length: 16 }, (_, at) => `writer ${at}`);
      const outcomes = await Promise.all(
        writers.map((writer) => store.putIfAbsent('race/0', bytesOf(writer))),
      );
      assert.equal(outcomes.filter((outcome) => outcome === 'created').length, 1);
      assert.equal(textOf(await store.read('race/0')), writers[outcomes.indexOf('created')]);
      assert.deepEqual(await listed(store, 'race/'), ['race/0']);
    });

    it('lists by prefix in order, after a name, through directories', async () => {
      const store = await makeStore();
      const paths = ['t/_log/01', 't/_log/02', 't/_log/sub/x', 't/_logs', 't/a', 't-/a', 'u'];
      for (const path of paths.toReversed()) await store.put(path, bytesOf(path));
      assert.deepEqual(await listed(store, ''), paths.toSorted());
      assert.deepEqual(await listed(store, 't/_log/'), ['t/_log/01', 't/_log/02', 't/_log/sub/x']);
      assert.deepEqual(await listed(store, 't/_log'), ['t/_log/01', 't/_log/02', 't/_log/sub/x', 't/_logs']);
      assert.deepEqual(await listed(store, 't/_log/', 't/_log/01'), ['t/_log/02', 't/_log/sub/x']);
      assert.deepEqual(await listed(store, 't/_log/', 't/_log/01z'), ['t/_log/02', 't/_log/sub/x']);
      assert.deepEqual(await listed(store, 'nothing/'), []);
    });

    it('takes names with characters that paths and URIs treat apart', async () => {
      const store = await makeStore();
      const path = 'p=a b%2F+#?*[é]\'"\\/part';
      await store.put(path, bytesOf('x'));
      assert.deepEqual(await listed(store, 'p='), [path]);
      assert.equal(textOf(await store.read(path)), 'x');
    });

    it('keeps bytes apart from the caller’s buffers', async () => {
      const store = await makeStore();
      const bytes = bytesOf('same');
      await store.put('x', bytes);
      bytes.fill(0);
      (await store.read('x')).fill(0);
      assert.equal(textOf(await store.read('x')), 'same');
    });

    it('tells when an object was modified', async () => {
      const store = await makeStore();
      await store.put('x', bytesOf('1'));
      const head = await store.head('x');
      for await (const object of store.list('')) assert.deepEqual(object, { path: 'x', ...head });
      assert.ok(Number.isInteger(head?.modifiedMs));
    });
  });
}

async function listed(store: ObjectStore, prefix: string, startAfter?: string): Promise<string[]> {
  const paths: string[] = [];
  const options = startAfter === undefined ? {} : { startAfter };
  for await (const object of store.list(prefix, options)) paths.push(object.path);
  return paths;
}
