/**
 * Processes that append, merge, delete, update, optimize, vacuum, restore and change one table, and are killed at any
 * moment, while this one reads it. `SLUICE_RACE_SECONDS` makes the race longer, `SLUICE_RACE_SEED` repeats the order of the kills,
 * `SLUICE_RACE_PROCESSES` lets more take part (the first eight of them differ), and `SLUICE_RACE_STORE=s3` races over
 * the test server of S3.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { after, it } from 'node:test';
import { startS3Server } from '../../test/s3-server.ts';
import { DeltaError } from '../errors.ts';
import { deleteRows } from '../dml/index.ts';
import { withSession } from '../engine.ts';
import type { Action } from '../log/actions.ts';
import { scanFiles } from '../scan/scan-files.ts';
import { struct } from '../schema/types.ts';
import { loadCommit, wholeLog } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { createContext, type TableContext } from '../table-context.ts';
import type { StoreAddress } from '../testing/object-store-contract.ts';
import { storeAt } from '../testing/store-at.ts';
import { createTable } from '../write/create-table.ts';
import { fsck } from './fsck/fsck.ts';
import { localTables } from './local-table.fixture.ts';
import { optimize } from './optimize/optimize.ts';
import { DOOMED, RETENTION_MS, ROWS_PER_BATCH } from './testing/race-worker.ts';
import { vacuum } from './vacuum/vacuum.ts';

const SECONDS = Number(env['SLUICE_RACE_SECONDS'] ?? 12);
const SEED = Number(env['SLUICE_RACE_SEED'] ?? 1);
/** Versions between two kills: on a slow machine processes must get further than their own beginning. */
const VERSIONS_PER_KILL = 25;
/** How many times as long the race lasts, at most, where the machine is too slow for every part to have its turn. */
const PATIENCE = 5;
const PROCESSES = Number(env['SLUICE_RACE_PROCESSES'] ?? 4);
const IN_S3 = env['SLUICE_RACE_STORE'] === 's3';
const PARTS = ['append', 'change', 'optimize', 'vacuum', 'merge', 'log', 'metadata', 'restore'] as const;
const ROLES = Array.from({ length: PROCESSES }, (_, at) => PARTS[at % PARTS.length] ?? 'append');
/** By the role that makes them. */
const OPERATIONS_OF: Readonly<Record<string, readonly string[]>> = {
  append: ['WRITE'],
  change: ['DELETE', 'UPDATE'],
  optimize: ['OPTIMIZE', 'REORG'],
  vacuum: ['VACUUM END'],
  merge: ['MERGE'],
  metadata: ['SET TBLPROPERTIES'],
  restore: ['RESTORE'],
};
const OPERATIONS = [...new Set(ROLES.flatMap((role) => OPERATIONS_OF[role] ?? []))];

const tables = await localTables('race');
const server = IN_S3 ? await startS3Server() : undefined;
after(async () => {
  if (server !== undefined && 'stop' in server) await server.stop();
});

/** Where the table is. */
async function raceStore(): Promise<StoreAddress> {
  if (server === undefined) return { kind: 'local', directory: tables.directory };
  assert.ok('endpoint' in server, 'the test server of S3 runs');
  return { kind: 's3', options: { bucket: await server.newBucket(), client: server.client } };
}

it(`no row is lost or doubled, and no reader fails, in ${SECONDS} s of racing and dying processes`, async () => {
  const schema = struct({ writer: 'string', batch: 'long', n: 'integer', p: 'integer', touched: 'integer' });
  const address = await raceStore();
  const open = (): TableContext =>
    createContext({ store: storeAt(address), engine: tables.engine, root: 'race' });
  const context = open();
  await createTable(context, {
    ...context.io,
    schema,
    partitionColumns: ['p'],
    properties: {
      'delta.enableDeletionVectors': 'true',
      'delta.isolationLevel': 'WriteSerializable',
      'delta.columnMapping.mode': 'name',
    },
  });
  const crew = new Crew(address, context.io.root);
  const seen = new Set<string>();
  const undone = new UndoneBatches();
  let version = 0;
  const follow = async (newest: number): Promise<void> => {
    for (; version <= newest; version += 1) {
      // A clean-up may have taken the commit.
      const commit = await loadCommit(context.io, version);
      seen.add(commit?.actions.find(({ commitInfo }) => commitInfo)?.commitInfo?.operation ?? '');
      undone.follow(version, commit?.actions ?? []);
    }
  };
  try {
    const began = performance.now();
    const isOver = (): boolean => {
      const seconds = (performance.now() - began) / 1000;
      const isComplete = crew.kills > 0 && OPERATIONS.every((name) => seen.has(name));
      return seconds > SECONDS * PATIENCE || (seconds > SECONDS && isComplete);
    };
    while (!isOver()) {
      crew.assertWell();
      const newest = await crew.readAndCheck(context);
      await follow(newest);
      if (newest >= (crew.kills + 1) * VERSIONS_PER_KILL) crew.killOne();
    }
  } finally {
    await crew.end();
  }
  crew.assertWell();
  const fresh = open();
  const acknowledged = crew.acknowledged();
  const last = await fresh.refresh();
  await follow(last.version);
  const batches = await check(fresh, last);
  for (const key of acknowledged) {
    assert.ok(batches.has(key) || undone.has(key), `the acknowledged batch ${key} is lost`);
  }
  await deleteRows(fresh, { where: DOOMED });
  await optimize(fresh);
  await vacuum(fresh, { retentionMs: 0, retentionCheck: false });
  for (const [key, rows] of await check(fresh, await fresh.refresh())) {
    const isCut = Number(key.split('/')[1]) % 5 === 0;
    assert.equal(rows, ROWS_PER_BATCH - (isCut ? 1 : 0), key);
  }
  const { commits } = await wholeLog(fresh.io);
  const first = commits[0]?.version ?? 0;
  assert.deepEqual(
    commits.map(({ version }) => version),
    commits.map((_, at) => first + at),
  );
  assert.ok(first === 0 || ROLES.includes('log'), 'commits stay where nothing cleans them up');
  const { findings } = await fsck(fresh, { deep: true });
  assert.deepEqual(findings, []);
  assert.deepEqual(
    OPERATIONS.filter((name) => !seen.has(name)),
    [],
    'all of them took part',
  );
  assert.ok(acknowledged.size > 0 && crew.kills > 0);
  console.log(
    `${version} versions, ${acknowledged.size} acknowledged batches, ${crew.kills} kills, ` +
      `${undone.restores} restores that took ${undone.size} batches; ` +
      `${crew.slowSteps()} steps failed that took longer than half of the retention`,
  );
});

/** Rows by `writer/batch`; each batch is there once, and but for the rows that deletes take, whole. */
async function check(context: TableContext, state: TableState): Promise<Map<string, number>> {
  const sql = await scanFiles(context, state, [...state.files.files()]);
  const rows = await withSession(context.io.engine, (session) =>
    session.rows(
      `SELECT writer, batch, count(*), count(DISTINCT n), min(n), max(n) FROM (${sql}) GROUP BY ALL`,
    ),
  );
  const batches = new Map<string, number>();
  for (const [writer, batch, count, distinct, least, most] of rows) {
    const key = `${String(writer)}/${String(batch)}`;
    const where = `${key} in version ${state.version}`;
    assert.equal(Number(distinct), Number(count), `rows are doubled: ${where}`);
    assert.equal(Number(most), ROWS_PER_BATCH - 1, where);
    const isCut = Number(count) === ROWS_PER_BATCH - 1 && Number(batch) % 5 === 0 && Number(least) === 1;
    assert.ok(Number(count) === ROWS_PER_BATCH || isCut, `${String(count)} rows: ${where}`);
    batches.set(key, Number(count));
  }
  return batches;
}

/** The batches that a restore took away, in order: told from the log, commit by commit. */
class UndoneBatches {
  /** By `writer/batch`: the version that made it. */
  readonly #made = new Map<string, number>();
  readonly #undone = new Set<string>();
  restores = 0;

  follow(version: number, actions: readonly Action[]): void {
    for (const { txn } of actions) if (txn) this.#made.set(`${txn.appId}/${txn.version}`, version);
    const info = actions.find(({ commitInfo }) => commitInfo)?.commitInfo;
    if (info?.operation !== 'RESTORE') return;
    this.restores += 1;
    const restored = Number(info.operationParameters?.['version']);
    for (const [key, made] of this.#made) if (made > restored) this.#undone.add(key);
  }

  has(key: string): boolean {
    return this.#undone.has(key);
  }

  get size(): number {
    return this.#undone.size;
  }
}

interface Worker {
  readonly role: string;
  readonly name: string;
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
}

/** The processes; one that is killed is replaced by another of its role and name. */
class Crew {
  kills = 0;
  #slowReads = 0;
  readonly #address: StoreAddress;
  readonly #root: string;
  readonly #workers: Worker[];
  readonly #output = new Map<string, string>();
  readonly #failures: string[] = [];

  constructor(address: StoreAddress, root: string) {
    this.#address = address;
    this.#root = root;
    this.#workers = ROLES.map((role, at) => this.#start(role, `${role}-${at}`));
  }

  /** The newest version, which it gives, and one of within the retention are whole. */
  async readAndCheck(context: TableContext): Promise<number> {
    const began = performance.now();
    const state = await context.refresh();
    try {
      await check(context, state);
      const age = Math.min(state.version, 5);
      await check(context, await context.stateAt(state.version - age));
    } catch (error) {
      // A machine that is so slow says nothing about the files of its readers.
      const isSlow = performance.now() - began > RETENTION_MS / 2;
      if (!isSlow || !(error instanceof DeltaError)) throw error;
      this.#slowReads += 1;
    }
    return state.version;
  }

  /** Failures that are no failure of the table's. */
  slowSteps(): number {
    const told = [...this.#output.values()].reduce((sum, text) => sum + text.split('slow\n').length - 1, 0);
    return told + this.#slowReads;
  }

  /** Fails with what a worker said that ended by itself. */
  assertWell(): void {
    assert.deepEqual(this.#failures, []);
  }

  killOne(): void {
    // Any order will do, as long as it can be repeated.
    const at = Math.floor(Math.abs(Math.sin(SEED * 1000 + this.kills)) * this.#workers.length);
    const victim = this.#workers[at];
    if (victim === undefined) return;
    victim.process.kill('SIGKILL');
    this.#workers[at] = this.#start(victim.role, victim.name);
    this.kills += 1;
  }

  async end(): Promise<void> {
    for (const worker of this.#workers) worker.process.kill('SIGKILL');
    await Promise.all(this.#workers.map(({ ended }) => ended));
  }

  acknowledged(): Set<string> {
    const keys = new Set<string>();
    for (const [name, text] of this.#output) {
      for (const match of text.matchAll(/ack (\d+)\n/g)) keys.add(`${name}/${match[1]}`);
    }
    return keys;
  }

  #start(role: string, name: string): Worker {
    const worker = join(import.meta.dirname, 'testing', 'race-worker.ts');
    const child = spawn(execPath, [worker, JSON.stringify(this.#address), this.#root, role, name], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let complaint = '';
    child.stdout.on('data', (data: Buffer) => {
      this.#output.set(name, (this.#output.get(name) ?? '') + data.toString());
    });
    child.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
    const ended = new Promise<void>((resolve) => {
      child.on('close', (code, signal) => {
        if (signal !== 'SIGKILL') this.#failures.push(`${name} ended with ${code}: ${complaint}`);
        resolve();
      });
    });
    return { role, name, process: child, ended };
  }
}
