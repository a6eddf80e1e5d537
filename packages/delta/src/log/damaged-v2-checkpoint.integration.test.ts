/**
 * A v2 checkpoint that is damaged in one place: no loss while the commits are there, and an error that names the file
 * when they are not. A hint to the last checkpoint changes nothing, whatever it says.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { DeltaError } from '../errors.ts';
import { loadState } from '../snapshot/load.ts';
import { LocalStore } from '../store/local-store.ts';
import { addOf, beginning, contentOf, putLogCommit, removeOf, V2_PROTOCOL } from '../testing/log-fixture.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { listLog } from './log-listing.ts';
import { commitName } from './log-paths.ts';

const LAST = 9;
const CHECKPOINT = 6;

interface Log {
  readonly io: { readonly store: LocalStore; readonly engine: DuckDbEngine; readonly root: string };
  /** Absolute. */
  readonly directory: string;
  readonly expected: unknown;
  /** Name of the checkpoint, whose content is JSON. */
  readonly top: string;
  /** Names, in the directory of sidecars. */
  readonly sidecars: readonly string[];
}

let directory: string;
let engine: DuckDbEngine;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-damaged-v2-'));
  engine = await DuckDbEngine.create({ threads: 1 });
});
after(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Ten commits and a checkpoint in JSON, with three sidecars, of the seventh. */
async function checkpointed(): Promise<Log> {
  const io = { store: new LocalStore(mkdtempSync(join(directory, 'table-'))), engine, root: 't' };
  for (let version = 0; version <= LAST; version += 1) {
    await putLogCommit(io, version, [
      ...(version === 0
        ? beginning({ protocol: V2_PROTOCOL, configuration: { 'delta.checkpointPolicy': 'v2' } })
        : []),
      addOf(`a${version}`, { stats: '{"numRecords":5}' }),
      addOf(`b${version}`),
      ...(version % 3 === 2 ? [removeOf(`a${version - 2}`, version)] : []),
    ]);
  }
  const expected = contentOf(await loadState(io));
  const state = await loadState(io, CHECKPOINT);
  await writeCheckpoint(io, state, 0, { inlineActionsMax: 0, sidecarActionsMax: 5 });
  const log = io.store.localPath('t/_delta_log');
  const [checkpoint] = (await listLog(io.store, io)).checkpoints;
  assert.ok(checkpoint);
  const { actions } = await readCheckpoint(io, checkpoint);
  const text = actions.map(
    (action) => `${JSON.stringify(action, (_, value: unknown) => value ?? undefined)}\n`,
  );
  const [parquet = ''] = readdirSync(log).filter((name) => name.endsWith('.parquet'));
  const top = parquet.replace(/parquet$/, 'json');
  writeFileSync(join(log, top), text.join(''));
  rmSync(join(log, parquet));
  const sidecars = readdirSync(join(log, '_sidecars'));
  assert.equal(sidecars.length, 3);
  return { io, directory: log, expected, top, sidecars };
}

/** Each gives the name of the file that it damages. */
const DAMAGES: Readonly<Record<string, (log: Log) => string | undefined>> = {
  'the version of another': (log) => editTop(log, (text) => text.replace(/("version":)6/, '$17')),
  'a line that is cut off': (log) => editTop(log, (text) => text.slice(0, -5)),
  'nothing in it': (log) => editTop(log, () => ''),
  'a sidecar without a path': (log) =>
    editTop(log, (text) => text.replace('"sidecar":{"path"', '"sidecar":{"x"')),
  'a sidecar out of the table': (log) => {
    editTop(log, (text) => text.replace(/("sidecar":\{"path":")[^"]*"/, '$1a%00b"'));
    return 'a%00b';
  },
  'a sidecar that is missing': ({ directory: log, sidecars: [name = ''] }) => {
    rmSync(join(log, '_sidecars', name));
    return name;
  },
  'a sidecar that is cut off': ({ directory: log, sidecars: [name = ''] }) => {
    const path = join(log, '_sidecars', name);
    writeFileSync(path, readFileSync(path).subarray(0, 300));
    return name;
  },
  'a sidecar that is empty': ({ directory: log, sidecars: [name = ''] }) => {
    writeFileSync(join(log, '_sidecars', name), '');
    return name;
  },
};

function editTop({ directory: log, top }: Log, edit: (text: string) => string): string {
  const path = join(log, top);
  const text = readFileSync(path, 'utf8');
  const edited = edit(text);
  assert.notEqual(edited, text);
  writeFileSync(path, edited);
  return top;
}

describe('a v2 checkpoint with', () => {
  it('nothing wrong in it leads to the table by itself', async () => {
    const log = await checkpointed();
    rmSync(join(log.directory, commitName(0)));
    assert.deepEqual(contentOf(await loadState(log.io)), log.expected);
  });

  for (const [what, damage] of Object.entries(DAMAGES)) {
    it(`${what} is no loss while there are commits, and named when there are none`, async () => {
      const log = await checkpointed();
      const name = damage(log) ?? '';
      assert.deepEqual(contentOf(await loadState(log.io)), log.expected);
      rmSync(join(log.directory, commitName(0)));
      await assert.rejects(loadState(log.io), (error: unknown) => {
        assert.ok(error instanceof DeltaError, String(error));
        assert.ok(error.message.includes(name), error.message);
        return true;
      });
    });
  }
});

describe('a hint to the last checkpoint', () => {
  it('may point anywhere', async () => {
    const log = await checkpointed();
    const path = join(log.directory, '_last_checkpoint');
    const hints = [
      '{"version":0,"size":1}',
      '{"version":3,"size":1}',
      '{"version":9,"size":1}',
      '{"version":9007199254740991,"size":1}',
      '{"version":1e400,"size":1}',
      '{"version":6,"size":-1,"parts":0}',
      '{"version":6,"size":9,"parts":77}',
      '{"version":6,"size":9,"v2Checkpoint":{"path":"none.json","sizeInBytes":1,"modificationTime":1}}',
      '{"version":6,"version":2,"size":9}',
      '{"version":"6"}',
      '[6]',
      'null',
      '\u0000',
      '['.repeat(100_000),
    ];
    for (const withoutBeginning of [false, true]) {
      if (withoutBeginning) rmSync(join(log.directory, commitName(0)));
      for (const hint of hints) {
        writeFileSync(path, hint);
        assert.deepEqual(contentOf(await loadState(log.io)), log.expected, hint.slice(0, 80));
      }
    }
  });
});
