/** What a check finds in tables that someone has damaged on purpose. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RowSet, writeDeletionVectors } from '../../deletion-vectors/index.ts';
import { fileKey } from '../../log/actions.ts';
import { writeCheckpoint } from '../../log/checkpoint.ts';
import { writeChecksum } from '../../log/checksum.ts';
import { commitName } from '../../log/log-paths.ts';
import { struct } from '../../schema/types.ts';
import type { TableContext } from '../../table-context.ts';
import { actionsOf, append, filesOf, fingerprint, localTables } from '../local-table.fixture.ts';
import { removeOf } from '../remove-of.ts';
import { fsck } from './fsck.ts';

const tables = await localTables('fsck');

async function table(): Promise<TableContext> {
  const context = await tables.create(struct({ id: 'long' }), {
    properties: { 'delta.enableDeletionVectors': 'true' },
  });
  for (let at = 0; at < 3; at += 1) await append(context, [{ id: at }, { id: 100 + at }]);
  return context;
}

function at(context: TableContext, path: string): string {
  return join(tables.directory, context.io.root, path);
}

async function kindsOf(context: TableContext, options: { deep?: boolean } = {}): Promise<string[]> {
  return (await fsck(context, options)).findings.map(({ kind }) => kind).toSorted();
}

describe('fsck', () => {
  it('finds nothing in a sound table', async () => {
    const context = await table();
    const state = await context.refresh();
    await writeCheckpoint(context.io, state, context.now());
    await writeChecksum(context.io, state);
    const phases = new Set<string>();
    const result = await fsck(context, {
      deep: true,
      dryRun: false,
      onProgress: ({ phase }) => phases.add(phase),
    });
    assert.deepEqual([result.findings, result.filesChecked, result.repaired], [[], 3, undefined]);
    assert.deepEqual([...phases], ['files', 'footers']);
    await assert.rejects(fsck(context, { signal: AbortSignal.abort() }), { code: 'aborted' });
  });

  it('finds missing files, and takes them out when it is told to', async () => {
    const context = await table();
    const [first, second] = await filesOf(context);
    assert.ok(first && second);
    rmSync(at(context, first.path));
    writeFileSync(at(context, second.path), 'cut');
    const before = (await context.refresh()).version;
    const dry = await fsck(context);
    assert.deepEqual(
      dry.findings.map((finding) => ('path' in finding ? [finding.kind, finding.path] : finding)),
      [
        ['missing-file', `${context.io.root}/${first.path}`],
        ['wrong-size', `${context.io.root}/${second.path}`],
      ],
    );
    assert.equal((await context.refresh()).version, before);
    const result = await fsck(context, { dryRun: false });
    assert.deepEqual(result.repaired, { version: before + 1, files: 1 });
    const actions = await actionsOf(context, before + 1);
    assert.deepEqual([actions[0]?.commitInfo?.operation, actions[1]?.remove?.dataChange], ['FSCK', false]);
    assert.deepEqual(await kindsOf(context), ['wrong-size']);
  });

  it('reads footers when it is deep', async () => {
    const context = await table();
    const [first, second] = await filesOf(context);
    assert.ok(first && second);
    const bytes = readFileSync(at(context, first.path));
    bytes.fill(0, bytes.length - 30);
    writeFileSync(at(context, first.path), bytes);
    await context.commit({
      state: await context.refresh(),
      reads: { kind: 'nothing' },
      operation: 'X',
      actions: [{ add: { ...second, stats: '{"numRecords":7}', dataChange: false } }],
    });
    assert.deepEqual(await kindsOf(context), []);
    assert.deepEqual(await kindsOf(context, { deep: true }), ['damaged-file', 'wrong-row-count']);
  });

  it('reads deletion vectors, whatever is cached of them', async () => {
    const context = await table();
    const [file] = await filesOf(context);
    assert.ok(file);
    const set = RowSet.fromPositions([0, ...Array.from({ length: 50 }, (_, n) => 70_000 * (n + 1))]);
    const [deletionVector] = await writeDeletionVectors(context.io, [set], context.uuid);
    await context.commit({
      state: await context.refresh(),
      reads: { kind: 'files', keys: new Set([fileKey(file)]) },
      operation: 'DELETE',
      actions: [
        { remove: removeOf(file, { dataChange: true, nowMs: context.now() }) },
        { add: { ...file, deletionVector: deletionVector ?? null, dataChange: true } },
      ],
    });
    assert.deepEqual(await kindsOf(context), []);
    assert.equal((await fingerprint(context)).rows, 5);
    const name = readdirSync(at(context, '')).find((entry) => entry.startsWith('deletion_vector')) ?? '';
    const bytes = readFileSync(at(context, name));
    bytes[bytes.length - 10] = (bytes[bytes.length - 10] ?? 0) ^ 0xff;
    writeFileSync(at(context, name), bytes);
    assert.deepEqual(await kindsOf(context), ['damaged-vector']);
    rmSync(at(context, name));
    assert.deepEqual(await kindsOf(context), ['damaged-vector']);
  });

  it('holds checkpoints and checksums against the commits', async () => {
    const context = await table();
    const state = await context.refresh();
    await writeCheckpoint(context.io, state, context.now());
    await writeChecksum(context.io, state);
    const log = at(context, '_delta_log');
    const commit = join(log, commitName(2));
    const honest = readFileSync(commit, 'utf8');
    writeFileSync(commit, honest.replace(/part-/, 'part-x-'));
    const [differs] = (await fsck(tables.open(context.io.root))).findings;
    assert.ok(differs?.kind === 'checkpoint-differs');
    assert.equal(differs.differences.length, 2);
    assert.match(differs.differences.join(), /1 files \(part-.*too many.*lacks 1 files \(part-x-/);
    writeFileSync(commit, honest);
    assert.deepEqual(await kindsOf(tables.open(context.io.root)), []);
    const checksum = join(log, commitName(state.version).replace('.json', '.crc'));
    writeFileSync(checksum, readFileSync(checksum, 'utf8').replace('"numFiles":3', '"numFiles":4'));
    const checkpoint = readdirSync(log).find((name) => name.endsWith('.parquet')) ?? '';
    writeFileSync(join(log, checkpoint), 'x');
    assert.deepEqual(await kindsOf(tables.open(context.io.root)), ['checksum-differs', 'damaged-checkpoint']);
  });

  it('finds gaps that a checkpoint hides', async () => {
    const context = await table();
    await writeCheckpoint(context.io, await context.refresh(), context.now());
    rmSync(join(at(context, '_delta_log'), commitName(1)));
    const { findings } = await fsck(tables.open(context.io.root));
    assert.deepEqual(findings, [{ kind: 'log-gap', version: 1 }]);
  });
});
