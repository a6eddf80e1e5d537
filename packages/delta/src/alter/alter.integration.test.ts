/** Tables whose schema, rules and properties change, written and read back through DuckDB. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { withSession } from '../engine.ts';
import { field, struct, type StructType } from '../schema/types.ts';
import { scanFiles } from '../scan/scan-files.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext, type TableContext } from '../table-context.ts';
import { countingNames } from '../testing/table-fixture.ts';
import { appendRows, type AppendOptions } from '../write/append.ts';
import { type CreateOptions, createTable } from '../write/create-table.ts';
import {
  addColumns,
  addConstraint,
  changeColumn,
  dropColumns,
  dropConstraint,
  enableColumnMapping,
  removeDomainMetadata,
  renameColumn,
  setClustering,
  setComment,
  setDomainMetadata,
  setProperties,
  unsetProperties,
} from './index.ts';

let directory: string;
let store: LocalStore;
let engine: DuckDbEngine;
let tables = 0;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-alter-'));
  store = new LocalStore(directory);
  engine = await DuckDbEngine.create({ threads: 1, memoryLimit: '512MB' });
});
after(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

type Rest = Omit<Partial<CreateOptions>, 'schema'>;

async function create(schema: StructType, rest: Rest = {}): Promise<TableContext> {
  tables += 1;
  const options = { store, engine, root: `t${tables}`, schema, ...rest };
  const context = createContext(options);
  await createTable(context, options);
  return context;
}

type Row = Record<string, unknown>;

function append(context: TableContext, rows: Row[], rest: Partial<AppendOptions> = {}): Promise<unknown> {
  return appendRows(context, { source: { kind: 'rows', rows }, ...rest });
}

async function rowsOf(context: TableContext, columns = '*', order = '1'): Promise<unknown[][]> {
  const state = await context.refresh();
  const sql = await scanFiles(context, state, [...state.files.files()]);
  return withSession(engine, (session) => session.rows(`SELECT ${columns} FROM (${sql}) ORDER BY ${order}`));
}

async function partOf<Key extends 'protocol' | 'metadata' | 'schema' | 'domains'>(
  context: TableContext,
  key: Key,
): Promise<Awaited<ReturnType<TableContext['refresh']>>[Key]> {
  return (await context.refresh())[key];
}

const ID_AND_TEXT = struct({ id: 'long', text: 'string' });

describe('constraints', () => {
  it('are checked for the rows there are, and for each that comes, NULL counting as broken', async () => {
    const context = await create(ID_AND_TEXT);
    await append(context, [{ id: 5, text: 'a' }]);
    await assert.rejects(addConstraint(context, { name: 'c', expression: 'id > 5' }), {
      code: 'constraint',
      message: /constraint c \(id > 5\).*"id":5/,
    });
    const added = await addConstraint(context, { name: 'Positive', expression: '`id` > 0 AND text <> "x"' });
    assert.equal(added.kind, 'committed');
    assert.deepEqual(await partOf(context, 'protocol'), { minReaderVersion: 1, minWriterVersion: 3 });
    for (const row of [
      { id: 0, text: 'a' },
      { id: 1, text: 'x' },
      { id: null, text: 'a' },
    ]) {
      await assert.rejects(append(context, [{ id: 7, text: 'ok' }, row]), {
        code: 'constraint',
        message: /CHECK constraint positive.*"text":/,
      });
    }
    await append(context, [{ id: 1, text: 'b' }]);
    assert.deepEqual(await rowsOf(context), [
      [1n, 'b'],
      [5n, 'a'],
    ]);
    await assert.rejects(addConstraint(context, { name: 'positive', expression: 'id > 1' }), {
      code: 'invalid-property',
    });
    await dropConstraint(context, { name: 'POSITIVE' });
    await append(context, [{ id: 0, text: 'x' }]);
    await assert.rejects(dropConstraint(context, { name: 'positive' }), { code: 'invalid-property' });
  });

  it('that an append breaks while one is being added make the addition fail', async () => {
    const context = await create(ID_AND_TEXT);
    await append(context, [{ id: 1, text: 'a' }]);
    let raced = false;
    const racing: TableContext = {
      ...context,
      commit: async (transaction) => {
        if (!raced) {
          raced = true;
          await append(context, [{ id: -1, text: 'late' }]);
        }
        return context.commit(transaction);
      },
    };
    await assert.rejects(addConstraint(racing, { name: 'c', expression: 'id > 0' }), { code: 'constraint' });
    assert.equal((await rowsOf(context)).length, 2);
  });

  it('that can not be understood forbid writing', async () => {
    const context = await create(ID_AND_TEXT);
    const state = await context.refresh();
    const configuration = { 'delta.constraints.c': 'my_udf(id) > 0' };
    await context.commit({
      state,
      reads: { kind: 'nothing' },
      operation: 'TEST',
      actions: [{ metaData: { ...state.metadata, configuration } }],
    });
    await assert.rejects(append(context, [{ id: 1, text: 'a' }]), {
      code: 'unsupported-feature',
      message: /my_udf/,
    });
  });

  it('of columns: invariants, lengths, NOT NULL at depth', async () => {
    const invariant = JSON.stringify({ expression: { expression: 'n > 3' } });
    const context = await create(
      struct([
        field('n', 'integer', { metadata: { 'delta.invariants': invariant } }),
        field('v', 'string', { metadata: { __CHAR_VARCHAR_TYPE_STRING: 'varchar(3)' } }),
        field('c', 'string', { metadata: { __CHAR_VARCHAR_TYPE_STRING: 'char(4)' } }),
        field('s', {
          type: 'array',
          elementType: struct([field('x', 'long', { nullable: false })]),
          containsNull: true,
        }),
      ]),
    );
    await append(context, [{ n: 4, v: 'äöü', c: 'ab', s: [{ x: 1 }] }]);
    assert.deepEqual(await rowsOf(context, 'n, v, c'), [[4, 'äöü', 'ab  ']]);
    await assert.rejects(append(context, [{ n: 3 }]), { code: 'constraint', message: /n > 3/ });
    await assert.rejects(append(context, [{ n: 4, v: 'abcd' }]), {
      code: 'constraint',
      message: /varchar\(3\)/,
    });
    await assert.rejects(append(context, [{ n: 4, c: 'abcde' }]), {
      code: 'constraint',
      message: /char\(4\)/,
    });
    await assert.rejects(append(context, [{ n: 4, s: [{ x: null }] }]), { code: 'not-null' });
  });
});

describe('a partition of empty text', () => {
  it('is judged as the NULL that it becomes', async () => {
    const schema = struct([field('id', 'long'), field('p', 'string', { nullable: false })]);
    const context = await create(schema, { partitionColumns: ['p'] });
    await assert.rejects(append(context, [{ id: 1, p: '' }]), { code: 'not-null' });
    const nullable = await create(struct({ id: 'long', p: 'string' }), { partitionColumns: ['p'] });
    await append(nullable, [{ id: 1, p: 'x' }]);
    await addConstraint(nullable, { name: 'c', expression: "p <> 'y'" });
    await assert.rejects(append(nullable, [{ id: 1, p: '' }]), { code: 'constraint' });
  });
});

describe('columns with values of their own', () => {
  it('are generated where absent, and verified where given', async () => {
    const context = await create(
      struct([
        field('at', 'timestamp'),
        field('day', 'date', { metadata: { 'delta.generationExpression': 'CAST(at AS DATE)' } }),
      ]),
      { partitionColumns: ['day'] },
    );
    assert.deepEqual(await partOf(context, 'protocol'), { minReaderVersion: 1, minWriterVersion: 4 });
    await append(context, [
      { at: '2024-05-06T23:30:00Z' },
      { at: '2024-05-07T00:30:00Z', day: '2024-05-07' },
    ]);
    assert.deepEqual(await rowsOf(context, 'CAST(day AS VARCHAR)'), [['2024-05-06'], ['2024-05-07']]);
    await assert.rejects(append(context, [{ at: '2024-05-07T00:30:00Z', day: '2024-05-08' }]), {
      code: 'constraint',
      message: /generated column "day"/,
    });
  });

  it('are numbered by the table, without gaps between concurrent writers taking the same', async () => {
    const identity = { 'delta.identity.start': 10, 'delta.identity.step': -5 };
    const context = await create(
      struct([
        field('id', 'long', { metadata: { ...identity, 'delta.identity.allowExplicitInsert': false } }),
        field('t', 'string'),
      ]),
    );
    await append(context, [{ t: 'a' }, { t: 'b' }]);
    const others = [1, 2].map(() => createContext({ ...context.io }));
    await Promise.all(others.map((other) => append(other, [{ t: 'c' }, { t: 'd' }])));
    assert.deepEqual((await rowsOf(context, 'id', '1 DESC')).flat(), [10n, 5n, 0n, -5n, -10n, -15n]);
    const schema = await partOf(context, 'schema');
    assert.equal(schema.fields[0]?.metadata['delta.identity.highWaterMark'], -15);
    await assert.rejects(append(context, [{ id: 99, t: 'own' }]), {
      code: 'invalid-data',
      message: /identity column "id".*99/,
    });
  });

  it('take given identity values where that is allowed, and defaults where a source has no column', async () => {
    const context = await create(
      struct([
        field('id', 'long', {
          metadata: {
            'delta.identity.start': 1,
            'delta.identity.step': 1,
            'delta.identity.allowExplicitInsert': true,
          },
        }),
        field('status', 'string', { metadata: { CURRENT_DEFAULT: "'open'" } }),
        field('n', 'integer', { metadata: { CURRENT_DEFAULT: '1 + 1' } }),
      ]),
    );
    assert.deepEqual(
      (await partOf(context, 'protocol')).writerFeatures?.includes('allowColumnDefaults'),
      true,
    );
    await append(context, [{ n: 1 }]);
    await append(context, [{ id: 100, status: null }]);
    await appendRows(context, {
      source: { kind: 'sql', sql: `SELECT 7 AS n` },
      columns: ['n'],
    });
    assert.deepEqual(await rowsOf(context, 'n, id, status'), [
      [1, 1n, 'open'],
      [2, 100n, null],
      [7, 3n, 'open'],
    ]);
  });
});

describe('a changed schema', () => {
  it('has new columns at any depth and place', async () => {
    const context = await create(
      struct({
        id: 'long',
        s: struct({ a: 'long' }),
        l: { type: 'array', elementType: struct({ x: 'long' }), containsNull: true },
      }),
    );
    await append(context, [{ id: 1, s: { a: 1 }, l: [{ x: 1 }] }]);
    await addColumns(context, [
      { field: field('z', 'string'), position: 'first', comment: 'why' },
      { field: field('b', 'long'), parent: ['s'], position: 'first' },
      { field: field('y', 'long'), parent: ['l', 'element'] },
      { field: field('k', 'long'), position: { after: 'ID' } },
    ]);
    const schema = await partOf(context, 'schema');
    assert.deepEqual(
      schema.fields.map(({ name }) => name),
      ['z', 'id', 'k', 's', 'l'],
    );
    assert.equal(schema.fields[0]?.metadata.comment, 'why');
    await append(context, [{ z: 'z', id: 2, k: 3, s: { b: 4, a: 5 }, l: [{ x: 6, y: 7 }] }]);
    assert.deepEqual(await rowsOf(context, 'id, z, k, to_json(s)::VARCHAR, to_json(l)::VARCHAR'), [
      [1n, null, null, '{"b":null,"a":1}', '[{"x":1,"y":null}]'],
      [2n, 'z', 3n, '{"b":4,"a":5}', '[{"x":6,"y":7}]'],
    ]);
    const again = await addColumns(context, [field('k', 'long')]);
    assert.equal(again.kind, 'unchanged');
    await assert.rejects(addColumns(context, [field('K', 'string')]), { code: 'invalid-schema' });
    await assert.rejects(addColumns(context, [{ field: field('q', 'long'), parent: ['nope'] }]), {
      code: 'invalid-schema',
    });
  });

  it('renames and drops columns of a mapped table, whose files stay', async () => {
    const context = await create(struct({ id: 'long', p: 'string', s: struct({ a: 'long', b: 'long' }) }), {
      partitionColumns: ['p'],
      properties: { 'delta.dataSkippingStatsColumns': 'id, s.a' },
    });
    await append(context, [{ id: 1, p: 'x', s: { a: 1, b: 2 } }]);
    await assert.rejects(renameColumn(context, { column: 'id', to: 'key' }), {
      code: 'invalid-property',
      message: /column mapping/,
    });
    await enableColumnMapping(context);
    assert.deepEqual(await partOf(context, 'protocol'), { minReaderVersion: 2, minWriterVersion: 5 });
    await append(context, [{ id: 2, p: 'y', s: { a: 3, b: 4 } }]);
    await renameColumn(context, { column: 'id', to: 'a key, with = signs' });
    await renameColumn(context, { column: 'p', to: 'part' });
    await renameColumn(context, { column: ['s', 'a'], to: 'b2' });
    await dropColumns(context, [['s', 'b']]);
    await addColumns(context, [{ field: field('b', 'string'), parent: ['s'] }, field('id', 'string')]);
    await append(context, [{ 'a key, with = signs': 3, part: 'z', s: { b2: 5, b: 'new' }, id: 'text' }]);
    assert.deepEqual(await rowsOf(context, '"a key, with = signs", part, to_json(s)::VARCHAR, id'), [
      [1n, 'x', '{"b2":1,"b":null}', null],
      [2n, 'y', '{"b2":3,"b":null}', null],
      [3n, 'z', '{"b2":5,"b":"new"}', 'text'],
    ]);
    const { partitionColumns, configuration } = await partOf(context, 'metadata');
    assert.deepEqual(partitionColumns, ['part']);
    assert.equal(configuration['delta.dataSkippingStatsColumns'], '`a key, with = signs`,s.b2');
    const state = await context.refresh();
    for (const file of state.files.files()) {
      assert.deepEqual(Object.keys(file.partitionValues), ['p']);
      const stats = JSON.parse(file.stats ?? '{}') as { minValues?: object };
      assert.deepEqual(Object.keys(stats.minValues ?? {}), ['id', 's']);
    }
    await assert.rejects(dropColumns(context, ['part']), { code: 'invalid-schema', message: /partitions/ });
    await assert.rejects(renameColumn(context, { column: 'part', to: 'ID' }), { code: 'invalid-schema' });
  });

  it('keeps columns that rules read', async () => {
    const context = await create(
      struct([
        field('a', 'long'),
        field('b', 'long'),
        field('g', 'long', { metadata: { 'delta.generationExpression': 'b + 1' } }),
      ]),
      { properties: { 'delta.columnMapping.mode': 'name', 'delta.enableTypeWidening': 'true' } },
    );
    await addConstraint(context, { name: 'c', expression: 'A > 0' });
    for (const column of ['a', 'b']) {
      await assert.rejects(dropColumns(context, [column]), { code: 'invalid-schema', message: /uses it/ });
      await assert.rejects(renameColumn(context, { column, to: 'q' }), { code: 'invalid-schema' });
    }
    await append(context, [{ a: 1, b: 2 }]);
    await dropColumns(context, ['g']);
    await renameColumn(context, { column: 'b', to: 'q' });
    assert.deepEqual(await rowsOf(context, 'a, q'), [[1n, 2n]]);
  });

  it('widens types and drops NOT NULL, while old files stay', async () => {
    const context = await create(
      struct([
        field('id', 'integer', { nullable: false }),
        field('d', 'decimal(5,2)'),
        field('l', { type: 'array', elementType: 'short', containsNull: true }),
      ]),
    );
    await append(context, [{ id: 1, d: '1.25', l: [1] }]);
    await assert.rejects(changeColumn(context, { column: 'id', type: 'long' }), { code: 'invalid-property' });
    await setProperties(context, { 'delta.enableTypeWidening': 'true' });
    assert.ok((await partOf(context, 'protocol')).readerFeatures?.includes('typeWidening'));
    await changeColumn(context, {
      column: 'id',
      type: 'long',
      nullable: true,
      comment: 'wide',
      position: { after: 'd' },
    });
    await changeColumn(context, { column: 'd', type: 'decimal(10,4)' });
    await changeColumn(context, { column: ['l', 'element'], type: 'integer' });
    await assert.rejects(changeColumn(context, { column: 'id', type: 'integer' }), {
      code: 'invalid-schema',
    });
    await append(context, [
      { d: '1234.5678', id: null, l: [70000] },
      { d: '2', id: 5000000000 },
    ]);
    assert.deepEqual(await rowsOf(context, 'd::VARCHAR, id, l::VARCHAR'), [
      ['1.2500', 1n, '[1]'],
      ['1234.5678', null, '[70000]'],
      ['2.0000', 5000000000n, null],
    ]);
    const { fields } = await partOf(context, 'schema');
    assert.deepEqual(
      fields.map((f) => [f.name, f.metadata['delta.typeChanges']]),
      [
        ['d', [{ toType: 'decimal(10,4)', fromType: 'decimal(5,2)' }]],
        ['id', [{ toType: 'long', fromType: 'integer' }]],
        ['l', [{ toType: 'integer', fromType: 'short', fieldPath: 'element' }]],
      ],
    );
  });

  it('grows with the rows of an append', async () => {
    const context = await create(struct({ id: 'integer', s: struct({ a: 'long' }) }), {
      properties: { 'delta.enableTypeWidening': 'true' },
    });
    await append(context, [{ id: 1, s: { a: 1 } }]);
    const source = struct({ ID: 'long', s: struct({ b: 'string' }), n: 'date' });
    await append(context, [{ id: 5000000000, s: { b: 'x' }, n: '2024-01-01' }], { mergeSchema: source });
    assert.deepEqual(await rowsOf(context, 'id, to_json(s)::VARCHAR, n::VARCHAR'), [
      [1n, '{"a":1,"b":null}', null],
      [5000000000n, '{"a":null,"b":"x"}', '2024-01-01'],
    ]);
    assert.equal((await context.refresh()).version, 2);
  });

  it('goes with appends that come between, and is made again after another change', async () => {
    const context = await create(ID_AND_TEXT);
    const other = createContext({ ...context.io });
    let raced = 0;
    const racing: TableContext = {
      ...context,
      commit: async (transaction) => {
        raced += 1;
        if (raced === 1) await append(other, [{ id: 1, text: 'between' }]);
        if (raced === 1) await addColumns(other, [field('theirs', 'long')]);
        return context.commit(transaction);
      },
    };
    const result = await addColumns(racing, [field('ours', 'long')]);
    assert.deepEqual([result.kind, result.version, raced], ['committed', 3, 2]);
    const { fields } = await partOf(context, 'schema');
    assert.deepEqual(
      fields.map(({ name }) => name),
      ['id', 'text', 'theirs', 'ours'],
    );
  });
});

describe('properties', () => {
  it('upgrade the protocol in the same commit, and no further than they must', async () => {
    const context = await create(ID_AND_TEXT, { uuid: countingNames('p') });
    await setProperties(context, { 'DELTA.ENABLECHANGEDATAFEED': 'true', mine: 'x' });
    assert.deepEqual(await partOf(context, 'protocol'), { minReaderVersion: 1, minWriterVersion: 4 });
    await setProperties(context, {
      'delta.enableDeletionVectors': 'true',
      'delta.feature.v2Checkpoint': 'supported',
    });
    const protocol = await partOf(context, 'protocol');
    assert.deepEqual([protocol.minReaderVersion, protocol.minWriterVersion], [3, 7]);
    assert.deepEqual(protocol.readerFeatures, ['deletionVectors', 'v2Checkpoint']);
    assert.ok(protocol.writerFeatures?.includes('changeDataFeed'));
    const { configuration } = await partOf(context, 'metadata');
    assert.deepEqual(configuration, {
      'delta.enableChangeDataFeed': 'true',
      mine: 'x',
      'delta.enableDeletionVectors': 'true',
    });
    assert.equal((await setProperties(context, { mine: 'x' })).kind, 'unchanged');
    await unsetProperties(context, { names: ['mine'] });
    await assert.rejects(unsetProperties(context, { names: ['mine'] }), { code: 'invalid-property' });
    await assert.rejects(setProperties(context, { 'delta.columnMapping.mode': 'id' }), {
      code: 'invalid-property',
    });
    await setComment(context, 'hello');
    assert.equal((await partOf(context, 'metadata')).description, 'hello');
    await setProperties(context, { 'delta.enableInCommitTimestamps': 'true' });
    const after = await context.refresh();
    assert.equal(
      after.metadata.configuration['delta.inCommitTimestampEnablementVersion'],
      String(after.version),
    );
  });

  it('need the names of the change feed to be free', async () => {
    const context = await create(struct({ id: 'long', _Change_Type: 'string' }));
    await assert.rejects(setProperties(context, { 'delta.enableChangeDataFeed': 'true' }), {
      code: 'invalid-schema',
      message: /_Change_Type/,
    });
  });

  it('spread files under random names', async () => {
    const context = await create(ID_AND_TEXT, {
      partitionColumns: ['text'],
      properties: { 'delta.randomizeFilePrefixes': 'true', 'delta.randomPrefixLength': '4' },
    });
    await append(context, [{ id: 1, text: 'a' }]);
    const [file] = [...(await context.refresh()).files.files()];
    assert.match(file?.path ?? '', /^[0-9a-z]{4}\/part-.*\.parquet$/);
    assert.deepEqual(await rowsOf(context), [[1n, 'a']]);
  });
});

describe('domains', () => {
  it('are set and removed, except for those of Delta', async () => {
    const context = await create(ID_AND_TEXT);
    await setDomainMetadata(context, { domain: 'app.x', configuration: '{"a":1}' });
    assert.equal((await partOf(context, 'domains')).get('app.x')?.configuration, '{"a":1}');
    await removeDomainMetadata(context, 'app.x');
    assert.equal((await partOf(context, 'domains')).size, 0);
    await assert.rejects(setDomainMetadata(context, { domain: 'Delta.x', configuration: '' }), {
      code: 'invalid-property',
    });
  });

  it('hold the clustering, by physical names, whose columns get statistics and stay', async () => {
    const context = await create(struct({ a: 'long', s: struct({ b: 'long', c: 'long' }), t: 'string' }), {
      properties: { 'delta.dataSkippingNumIndexedCols': '1', 'delta.columnMapping.mode': 'name' },
      uuid: countingNames('u'),
    });
    await setClustering(context, [['s', 'c'], 't']);
    const state = await context.refresh();
    assert.deepEqual(state.protocol.writerFeatures?.includes('clustering'), true);
    assert.deepEqual(state.protocol.writerFeatures?.includes('domainMetadata'), true);
    await append(context, [{ a: 1, s: { b: 2, c: 3 }, t: 'x' }]);
    const [file] = [...(await context.refresh()).files.files()];
    const { nullCount } = JSON.parse(file?.stats ?? '{}') as { nullCount: Record<string, object> };
    const text = JSON.stringify(nullCount);
    assert.equal(text.match(/col-u/g)?.length, 4, text);
    await assert.rejects(dropColumns(context, [['s', 'c']]), {
      code: 'invalid-schema',
      message: /clustered/,
    });
    await assert.rejects(setClustering(context, ['s']), { code: 'invalid-schema' });
    await setClustering(context, []);
    await dropColumns(context, [['s', 'c']]);
  });
});
