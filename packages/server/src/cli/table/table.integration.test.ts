/** `sluice table` as a user runs it: on tables of a server, and on directories. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CreateDatabaseCommand, CreateTableCommand, GetTableCommand, GlueClient } from '@aws-sdk/client-glue';
import { DeltaTable, field, LocalStore, struct } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';

const command = fileURLToPath(new URL('../../../bin/sluice.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'sluice-table-'));
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|SLUICE_|NO_COLOR|FORCE_COLOR|NODE_TEST)/.test(name),
  ),
);
const children: ChildProcess[] = [];
let engine: DuckDbEngine;
before(async () => {
  engine = await DuckDbEngine.create({ threads: 1 });
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await engine.close();
  rmSync(root, { recursive: true, force: true });
});

async function sluice(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [command, 'table', ...args], { env: environment });
  children.push(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end();
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

/** What the command gives, which must succeed, as JSON. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await sluice(...args, '--format', 'json');
  assert.equal(code, 0, err);
  return JSON.parse(out) as Record<string, unknown>;
}

async function append(table: DeltaTable, first: number): Promise<void> {
  const rows = [0, 1].map((at) => ({ id: first + at, name: `n${first + at}` }));
  await table.append({ source: { kind: 'rows', rows } });
}

/** A table with four versions, of which the last three added a file of two rows each. */
async function fill(table: DeltaTable): Promise<void> {
  for (const first of [1, 3, 5]) await append(table, first);
}

/** The life of a table that {@link fill} has filled. */
async function assertMaintains(name: string, table: DeltaTable, server: readonly string[]): Promise<void> {
  const target = [name, ...server];
  const detail = await json('detail', ...target);
  assert.deepEqual([detail['version'], detail['fileCount']], [3, 3]);
  assert.equal((detail['statistics'] as { rows: number }).rows, 6);
  assert.match((await sluice('detail', ...target)).out, /^rows +6\nfiles +3, of /m);

  const optimized = await json('optimize', ...target);
  assert.deepEqual([optimized['filesRemoved'], optimized['filesAdded'], optimized['rows']], [3, 1, 6]);
  assert.deepEqual((await sluice('optimize', ...target)).out, 'nothing to do\n');

  const difference = await json('diff', name, '1', '4', ...server);
  assert.deepEqual([difference['from'], difference['to'], difference['rows']], [1, 4, 4]);
  assert.match(
    (await sluice('diff', name, '3', ...server)).out,
    /^from version 3 to 4: \+0 rows.*\n\+ 1 file .*\n(.*\n)- 3 files /,
  );

  const dry = await json('vacuum', ...target, '--retain', '0', '--force', '--dry-run');
  assert.equal(dry['files'], 3);
  const refused = await sluice('vacuum', ...target, '--retain', '0');
  assert.deepEqual([refused.code, refused.out], [1, '']);
  assert.match(refused.err, /error: .*retention/s);

  const restored = await json('restore', ...target, '--to', '2');
  assert.deepEqual([restored['kind'], restored['restoredVersion']], ['restored', 2]);
  assert.equal((await table.snapshot()).rowCount, 4);

  const history = (await json('history', ...target, '--limit', '2')) as unknown as { operation: string }[];
  assert.deepEqual(
    history.map(({ operation }) => operation),
    ['RESTORE', 'OPTIMIZE'],
  );
  const shown = (await sluice('history', ...target)).out;
  assert.match(shown, /^ version │ committed \(UTC\) +│ operation/);
  assert.doesNotMatch(shown, /=(0|\[\]|\{\})( |$)/m, 'nothing that says nothing');

  assert.match((await sluice('fsck', ...target)).out, /2 files checked, nothing found/);
  const [file] = (await table.snapshot()).files();
  assert.ok(file);
  const path = join(fileURLToPath(String(detail['location'])), file.path);
  rmSync(path);
  const broken = await sluice('fsck', ...target);
  assert.equal(broken.code, 1);
  assert.match(broken.out, /1 problem found\n {2}missing file, .*\nwith --repair/);
  assert.match((await sluice('fsck', ...target, '--repair')).out, /is without 1 missing file/);
  assert.equal((await sluice('fsck', ...target)).code, 0);
}

test('maintains a table in a directory, without a server', async () => {
  const path = join(root, 'lake.d', 'events');
  const table = await DeltaTable.create({
    store: new LocalStore(path),
    engine,
    root: '',
    schema: struct([field('id', 'long'), field('name', 'string')]),
  });
  await fill(table);
  await assertMaintains(path, table, []);
});

describe('on a running server', () => {
  const data = join(root, 'data');
  let table: DeltaTable;
  before(async () => {
    const child = spawn(
      process.execPath,
      [command, 'start', '--port', '0', '--log-level', 'error', '--data', data],
      { env: environment, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    const reader = createInterface({ input: child.stdout });
    const [line] = (await once(reader, 'line')) as [string];
    const { accessKeyId = '', secretAccessKey = '' } = JSON.parse(
      readFileSync(join(data, 'root-credentials.json'), 'utf8'),
    ) as Record<string, string>;
    const glue = new GlueClient({
      endpoint: line.replace('ready ', ''),
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
    });
    await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: 'shop' } }));
    const columns = [
      { Name: 'id', Type: 'bigint' },
      { Name: 'name', Type: 'string' },
    ];
    await glue.send(
      new CreateTableCommand({
        DatabaseName: 'shop',
        TableInput: {
          Name: 'events',
          Parameters: { table_type: 'DELTA' },
          StorageDescriptor: { Columns: columns },
        },
      }),
    );
    const { Table } = await glue.send(new GetTableCommand({ DatabaseName: 'shop', Name: 'events' }));
    glue.destroy();
    const path = fileURLToPath(Table?.StorageDescriptor?.Location ?? '');
    table = await DeltaTable.open({ store: new LocalStore(path), engine, root: '' });
    await fill(table);
  });

  test('maintains a table of its catalogue', async () => {
    await assertMaintains('shop.events', table, ['--data', data]);
  });

  test('says that a table is not there', async () => {
    const { code, err } = await sluice('detail', 'shop.nothing', '--data', data);
    assert.equal(code, 1);
    assert.match(err, /"shop\.nothing" does not exist/);
  });
});

test('wrong usage is told of', async () => {
  const cases: [string[], RegExp][] = [
    [['detail', './nothing/here'], /neither database\.table nor a directory/],
    [['restore', 'a.b', '--to', 'yesterday'], /neither a version nor a time/],
    [['restore', 'a.b'], /--to/],
    [['diff', 'a.b', 'x'], /whole number/],
    [['history', 'a.b', '--limit', '0'], /from 1/],
    [['optimize'], /table/],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await sluice(...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, message);
  }
  const { code, err } = await sluice('detail', 'a.b', '--data', join(root, 'no-server'));
  assert.equal(code, 3);
  assert.match(err, /no server runs/);
});
