import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { schemaToJson } from '../schema/json.ts';
import { field, struct } from '../schema/types.ts';
import type { TableContext } from '../table-context.ts';
import { diff } from './diff.ts';
import { actionsOf, append, filesOf, fingerprint, localTables, query } from './local-table.fixture.ts';
import { optimize } from './optimize/optimize.ts';
import { restore } from './restore.ts';

const tables = await localTables('restore');

async function table(): Promise<TableContext> {
  const context = await tables.create(struct({ id: 'long' }));
  for (let at = 1; at <= 3; at += 1) await append(context, [{ id: at }]);
  return context;
}

async function reshape(
  context: TableContext,
  change: { schema?: boolean; configuration: Record<string, string> },
): Promise<void> {
  const state = await context.refresh();
  const schema = struct([...state.schema.fields, field('more', 'string')]);
  const metaData = {
    ...state.metadata,
    ...(change.schema === true ? { schemaString: schemaToJson(schema) } : {}),
    configuration: change.configuration,
  };
  await context.commit({ state, reads: { kind: 'nothing' }, operation: 'X', actions: [{ metaData }] });
}

describe('restore', () => {
  it('brings back rows, schema and properties in one commit', async () => {
    const context = await table();
    const old = await fingerprint(context, 2);
    await optimize(context);
    await reshape(context, { schema: true, configuration: { 'my.note': 'x' } });
    const result = await restore(context, { version: 2 });
    assert.deepEqual([result.kind, result.filesRestored, result.filesRemoved], ['restored', 2, 1]);
    assert.deepEqual(await fingerprint(context), old);
    const state = await context.refresh();
    assert.equal(state.version, result.version);
    assert.deepEqual([state.schema.fields.length, state.metadata.configuration], [1, {}]);
    const actions = await actionsOf(context, result.version);
    assert.ok(actions.every(({ add, remove }) => (add ?? remove)?.dataChange !== false));
    const info = actions[0]?.commitInfo;
    assert.equal(info?.operation, 'RESTORE');
    assert.equal(info?.operationMetrics?.numOfFilesAfterRestore, '2');
    assert.equal(info?.operationParameters?.version, '2');
    assert.equal((await restore(context, { version: 2 })).kind, 'unchanged');
    assert.equal((await fingerprint(context, 3)).rows, 3, 'the versions between stay');
  });

  it('finds the version of a time', async () => {
    const context = await table();
    const { timestampMs } = await context.stateAt(1);
    const result = await restore(context, { timestampMs });
    assert.equal(result.restoredVersion, 1);
    assert.deepEqual(await query(context, (t) => `SELECT id FROM ${t}`), [[1n]]);
  });

  it('names the files that are gone, and changes nothing then', async () => {
    const context = await table();
    const [file] = await filesOf(context);
    assert.ok(file);
    await optimize(context);
    rmSync(join(tables.directory, context.io.root, file.path));
    const { version } = await context.refresh();
    await assert.rejects(restore(context, { version: 2 }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'not-found');
      assert.match(error.message, /1 of its files are gone/);
      assert.ok(error.message.includes(file.path));
      return true;
    });
    assert.equal((await context.refresh()).version, version);
    await assert.rejects(restore(context, { version: 99 }), { code: 'version-not-found' });
  });

  it('never takes a feature away, nor in-commit timestamps, nor marks of identity columns', async () => {
    const identity = (mark: number) =>
      struct([
        field('id', 'long', {
          metadata: {
            'delta.identity.start': 1,
            'delta.identity.step': 1,
            'delta.identity.highWaterMark': mark,
            'delta.identity.allowExplicitInsert': true,
          },
        }),
      ]);
    const context = await tables.create(identity(1), { features: [] });
    await append(context, [{ id: 1 }]);
    const state = await context.refresh();
    const metaData = {
      ...state.metadata,
      schemaString: schemaToJson(identity(500)),
      configuration: {
        'delta.enableInCommitTimestamps': 'true',
        'delta.inCommitTimestampEnablementVersion': String(state.version + 1),
        'delta.inCommitTimestampEnablementTimestamp': '1',
      },
    };
    const protocol = {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['deletionVectors'],
      writerFeatures: ['deletionVectors', 'inCommitTimestamp', 'identityColumns', 'appendOnly', 'invariants'],
    };
    await context.commit({
      state,
      reads: { kind: 'nothing' },
      operation: 'X',
      actions: [{ protocol }, { metaData }],
    });
    await restore(context, { version: state.version });
    const after = await context.refresh();
    assert.ok(protocol.writerFeatures.every((name) => after.protocol.writerFeatures?.includes(name)));
    assert.equal(after.metadata.configuration['delta.enableInCommitTimestamps'], 'true');
    assert.equal(after.schema.fields[0]?.metadata['delta.identity.highWaterMark'], 500);
  });

  it('is refused where rows may not go', async () => {
    const context = await table();
    await reshape(context, { configuration: { 'delta.appendOnly': 'true' } });
    await assert.rejects(restore(context, { version: 2 }), { code: 'constraint' });
  });
});

describe('diff', () => {
  it('tells files, rows, columns and properties', async () => {
    const context = await table();
    await optimize(context);
    await reshape(context, { schema: true, configuration: { a: 'b' } });
    await append(context, [{ id: 4 }, { id: 5 }]);
    const found = await diff(context, { from: 2 });
    assert.deepEqual(
      [found.from, found.to, found.filesAdded.length, found.filesRemoved.length, found.rows],
      [2, 6, 2, 2, 3],
    );
    assert.deepEqual(found.columns, [{ kind: 'added', path: 'more', type: 'string' }]);
    assert.deepEqual(found.properties, [{ name: 'a', before: undefined, after: 'b' }]);
    const back = await diff(context, { from: 6, to: 2 });
    assert.deepEqual([back.rows, back.filesAdded.length, back.columns[0]?.kind], [-3, 2, 'dropped']);
  });
});
