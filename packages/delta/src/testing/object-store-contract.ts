import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isDeltaError } from '../errors.ts';
import type { S3StoreOptions } from '../s3/index.ts';
import type { ListOptions, ObjectStore } from '../store/object-store.ts';

/** How another process opens a store. */
export type StoreAddress =
  | { readonly kind: 'local'; readonly directory: string }
  | { readonly kind: 's3'; readonly options: S3StoreOptions };

export interface ContractOptions<Store extends ObjectStore> {
  /** Bytes of an object that the store treats as a large one; default 1 MiB. */
  readonly largeSizeBytes?: number;
  /** Set to have several processes race for one store's objects. */
  readonly addressOf?: (store: Store) => StoreAddress;
  /** Why the tests can't be run here; undefined if they can. Asked when each of them begins. */
  readonly unavailable?: () => string | undefined;
}

const LARGE_SIZE_BYTES = 1024 * 1024;
const PROCESSES = 4;
const RACED_OBJECTS = 16;

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Registers the tests that every object store must pass; `makeStore` gives an empty one to each. */
export function objectStoreContract<Store extends ObjectStore>(
  name: string,
  makeStore: () => Store | Promise<Store>,
  options: ContractOptions<Store> = {},
): void {
  const check = (what: string, task: (store: Store) => Promise<void>): void => {
    it(what, async (context) => {
      const reason = options.unavailable?.();
      if (reason !== undefined) return context.skip(reason);
      await task(await makeStore());
    });
  };
  describe(`ObjectStore contract: ${name}`, () => {
    readingAndWriting(check, options.largeSizeBytes ?? LARGE_SIZE_BYTES);
    racing(check, options.addressOf);
    listing(check);
    manyAtOnce(check);
  });
}

type Check<Store extends ObjectStore> = (what: string, task: (store: Store) => Promise<void>) => void;

function readingAndWriting<Store extends ObjectStore>(check: Check<Store>, largeSizeBytes: number): void {
  check('reads back what was put, whole and in part', async (store) => {
    await store.put('a/b', bytesOf('hello'));
    assert.equal(textOf(await store.read('a/b')), 'hello');
    assert.equal(textOf(await store.read('a/b', { offset: 1, length: 3 })), 'ell');
    assert.equal(textOf(await store.read('a/b', { offset: 3, length: 10 })), 'lo');
    assert.equal(textOf(await store.read('a/b', { offset: 5, length: 1 })), '');
    assert.equal(textOf(await store.read('a/b', { offset: 9, length: 1 })), '');
    assert.equal(textOf(await store.read('a/b', { offset: 1, length: 0 })), '');
  });

  check('keeps objects without bytes', async (store) => {
    await store.put('empty', new Uint8Array());
    assert.equal((await store.read('empty')).length, 0);
    assert.equal((await store.read('empty', { offset: 0, length: 4 })).length, 0);
    assert.equal((await store.head('empty'))?.sizeBytes, 0);
    assert.equal(await store.putIfAbsent('empty', bytesOf('no')), 'exists');
  });

  check('says so when an object is absent', async (store) => {
    await assert.rejects(store.read('none'), (error) => isDeltaError(error, 'not-found'));
    for (const range of [
      { offset: 0, length: 1 },
      { offset: 0, length: 0 },
    ]) {
      await assert.rejects(store.read('none', range), (error) => isDeltaError(error, 'not-found'));
    }
    assert.equal(await store.head('none'), undefined);
    await store.delete('none');
    assert.deepEqual(await listed(store, ''), []);
  });

  check('replaces by put, and keeps by putIfAbsent', async (store) => {
    assert.equal(await store.putIfAbsent('x', bytesOf('first')), 'created');
    assert.equal(await store.putIfAbsent('x', bytesOf('second')), 'exists');
    assert.equal(textOf(await store.read('x')), 'first');
    await store.put('x', bytesOf('third'));
    assert.equal(textOf(await store.read('x')), 'third');
    assert.equal((await store.head('x'))?.sizeBytes, 5);
    await store.delete('x');
    assert.equal(await store.putIfAbsent('x', bytesOf('fourth')), 'created');
  });

  check('keeps large objects, and finds any part of them', async (store) => {
    // Of a period that no power of two is a multiple of, so that parts in a wrong order show.
    const bytes = Buffer.alloc(largeSizeBytes, Buffer.from(Array.from({ length: 251 }, (_, at) => at)));
    await store.put('large', bytes);
    assert.equal(await store.putIfAbsent('large', bytes), 'exists');
    assert.equal(await store.putIfAbsent('also large', bytes), 'created');
    for (const path of ['large', 'also large']) {
      assert.equal((await store.head(path))?.sizeBytes, largeSizeBytes);
      assert.equal(Buffer.compare(await store.read(path), bytes), 0);
      const offset = largeSizeBytes - 70_000;
      const part = await store.read(path, { offset, length: 65_537 });
      assert.equal(Buffer.compare(part, bytes.subarray(offset, offset + 65_537)), 0);
    }
  });

  check('takes names with characters that paths and URIs treat apart', async (store) => {
    const paths = [
      'p=a b%2F+#?*[é]\'"\\/part',
      'p=%25/100%/%',
      'p=<&>;,:@!$()=~|^`{}/x',
      'p=日本/\u{1F600}',
      'p=e\u0301/é',
    ];
    for (const path of paths) await store.put(path, bytesOf(path));
    assert.deepEqual(await listed(store, 'p='), paths.toSorted());
    for (const path of paths) {
      assert.equal(textOf(await store.read(path)), path);
      assert.equal((await store.head(path))?.sizeBytes, Buffer.byteLength(path));
      assert.deepEqual(await listed(store, path), [path]);
      await store.delete(path);
    }
    assert.deepEqual(await listed(store, ''), []);
  });

  check('keeps bytes apart from the caller’s buffers', async (store) => {
    const bytes = bytesOf('same');
    await store.put('x', bytes);
    bytes.fill(0);
    (await store.read('x')).fill(0);
    assert.equal(textOf(await store.read('x')), 'same');
  });

  check('tells when an object was modified', async (store) => {
    await store.put('x', bytesOf('1'));
    const head = await store.head('x');
    for await (const object of store.list('')) assert.deepEqual(object, { path: 'x', ...head });
    assert.ok(Number.isInteger(head?.modifiedMs));
  });
}

function racing<Store extends ObjectStore>(
  check: Check<Store>,
  addressOf: ((store: Store) => StoreAddress) | undefined,
): void {
  check('lets exactly one of racing putIfAbsent win', async (store) => {
    const writers = Array.from({ length: 16 }, (_, at) => `writer ${at}`);
    const outcomes = await Promise.all(writers.map((writer) => store.putIfAbsent('race/0', bytesOf(writer))));
    assert.equal(outcomes.filter((outcome) => outcome === 'created').length, 1);
    assert.equal(textOf(await store.read('race/0')), writers[outcomes.indexOf('created')]);
    assert.deepEqual(await listed(store, 'race/'), ['race/0']);
  });

  check('shows racing readers the whole of an object or nothing', async (store) => {
    const bytes = Buffer.alloc(200_000, 7);
    const puts = Array.from({ length: 6 }, (_, at) => store.putIfAbsent(`whole/${at}`, bytes));
    const putting = { isOver: false };
    const reading = (async () => {
      while (!putting.isOver) {
        for await (const { path, sizeBytes } of store.list('whole/')) {
          assert.equal(sizeBytes, bytes.length);
          assert.equal(Buffer.compare(await store.read(path), bytes), 0);
        }
      }
    })();
    await Promise.all(puts).finally(() => (putting.isOver = true));
    await reading;
    assert.equal((await listed(store, 'whole/')).length, puts.length);
  });

  if (addressOf === undefined) return;
  check('lets exactly one of racing processes win', async (store) => {
    const worker = fileURLToPath(import.meta.resolve('./put-worker.ts'));
    const writers = Array.from({ length: PROCESSES }, (_, at) => `process ${at}`);
    const address = JSON.stringify(addressOf(store));
    const won = await Promise.all(
      writers.map(async (writer) => {
        const args = [worker, address, writer, String(RACED_OBJECTS)];
        return JSON.parse((await promisify(execFile)(execPath, args)).stdout) as number[];
      }),
    );
    assert.deepEqual(
      won.flat().sort((a, b) => a - b),
      Array.from({ length: RACED_OBJECTS }, (_, at) => at),
    );
    for (const [at, writer] of writers.entries()) {
      for (const index of won[at] ?? []) assert.equal(textOf(await store.read(`race/${index}`)), writer);
    }
  });
}

function listing<Store extends ObjectStore>(check: Check<Store>): void {
  check('lists by prefix in order, after a name, through directories', async (store) => {
    const paths = ['t/_log/01', 't/_log/02', 't/_log/sub/x', 't/_logs', 't/a', 't-/a', 'u'];
    for (const path of paths.toReversed()) await store.put(path, bytesOf(path));
    assert.deepEqual(await listed(store, ''), paths.toSorted());
    assert.deepEqual(await listed(store, 't/_log/'), ['t/_log/01', 't/_log/02', 't/_log/sub/x']);
    assert.deepEqual(await listed(store, 't/_log'), ['t/_log/01', 't/_log/02', 't/_log/sub/x', 't/_logs']);
    for (const startAfter of ['t/_log/01', 't/_log/01z']) {
      assert.deepEqual(await listed(store, 't/_log/', { startAfter }), ['t/_log/02', 't/_log/sub/x']);
    }
    assert.deepEqual(await listed(store, 't/_log/', { startAfter: 't/_log/02', namesOnly: true }), [
      't/_log/sub/x',
    ]);
    assert.deepEqual(await listed(store, 'nothing/'), []);
  });

  check('lists in the order of UTF-16 code units, from any name on', async (store) => {
    // U+1F600 is before U+FF5E in UTF-16, after it in UTF-8; the rest surrounds them.
    const stems = ['o/a', 'o/b', 'o/a\u{1F600}', 'o/a\uFF5E', 'o/a\u{1F600}z', 'o/a\uE000'];
    const paths = stems.flatMap((stem) => [`${stem}.1`, `${stem}-/2`, `${stem}\u{10000}`, `${stem}\uFFFD`]);
    for (const path of paths) await store.put(path, bytesOf('x'));
    const sorted = paths.toSorted();
    assert.deepEqual(await listed(store, 'o/'), sorted);
    for (const [at, startAfter] of sorted.entries()) {
      assert.deepEqual(await listed(store, 'o/', { startAfter }), sorted.slice(at + 1), startAfter);
    }
    assert.deepEqual(
      await listed(store, 'o/a\u{1F600}'),
      sorted.filter((path) => path.startsWith('o/a\u{1F600}')),
    );
  });

  check('lists on while objects are deleted: each of the rest once, in order', async (store) => {
    const paths = Array.from({ length: 120 }, (_, at) => `d/${String(at).padStart(4, '0')}`);
    await Promise.all(paths.map((path) => store.put(path, bytesOf(path))));
    const seen: string[] = [];
    for await (const { path } of store.list('d/')) {
      seen.push(path);
      if (seen.length % 40 === 1) await store.delete(path);
      if (seen.length === 60) await store.delete('d/0100');
    }
    assert.deepEqual(
      seen.filter((path) => path !== 'd/0100'),
      paths.filter((path) => path !== 'd/0100'),
    );
    assert.equal((await listed(store, 'd/')).length, paths.length - 4);
  });
}

function manyAtOnce<Store extends ObjectStore>(check: Check<Store>): void {
  check('deletes and reads many at once, if it offers that', async (store) => {
    const paths = Array.from({ length: 30 }, (_, at) => `m/${at} & <é>`);
    await Promise.all(paths.map((path) => store.put(path, bytesOf(path))));
    const asked = [...paths.slice(0, 3), 'm/none', ...paths.slice(3)];
    const contents = await store.readMany?.(asked);
    if (contents !== undefined) {
      const texts = contents.map((bytes) => (bytes === undefined ? undefined : textOf(bytes)));
      assert.deepEqual(
        texts,
        asked.map((path) => (path === 'm/none' ? undefined : path)),
      );
    }
    if (store.deleteMany === undefined) return;
    await store.deleteMany([...paths.slice(1), 'm/none']);
    assert.deepEqual(await listed(store, 'm/'), paths.slice(0, 1));
    await store.deleteMany([]);
  });
}

async function listed(store: ObjectStore, prefix: string, options: ListOptions = {}): Promise<string[]> {
  const paths: string[] = [];
  for await (const object of store.list(prefix, options)) paths.push(object.path);
  return paths;
}
