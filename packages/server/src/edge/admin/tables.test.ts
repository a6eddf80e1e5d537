/** The wire of table maintenance, with a maintenance that does what the test says. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { DeltaError, type LongWork } from '@sluice/delta';
import { PlatformError } from '../../base/errors.ts';
import type { TableMaintenance } from '../../modules/catalog/index.ts';
import { createSigV4 } from '../http/index.ts';
import { type Line, startTestServer, testClock, testLogger } from '../http/testing/fixture.ts';
import { createTableRoutes } from './tables.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

const unexpected = () => Promise.reject(new Error('not expected'));
const NOTHING: TableMaintenance = {
  history: unexpected,
  detail: unexpected,
  optimize: unexpected,
  vacuum: unexpected,
  restore: unexpected,
  diff: unexpected,
  fsck: unexpected,
};

async function serve(maintenance: Partial<TableMaintenance>, lines: Line[] = [], signed = false) {
  const routes = createTableRoutes({
    maintenance: { ...NOTHING, ...maintenance },
    logger: testLogger(lines),
    signedFor: 'sluice',
  });
  const authenticate = createSigV4({ identity: { secretOf: () => undefined }, clock: testClock() });
  const server = await startTestServer({ routes, ...(signed ? { authenticate } : {}) });
  closing.push(() => server.close());
  return (operation: string, body: unknown, signal?: AbortSignal) =>
    fetch(`${server.url}/tables/${operation}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
}

const T = { database: 'a', table: 'b' };

async function linesOf(response: Response): Promise<unknown[]> {
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

test('progress goes out while the operation runs, and the result last', async () => {
  const end = Promise.withResolvers<void>();
  let tell: LongWork['onProgress'];
  const post = await serve({
    async optimize(name, options) {
      assert.deepEqual(name, T);
      assert.deepEqual([options?.where, options?.zOrderBy, options?.full], ['p = 1', ['x', 'y'], undefined]);
      tell = options?.onProgress;
      tell?.({ phase: 'rewrite', done: 0, total: 2, bytes: 0 });
      await end.promise;
      return {
        versions: [3],
        filesAdded: 1,
        filesRemoved: 2,
        bytesAdded: 5,
        bytesRemoved: 9,
        rows: 4,
        deletionVectorsRemoved: 0,
        binsLost: 0,
      };
    },
  });
  const response = await post('optimize', { ...T, where: 'p = 1', zOrderBy: ['x', 'y'], full: null });
  assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/x-ndjson']);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.ok(reader);
  const first = await reader.read();
  assert.deepEqual(JSON.parse(first.value ?? ''), {
    progress: { phase: 'rewrite', done: 0, total: 2, bytes: 0 },
  });
  tell?.({ phase: 'rewrite', done: 1, total: 2, bytes: 7 });
  const second = await reader.read();
  assert.deepEqual(JSON.parse(second.value ?? ''), {
    progress: { phase: 'rewrite', done: 1, total: 2, bytes: 7 },
  });
  end.resolve();
  const last = await reader.read();
  assert.deepEqual((JSON.parse(last.value ?? '') as { result: { versions: number[] } }).result.versions, [3]);
  assert.equal((await reader.read()).done, true);
});

test('what fails at once has a status, and what fails later a line', async () => {
  const lines: Line[] = [];
  const post = await serve(
    {
      detail: () =>
        Promise.reject(
          new PlatformError({ code: 'table-not-found', message: 'no such table', hint: 'Look.' }),
        ),
      async vacuum(_, options) {
        options?.onProgress?.({ phase: 'list', done: 0, total: 0, bytes: 0 });
        await new Promise(setImmediate);
        throw new DeltaError({ code: 'io', message: 'the disk is away' });
      },
      fsck: () => Promise.reject(new Error('a secret')),
    },
    lines,
  );
  const absent = await post('detail', T);
  assert.equal(absent.status, 404);
  assert.deepEqual(await absent.json(), {
    __type: 'EntityNotFoundException',
    message: 'no such table. Look.',
  });
  const failed = await post('vacuum', T);
  assert.equal(failed.status, 200);
  assert.deepEqual((await linesOf(failed)).at(-1), {
    error: { __type: 'TableMaintenanceException', message: 'the disk is away' },
  });
  const broken = await post('fsck', T);
  assert.equal(broken.status, 500);
  assert.doesNotMatch(await broken.text(), /secret/);
  assert.ok(lines.some(({ fields }) => String(fields['err']).includes('a secret')));
});

test('a client that goes away ends the operation', async () => {
  const aborted = Promise.withResolvers<void>();
  const post = await serve({
    async optimize(_, options) {
      options?.onProgress?.({ phase: 'rewrite', done: 0, total: 1, bytes: 0 });
      options?.signal?.addEventListener('abort', () => aborted.resolve());
      await aborted.promise;
      throw new DeltaError({ code: 'aborted', message: 'aborted' });
    },
  });
  const client = new AbortController();
  const response = await post('optimize', T, client.signal);
  await response.body?.getReader().read();
  client.abort();
  await aborted.promise;
});

test('the body is checked, member by member', async () => {
  const post = await serve({
    restore: async (_, options) => {
      const version = 'version' in options ? options.version : options.timestampMs;
      return {
        kind: 'unchanged',
        version,
        restoredVersion: 0,
        filesRestored: 0,
        bytesRestored: 0,
        filesRemoved: 0,
        bytesRemoved: 0,
        filesAfter: 0,
        bytesAfter: 0,
      };
    },
  });
  const cases: [string, unknown, RegExp][] = [
    ['detail', '{', /not JSON/],
    ['detail', [], /JSON object/],
    ['detail', { database: 'a' }, /"table" is missing/],
    ['detail', { ...T, depth: 1 }, /"depth" is unknown; known are: database, table/],
    ['detail', { ...T, toString: 1 }, /"toString" is unknown/],
    ['detail', { database: 1, table: 'b' }, /"database" must be a text/],
    ['history', { ...T, limit: -1 }, /"limit" must be a whole number/],
    ['optimize', { ...T, zOrderBy: 'x' }, /"zOrderBy" must be a list/],
    ['vacuum', { ...T, dryRun: 'yes' }, /"dryRun" must be true or false/],
    ['diff', { ...T, to: 3 }, /"from" is missing/],
    ['restore', T, /One of the members/],
    ['restore', { ...T, version: 1, timestampMs: 2 }, /One of the members/],
  ];
  for (const [operation, body, message] of cases) {
    const response = await post(operation, body);
    assert.equal(response.status, 400, JSON.stringify(body));
    const { message: said } = (await response.json()) as { message: string };
    assert.match(said, message);
  }
  for (const body of [
    { ...T, version: 7 },
    { ...T, timestampMs: 7 },
  ]) {
    const [answer] = await linesOf(await post('restore', body));
    assert.equal((answer as { result: { version: number } }).result.version, 7);
  }
});

test('only who signs may ask', async () => {
  const post = await serve({}, [], true);
  assert.equal((await post('detail', T)).status, 403);
});
