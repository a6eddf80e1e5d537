/**
 * Damaged logs: whatever is done to a file, opening the table ends with an error of this library or with what the
 * files, as they are now, say. `FUZZ_SEED` and `FUZZ_RUNS` choose other cases.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { DeltaError } from '../errors.ts';
import { loadState } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { LocalStore } from '../store/local-store.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { JsonEngine, MemoryStore } from '../testing/index.ts';
import { addOf, beginning, contentOf, putLogCommit, removeOf, V2_PROTOCOL } from '../testing/log-fixture.ts';
import type { Action } from './actions.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { verifyChecksum, writeChecksum } from './checksum.ts';
import { writeLogCompaction } from './compaction.ts';
import { checkpointName, checksumName, commitName } from './log-paths.ts';
import { randomFrom } from '../testing/random.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const RUNS = Number(process.env.FUZZ_RUNS ?? 400);
const LOG = 't/_delta_log';

class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  of<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  }
}

const HUGE = ['1e400', '-1', '99999999999999999999999', '0.5', '9007199254740993', '-0', '1e-400'];
const WRONG = [
  'null',
  '[]',
  '{}',
  '"text"',
  'true',
  '17',
  '[[[[]]]]',
  `${'['.repeat(5000)}${']'.repeat(5000)}`,
];

/** Ways to damage a text, each with its name. */
const DAMAGES: Readonly<Record<string, (text: string, dice: Dice) => string>> = {
  truncation: (text, dice) => text.slice(0, dice.below(text.length)),
  'a flipped bit': (text, dice) => {
    const bytes = Buffer.from(text);
    const at = dice.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
    return bytes.toString('latin1');
  },
  'a wrong type': (text, dice) =>
    replaceOne(text, /"[^"\\]*"(?=[,}])|\d+(?=[,}])|true|false/g, dice, dice.of(WRONG)),
  'a wrong member': (text, dice) => replaceOne(text, /(?<=":)[[{][^[\]{}]*[\]}]/g, dice, dice.of(WRONG)),
  'a huge number': (text, dice) => replaceOne(text, /\d+(?=[,}])/g, dice, dice.of(HUGE)),
  'a duplicate key': (text, dice) =>
    replaceOne(text, /"(path|size|id|protocol|add)":/g, dice, `"path":"other","size":77,"path":`),
  'wrong nesting': (text, dice) =>
    replaceOne(text, /^.+$/gm, dice, (line) => dice.of([`[${line}]`, `{"add":${line}}`])),
  'a lost line': (text, dice) => replaceOne(text, /^.+\n/gm, dice, ''),
  'a doubled line': (text, dice) => replaceOne(text, /^.+\n/gm, dice, (line) => line + line),
  'a foreign line': (text, dice) =>
    text + dice.of(['\u0000\n', 'null\n', '{"unknown":{}}\n', '\n\n', '"x"\n', '{}\n']),
  'nothing left': () => '',
};

function replaceOne(
  text: string,
  pattern: RegExp,
  dice: Dice,
  by: string | ((found: string) => string),
): string {
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return `${text}?`;
  const match = dice.of(matches);
  const replacement = typeof by === 'string' ? by : by(match[0]);
  return text.slice(0, match.index) + replacement + text.slice(match.index + match[0].length);
}

interface Io {
  store: ObjectStore;
  engine: JsonEngine;
  root: string;
}

const VECTOR = {
  storageType: 'u',
  pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^',
  offset: 4,
  sizeInBytes: 40,
  cardinality: 2,
};
const LAST = 12;

function commits(): Action[][] {
  const protocol = { ...V2_PROTOCOL, readerFeatures: ['v2Checkpoint', 'deletionVectors'] };
  return Array.from({ length: LAST + 1 }, (_, version) => [
    {
      commitInfo: { operation: 'WRITE', operationParameters: { mode: 'Append' }, inCommitTimestamp: version },
    },
    ...(version === 0 ? beginning({ protocol }) : []),
    addOf(`f${version}`, {
      stats: '{"numRecords":5}',
      ...(version % 3 === 1 ? { deletionVector: VECTOR } : {}),
    }),
    ...(version % 3 === 2 ? [removeOf(`f${version - 2}`, version)] : []),
    { txn: { appId: `app ${version % 2}`, version } },
  ]);
}

/** What the commits' texts say, by the plainest reading there is; undefined where they say nothing that makes sense. */
async function plainly(store: ObjectStore): Promise<Map<string, unknown> | undefined> {
  const files = new Map<string, unknown>();
  const keyOf = (file: Record<string, never>): string =>
    JSON.stringify([file.path, file.deletionVector ?? null]);
  try {
    for (let version = 0; version <= LAST; version += 1) {
      const text = Buffer.from(await store.read(`${LOG}/${commitName(version)}`)).toString('utf8');
      // What a commit says of itself is of no concern, but one that breaks off in it is not whole.
      const ends = text.split('\n').map((line, at, all) => ({ line, isCutOff: at === all.length - 1 }));
      const lines = ends
        .filter(
          ({ line, isCutOff }) => line.trim() !== '' && (isCutOff || !line.startsWith('{"commitInfo":')),
        )
        .map(({ line }) => line);
      const actions = lines.map((line) => JSON.parse(line) as Record<string, Record<string, never> | null>);
      for (const { remove } of actions) if (remove) files.delete(keyOf(remove));
      for (const { add } of actions) {
        if (!add) continue;
        if (!Number.isInteger(add.size)) return undefined;
        files.set(keyOf(add), add.size);
      }
    }
    return files;
  } catch {
    return undefined;
  }
}

function filesOf(state: TableState): Map<string, unknown> {
  return new Map(
    [...state.files.files()].map((file) => [
      JSON.stringify([file.path, file.deletionVector ?? null]),
      file.size,
    ]),
  );
}

const byKey = (files: ReadonlyMap<string, unknown>): unknown[] =>
  [...files].toSorted(([a], [b]) => (a < b ? -1 : 1));

/** The state, or the error, which must be of this library and say where. */
async function outcomeOf(open: () => Promise<TableState>, label: string): Promise<TableState | DeltaError> {
  try {
    return await open();
  } catch (error) {
    assert.ok(
      error instanceof DeltaError,
      `${label}: ${error instanceof Error ? error.stack : String(error)}`,
    );
    assert.match(error.message, /\d{20}\.|version \d+|feature|type/, label);
    return error;
  }
}

describe('damage', { timeout: 300_000 }, () => {
  it('to a commit gives an error or what the commits now say', async () => {
    const seen = { opened: 0, refused: 0 };
    const changes = commits();
    for (let run = 0; run < RUNS; run += 1) {
      const dice = new Dice(SEED * 100_003 + run);
      const io: Io = { store: new MemoryStore(), engine: new JsonEngine(), root: 't' };
      for (const [version, actions] of changes.entries()) await putLogCommit(io, version, actions);
      const path = `${LOG}/${commitName(dice.below(LAST + 1))}`;
      const [name, damage] = dice.of(Object.entries(DAMAGES));
      const text = damage(Buffer.from(await io.store.read(path)).toString('utf8'), dice);
      await io.store.put(path, Buffer.from(text));
      const label = `FUZZ_SEED=${SEED}, run ${run}: ${name} in ${path}`;
      const outcome = await outcomeOf(() => loadState(io), label);
      if (outcome instanceof DeltaError) {
        seen.refused += 1;
        continue;
      }
      seen.opened += 1;
      const expected = await plainly(io.store);
      assert.ok(expected !== undefined, `${label}: opened what makes no sense`);
      assert.deepEqual(byKey(filesOf(outcome)), byKey(expected), label);
      assert.equal(outcome.files.count, expected.size, label);
    }
    assert.ok(seen.opened > RUNS / 20 && seen.refused > RUNS / 20, JSON.stringify(seen));
  });

  it('to hints, checksums and compactions never changes what is read', async () => {
    const changes = commits();
    const seen = new Map<string, number>();
    for (let run = 0; run < RUNS / 4; run += 1) {
      const dice = new Dice(SEED * 200_003 + run);
      const io: Io = { store: new MemoryStore(), engine: new JsonEngine(), root: 't' };
      for (const [version, actions] of changes.entries()) await putLogCommit(io, version, actions);
      const state = await loadState(io);
      const expected = contentOf(state);
      await writeCheckpoint(io, await loadState(io, 6), 0);
      await writeChecksum(io, state);
      const compaction = await writeLogCompaction({ io }, { from: 7, to: 10 });
      const path = dice.of([`${LOG}/_last_checkpoint`, `${LOG}/${checksumName(LAST)}`]);
      const [name, damage] = dice.of(Object.entries(DAMAGES));
      const original = Buffer.from(await io.store.read(path)).toString('utf8');
      const damaged = damage(original, dice);
      await io.store.put(path, Buffer.from(damaged));
      if (dice.below(2) === 0)
        await io.store.put(compaction.path, Buffer.from(dice.of(['', '{', 'null\n', '{"add":{}}\n'])));
      const label = `FUZZ_SEED=${SEED}, run ${run}: ${name} in ${path}`;
      const found = await loadState(io);
      assert.deepEqual(contentOf(found), expected, label);
      const verdict = await verifyChecksum({ io, stateAt: (version) => loadState(io, version) }, LAST);
      const isWhole = path.endsWith('_last_checkpoint') || damaged === original;
      if (isWhole) assert.deepEqual(verdict, { kind: 'matches' }, label);
      else seen.set(verdict.kind, (seen.get(verdict.kind) ?? 0) + 1);
    }
    assert.ok((seen.get('damaged') ?? 0) > 5 && (seen.get('differs') ?? 0) > 1, JSON.stringify([...seen]));
  });

  describe('to a checkpoint in Parquet', () => {
    let directory: string;
    let engine: DuckDbEngine;
    before(async () => {
      directory = mkdtempSync(join(tmpdir(), 'sluice-fuzz-'));
      engine = await DuckDbEngine.create({ threads: 1, memoryLimit: '512MB' });
    });
    after(async () => {
      await engine.close();
      rmSync(directory, { recursive: true, force: true });
    });

    const path = `${LOG}/${checkpointName(6)}`;

    async function checkpointed(): Promise<{
      io: { store: LocalStore; engine: DuckDbEngine; root: string };
      expected: unknown;
    }> {
      const store = new LocalStore(mkdtempSync(join(directory, 'table-')));
      const io = { store, engine, root: 't' };
      for (const [version, actions] of commits().entries()) await putLogCommit(io, version, actions);
      const expected = contentOf(await loadState(io));
      await writeCheckpoint(io, await loadState(io, 6), 0);
      return { io, expected };
    }

    it('is no loss while the commits are there, and named when they are not', async () => {
      const { io, expected } = await checkpointed();
      const bytes = Buffer.from(await io.store.read(path));
      const dice = new Dice(SEED);
      const foreign = [
        `SELECT 1 AS x`,
        `SELECT 'text' AS add, 1 AS metaData`,
        `SELECT {path: 17, size: 'x'} AS add`,
        `SELECT {path: 'p', size: 3, partitionValues: 'no'} AS add, NULL AS protocol`,
        `SELECT {path: 'p', size: -3, modificationTime: 1, dataChange: true, partitionValues: MAP{'a': 'b'}} AS add`,
        `SELECT {minReaderVersion: 'one', minWriterVersion: 2} AS protocol`,
      ];
      const damaged: [string, Uint8Array][] = [
        ['empty', new Uint8Array()],
        ...Array.from({ length: 12 }, (): [string, Uint8Array] => {
          const length = dice.below(bytes.length - 1);
          return [`cut to ${length} bytes`, bytes.subarray(0, length)];
        }),
      ];
      for (const [at, sql] of foreign.entries()) {
        const file = join(directory, `foreign-${at}.parquet`);
        await engine.session((session) => session.run(`COPY (${sql}) TO '${file}' (FORMAT parquet)`));
        damaged.push([sql, await new LocalStore(directory).read(`foreign-${at}.parquet`)]);
      }
      for (const [label, content] of damaged) {
        await io.store.put(path, content);
        assert.deepEqual(contentOf(await loadState(io)), expected, label);
      }
      await io.store.delete(`${LOG}/${commitName(0)}`);
      for (const [label, content] of damaged) {
        await io.store.put(path, content);
        const outcome = await outcomeOf(() => loadState(io), label);
        assert.ok(outcome instanceof DeltaError, label);
      }
    });

    it('of single bits ends with an error or a table', async () => {
      const { io } = await checkpointed();
      const bytes = Buffer.from(await io.store.read(path));
      const dice = new Dice(SEED);
      for (let run = 0; run < RUNS / 8; run += 1) {
        const flipped = Buffer.from(bytes);
        // The second half holds the footer; bits of the data can't be told from data.
        const at = Math.floor(bytes.length / 2) + dice.below(Math.ceil(bytes.length / 2));
        flipped[at] = (flipped[at] ?? 0) ^ (1 << dice.below(8));
        await io.store.put(path, flipped);
        const outcome = await outcomeOf(
          () => loadState(io),
          `FUZZ_SEED=${SEED}, run ${run}: bit of byte ${at}`,
        );
        if (!(outcome instanceof DeltaError))
          assert.equal([...outcome.files.files()].length, outcome.files.count);
      }
    });
  });
});
