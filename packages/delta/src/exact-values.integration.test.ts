/** Values and names that SQL, JSON or the engine's client would make others of on their way into a table and back. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from './duckdb/index.ts';
import { isDeltaError } from './errors.ts';
import { type DataType, field, struct, type StructType } from './schema/types.ts';
import { LocalStore } from './store/local-store.ts';
import { DeltaTable } from './table.ts';

const BOM = '\uFEFF';

let directory: string;
let engine: DuckDbEngine;
let tables = 0;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-exact-'));
  engine = await DuckDbEngine.create({ threads: 1 });
});
after(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

async function tableOf(
  schema: StructType,
  rows: Record<string, unknown>[],
  options: { partitionColumns?: string[]; properties?: Record<string, string> } = {},
): Promise<DeltaTable> {
  tables += 1;
  const table = await DeltaTable.create({
    ...options,
    store: new LocalStore(directory),
    engine,
    root: `t${tables}`,
    schema,
  });
  if (rows.length > 0) await table.append({ source: { kind: 'rows', rows } });
  return table;
}

async function valuesOf(table: DeltaTable, column: string, where?: string): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const row of table.rows(where === undefined ? {} : { where })) values.push(row[column]);
  return values;
}

describe('texts', () => {
  it('that begin with a byte order mark keep it, in values, bounds and partitions', async () => {
    const rows = [
      { p: `${BOM}x`, text: `${BOM}${BOM}bom`, list: [BOM], map: new Map([[`${BOM}k`, `${BOM}v`]]) },
    ];
    const schema = struct([
      field('p', 'string'),
      field('text', 'string'),
      field('list', { type: 'array', elementType: 'string', containsNull: true }),
      field('map', { type: 'map', keyType: 'string', valueType: 'string', valueContainsNull: true }),
    ]);
    const table = await tableOf(schema, rows, { partitionColumns: ['p'] });
    assert.deepEqual(await valuesOf(table, 'text', `p = '${BOM}x'`), [`${BOM}${BOM}bom`]);
    assert.deepEqual(await valuesOf(table, 'list'), [[BOM]]);
    assert.deepEqual(await valuesOf(table, 'map'), [new Map([[`${BOM}k`, `${BOM}v`]])]);
    // The greatest text of a file bounds it: without its mark it would be a lesser one.
    assert.deepEqual(await valuesOf(table, 'p', `text >= '${BOM}a'`), [`${BOM}x`]);
  });

  it('with NUL are partition values like others', async () => {
    const rows = ['a\0b', '\0', 'a'].map((p, id) => ({ id, p }));
    const table = await tableOf(struct({ id: 'long', p: 'string' }), rows, { partitionColumns: ['p'] });
    assert.deepEqual((await valuesOf(table, 'p')).toSorted(), ['\0', 'a', 'a\0b']);
    await table.update({ set: { id: 'id + 10' }, where: `p = 'a' || chr(0) || 'b'` });
    await table.optimize({ zOrderBy: ['id'] });
    assert.deepEqual((await valuesOf(table, 'id')).toSorted(), [1n, 10n, 2n]);
  });
});

describe('rows', () => {
  it('of a single column are objects, not the values themselves', async () => {
    const types: [DataType, unknown][] = [
      ['string', 'x'],
      ['boolean', true],
      [{ type: 'map', keyType: 'string', valueType: 'string', valueContainsNull: true }, new Map()],
    ];
    for (const [type, value] of types) {
      const table = await tableOf(struct([field('only', type)]), [{}]);
      await table.append({ source: { kind: 'rows', rows: [{}, { only: value }] } });
      assert.deepEqual(await valuesOf(table, 'only'), [null, null, value], JSON.stringify(type));
      const file = join(directory, `lines-${tables}.ndjson`);
      writeFileSync(file, '5\n');
      await assert.rejects(table.append({ source: { kind: 'ndjson', file } }), { code: 'invalid-data' });
    }
  });

  it('have binary keys of maps, and refuse what is no value', async () => {
    const map: DataType = { type: 'map', keyType: 'binary', valueType: 'integer', valueContainsNull: true };
    const value = new Map([[new Uint8Array([0, 255, 128]), 1]]);
    const table = await tableOf(struct([field('map', map), field('at', 'timestamp')]), [{ map: value }]);
    assert.deepEqual(await valuesOf(table, 'map'), [value]);
    const cyclic: Record<string, unknown> = {};
    cyclic['map'] = cyclic;
    for (const row of [cyclic, { at: new Date(NaN) }, { at: Symbol('x') }, { at: () => 1 }]) {
      await assert.rejects(table.append({ source: { kind: 'rows', rows: [row] } }), { code: 'invalid-data' });
    }
  });
});

describe('columns', () => {
  it('may be called as what SQL of the library names its own, or as what every object has', async () => {
    const inner = struct([
      field('v', struct([field('read_json', 'binary')])),
      field(
        'b',
        { type: 'map', keyType: 'date', valueType: 'binary', valueContainsNull: false },
        { nullable: true },
      ),
    ]);
    const names = [
      'x0',
      'unnamed_subquery',
      'read_json',
      'constructor',
      'toString',
      'v',
      'target',
      'source',
      'f',
    ];
    const schema = struct(names.map((name) => field(name, inner)));
    const bytes = new Uint8Array([97, 0]);
    const cell = { v: { read_json: bytes }, b: new Map([['2020-01-01', bytes]]) };
    const row = Object.fromEntries(names.map((name) => [name, cell]));
    for (const mode of ['none', 'name', 'id']) {
      const table = await tableOf(schema, [row], { properties: { 'delta.columnMapping.mode': mode } });
      await table.update({ set: { constructor: 'target."toString"' }, where: 'target.x0 IS NOT NULL' });
      for (const name of names) {
        assert.deepEqual(await valuesOf(table, name), [cell], `${name}, mapped by ${mode}`);
      }
    }
  });

  it('can’t be called by what no statement can hold', async () => {
    for (const name of ['a\0b', '\uD800']) {
      await assert.rejects(
        tableOf(struct([field(name, 'long')]), [], { properties: { 'delta.columnMapping.mode': 'name' } }),
        { code: 'invalid-schema' },
      );
    }
  });

  it('are not taken for members of a struct that is called as the table is', async () => {
    const schema = struct([field('target', struct({ k: 'long' })), field('k', 'long')]);
    const table = await tableOf(schema, [{ target: { k: 1 }, k: 100 }]);
    await table.append({ source: { kind: 'rows', rows: [{ target: { k: 100 }, k: 1 }] } });
    await table.delete({ where: 'target.k = 1' });
    assert.equal((await valuesOf(table, 'k')).length, 1);
  });
});

describe('conditions', () => {
  it('of alternatives with IS DISTINCT FROM find rows of files that have only NULL there', async () => {
    const schema = struct({ id: 'long', k: 'long' });
    const table = await tableOf(schema, [{ id: 1 }, { id: 2 }]);
    await table.append({ source: { kind: 'rows', rows: [{ id: 3, k: 0 }] } });
    const where = '(k = 9 AND id = 9) OR k IS DISTINCT FROM 0';
    assert.deepEqual((await valuesOf(table, 'id', where)).toSorted(), [1n, 2n]);
    const updated = await table.update({ set: { k: '7' }, where });
    assert.equal(updated.kind === 'committed' && updated.rowsUpdated, 2);
  });
});

describe('widened columns', () => {
  const cases: [from: DataType, to: DataType, stored: unknown, where: string, isThere: boolean][] = [
    ['byte', 'double', 2, 'x = 2.4::DOUBLE', false],
    ['byte', 'double', 2, 'x < 2.5::DOUBLE', true],
    ['integer', 'decimal(12,2)', 3, 'x > 2.5', true],
    ['integer', 'decimal(12,2)', 3, 'x = 2.5', false],
    ['float', 'double', 0.1, 'x = 0.1::DOUBLE', false],
    ['float', 'double', 0, 'x <> 5e-324::DOUBLE', true],
    ['decimal(5,1)', 'decimal(8,3)', '1.2', 'x < 1.249', true],
    ['date', 'timestamp_ntz', '2020-01-01', `x = TIMESTAMP '2020-01-01 00:00:01'`, false],
    ['date', 'timestamp_ntz', '2020-01-01', `x < TIMESTAMP '2020-01-01 00:00:01'`, true],
  ];

  it('compare in the type that they have now, wherever they are', async () => {
    for (const [from, to, stored, where, isThere] of cases) {
      const schema = struct([field('id', 'long'), field('x', from), field('s', struct([field('x', from)]))]);
      const properties = { 'delta.enableTypeWidening': 'true', 'delta.enableDeletionVectors': 'true' };
      const table = await tableOf(schema, [{ id: 1, x: stored, s: { x: stored } }], { properties });
      await table.alter.changeColumn({ column: 'x', type: to });
      await table.alter.changeColumn({ column: ['s', 'x'], type: to });
      const inner = where.replace('x', 's.x');
      for (const condition of [where, inner, `(${where}) AND id = 1`, `id = 1 AND ${inner}`]) {
        assert.equal((await valuesOf(table, 'id', condition)).length, isThere ? 1 : 0, condition);
      }
      const done = await table.delete({ where });
      assert.equal(done.kind, isThere ? 'committed' : 'unchanged', where);
    }
  });
});

it('a commit that no reader would take is never written', async () => {
  const table = await tableOf(struct({ id: 'long' }), [{ id: 1 }]);
  const { version } = await table.snapshot();
  const hostile = { kind: 'rows' as const, rows: [{ id: 2 }] };
  const error: unknown = await table
    .append({ source: hostile, operationParameters: { size: 10n } })
    .catch((cause: unknown) => cause);
  assert.ok(isDeltaError(error, 'invalid-data'));
  assert.equal((await table.snapshot()).version, version);
});
