/** Table features about columns, one by one: what each engine makes of a table that has them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { field, struct, type StructType } from '../../src/index.ts';
import {
  assertAgreed,
  assertAgreedAt,
  deltaRs,
  engines,
  newPath,
  sluice,
  spark,
  withoutAll,
} from './stage.ts';
import type { NewTable, Row, TableEngine } from './table-engine.ts';

const schema = struct([field('id', 'long'), field('part', 'string'), field('value', 'integer')]);

/** The library and Spark, where delta-rs refuses the table. */
const two: readonly TableEngine[] = [sluice, spark];

const MAPPED = [
  { creator: sluice, mode: 'name' },
  { creator: sluice, mode: 'id' },
  { creator: spark, mode: 'id' },
  { creator: deltaRs, mode: 'name' },
] as const;

describe('features of columns', { skip: withoutAll }, () => {
  for (const { creator, mode } of MAPPED) {
    it(`column mapping by ${mode}, created by ${creator.name}`, async () => {
      const path = newPath('mapping');
      await creator.create(path, table(schema, ['part'], { 'delta.columnMapping.mode': mode }));
      const rows: Row[] = [];
      for (const [at, writer] of engines.entries()) {
        const row = { id: String(at), part: `p ${at}`, value: at };
        await writer.append(path, { schema, rows: [row] });
        rows.push(row);
      }
      await (await sluice.open(path)).alter.renameColumn({ column: 'value', to: 'its worth' });
      await spark.sql(path, 'ALTER TABLE {t} RENAME COLUMN part TO place');
      await (
        await sluice.open(path)
      ).alter.addColumns([{ field: field('more', struct({ a: 'long', b: 'string' })) }]);
      const renamed = rows.map(({ id = null, part = null, value = null }) => ({
        id,
        place: part,
        'its worth': value,
        more: null,
      }));
      await assertAgreed(path, { rows: renamed });
      await (await sluice.open(path)).alter.dropColumns([['more', 'a']]);
      await spark.sql(path, 'ALTER TABLE {t} DROP COLUMN `its worth`');
      await (await sluice.open(path)).alter.addColumns([{ field: field('value', 'string') }]);
      const now = struct([
        field('id', 'long'),
        field('place', 'string'),
        field('more', struct({ b: 'string' })),
        field('value', 'string'),
      ]);
      const all: Row[] = rows.map(({ id = null, part = null }) => ({
        id,
        place: part,
        more: null,
        value: null,
      }));
      for (const [at, writer] of engines.entries()) {
        const row = { id: String(10 + at), place: null, more: { b: 'x' }, value: 'a name used before' };
        await writer.append(path, { schema: now, rows: [row] });
        all.push(row);
      }
      await assertAgreed(path, { rows: all });
      for (const [at, writer] of engines.entries()) await writer.delete(path, `id = ${at}`);
      await assertAgreed(path, { rows: all.slice(engines.length) });
    });
  }

  it('wider types', async () => {
    const path = newPath('widening');
    const narrow = struct([
      field('id', 'long'),
      field('value', 'integer'),
      field('ratio', 'float'),
      field('price', 'decimal(5,2)'),
      field('day', 'date'),
    ]);
    await sluice.create(path, table(narrow, [], { 'delta.enableTypeWidening': 'true' }));
    const first = { id: '1', value: 2_147_483_647, ratio: 0.5, price: '999.99', day: '1969-12-31' };
    await sluice.append(path, { schema: narrow, rows: [first] });
    await spark.append(path, { schema: narrow, rows: [{ ...first, id: '2' }] });
    const { alter } = await sluice.open(path);
    await alter.changeColumn({ column: 'value', type: 'long' });
    await spark.sql(path, 'ALTER TABLE {t} ALTER COLUMN ratio TYPE DOUBLE');
    await spark.sql(path, 'ALTER TABLE {t} ALTER COLUMN price TYPE DECIMAL(12, 4)');
    await (await sluice.open(path)).alter.changeColumn({ column: 'day', type: 'timestamp_ntz' });
    const wide = struct([
      field('id', 'long'),
      field('value', 'long'),
      field('ratio', 'double'),
      field('price', 'decimal(12,4)'),
      field('day', 'timestamp_ntz'),
    ]);
    const widened = { value: '2147483647', ratio: 0.5, price: '999.9900', day: '-86400000000' };
    const rows: Row[] = ['1', '2'].map((id) => ({ id, ...widened }));
    for (const [at, writer] of two.entries()) {
      const row = {
        id: String(3 + at),
        value: '9223372036854775807',
        ratio: 0.1,
        price: '12345678.1234',
        day: '1',
      };
      await writer.append(path, { schema: wide, rows: [row] });
      rows.push(row);
    }
    await assertAgreed(path, { readers: two, rows });
    for (const engine of two) await engine.update(path, { set: { value: 'value - 1' }, where: 'id <= 2' });
    const updated = rows.map((row) => (Number(row['id']) <= 2 ? { ...row, value: '2147483645' } : row));
    for (const engine of two) await engine.optimize(path);
    await assertAgreed(path, { readers: two, rows: updated });
    await assert.rejects(deltaRs.read(path), /TypeWidening/);
  });

  it('constraints hold for every writer', async () => {
    const path = newPath('constraints');
    await sluice.create(path, { schema });
    const rows = [{ id: '1', part: 'a', value: 1 }];
    for (const writer of engines) await writer.append(path, { schema, rows });
    await (
      await sluice.open(path)
    ).alter.addConstraint({ name: 'small', expression: "value < 100 AND part != ''" });
    await spark.sql(path, 'ALTER TABLE {t} ADD CONSTRAINT positive CHECK (id > 0)');
    await deltaRs.process.call('alter', {
      path,
      method: 'add_constraint',
      arguments: [{ low: 'value > -5' }],
    });
    const bad: Row[] = [
      { id: '1', part: 'a', value: 100 },
      { id: '-1', part: 'a', value: 1 },
      { id: '1', part: 'a', value: -5 },
    ];
    for (const writer of engines) {
      for (const row of bad)
        await assert.rejects(writer.append(path, { schema, rows: [row] }), /constraint|validation/i);
      await writer.append(path, { schema, rows });
    }
    await assertAgreed(path, { rows: [...rows, ...rows, ...rows, ...rows, ...rows, ...rows] });
    await (await sluice.open(path)).alter.dropConstraint({ name: 'positive' });
    await spark.sql(path, 'ALTER TABLE {t} DROP CONSTRAINT low');
    for (const writer of engines)
      await writer.append(path, { schema, rows: [{ id: '-7', part: 'a', value: -7 }] });
    await assertAgreed(path);
  });

  it('NOT NULL holds for every writer', async () => {
    const path = newPath('not-null');
    const strict = struct([
      field('id', 'long', { nullable: false }),
      field('part', 'string'),
      field('value', 'integer'),
    ]);
    await sluice.create(path, { schema: strict });
    for (const writer of engines) {
      await assert.rejects(
        writer.append(path, { schema, rows: [{ id: null, part: 'a', value: 1 }] }),
        writer.name,
      );
      await writer.append(path, { schema: strict, rows: [{ id: '1', part: 'a', value: 1 }] });
    }
    await assertAgreed(path);
  });

  it('generated columns', async () => {
    const path = newPath('generated');
    const day = { 'delta.generationExpression': 'CAST(at AS DATE)' };
    const length = { 'delta.generationExpression': 'id * 2 + 1' };
    await sluice.create(
      path,
      table(
        struct([
          field('id', 'long'),
          field('at', 'timestamp'),
          field('day', 'date', { metadata: day }),
          field('odd', 'long', { metadata: length }),
        ]),
        ['day'],
      ),
    );
    const given = struct([field('id', 'long'), field('at', 'timestamp')]);
    const rows: Row[] = [];
    for (const [at, writer] of engines.entries()) {
      const row = { id: String(at), at: '-1' };
      if (writer === sluice) {
        const source = {
          kind: 'rows',
          rows: [{ id: BigInt(at), at: '1969-12-31T23:59:59.999999Z' }],
        } as const;
        await (await sluice.open(path)).append({ source, columns: ['id', 'at'] });
      } else await writer.append(path, { schema: given, rows: [row] });
      rows.push({ ...row, day: '1969-12-31', odd: String(at * 2 + 1) });
    }
    await assertAgreed(path, { rows });
    const wrong = struct([...given.fields, field('day', 'date'), field('odd', 'long')]);
    for (const writer of engines) {
      const row = { id: '7', at: '0', day: '2000-01-01', odd: '15' };
      await assert.rejects(writer.append(path, { schema: wrong, rows: [row] }), writer.name);
    }
    await spark.update(path, { set: { at: "timestamp'2024-02-29 00:00:00'" }, where: 'id = 0' });
    await sluice.update(path, {
      set: { at: "TIMESTAMPTZ '2024-02-29 00:00:00+00'", id: '50' },
      where: 'id = 1',
    });
    const moved = { at: '1709164800000000', day: '2024-02-29' };
    const updated = [{ ...rows[0], ...moved }, { ...rows[1], ...moved, id: '50', odd: '101' }, rows[2] ?? {}];
    await assertAgreed(path, { rows: updated });
  });

  it('identity columns', async () => {
    const path = newPath('identity');
    await spark.sql(
      path,
      'CREATE TABLE {t} (k BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 5), name STRING) USING delta',
    );
    const names: string[] = [];
    for (const round of [1, 2]) {
      await spark.sql(path, `INSERT INTO {t} (name) VALUES ('spark ${round}'), ('more ${round}')`);
      const source = { kind: 'rows', rows: [{ name: `sluice ${round}` }] } as const;
      await (await sluice.open(path)).append({ source, columns: ['name'] });
      names.push(`spark ${round}`, `more ${round}`, `sluice ${round}`);
    }
    await assertAgreed(path);
    const rows = await sluice.read(path);
    assert.deepEqual(rows.map(({ name }) => name).toSorted(), names.toSorted());
    const keys = rows.map(({ k }) => Number(k)).toSorted((a, b) => a - b);
    assert.equal(new Set(keys).size, names.length, 'keys are unique');
    assert.ok(
      keys.every((key) => key >= 10 && key % 5 === 0),
      `keys ${keys.join(', ')}`,
    );
    const own = struct([field('name', 'string')]);
    await assert.rejects(deltaRs.append(path, { schema: own, rows: [{ name: 'x' }] }), /IdentityColumns/);
  });

  it('defaults', async () => {
    const path = newPath('defaults');
    await spark.sql(
      path,
      "CREATE TABLE {t} (id BIGINT, name STRING DEFAULT 'none', n INT DEFAULT 41 + 1) USING delta" +
        " TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')",
      'INSERT INTO {t} (id) VALUES (1)',
    );
    const source = { kind: 'rows', rows: [{ id: 2n }] } as const;
    await (await sluice.open(path)).append({ source, columns: ['id'] });
    await (await sluice.open(path)).alter.changeColumn({ column: 'name', default: "'changed'" });
    await (await sluice.open(path)).append({ source, columns: ['id'] });
    await spark.sql(path, 'INSERT INTO {t} (id, n) VALUES (3, NULL)');
    const rows = [
      { id: '1', name: 'none', n: 42 },
      { id: '2', name: 'none', n: 42 },
      { id: '2', name: 'changed', n: 42 },
      { id: '3', name: 'changed', n: null },
    ];
    await assertAgreed(path, { rows });
    const own = struct([field('id', 'long')]);
    await assert.rejects(deltaRs.append(path, { schema: own, rows: [{ id: '4' }] }), /AllowColumnDefaults/);
  });

  it('columns added by each writer', async () => {
    const path = newPath('evolution');
    await sluice.create(path, { schema });
    const rows: Row[] = [];
    let now = schema;
    for (const [at, writer] of engines.entries()) {
      now = struct([...now.fields, field(`by ${writer.name}`.replaceAll(/[ -]/g, '_'), 'double')]);
      const row = Object.fromEntries(
        now.fields.map(({ name, type }) => [name, type === 'double' ? at + 0.5 : null]),
      );
      await writer.append(path, { schema: now, rows: [row], mergeSchema: true });
      rows.push(row);
    }
    const all = rows.map((row) =>
      Object.fromEntries(now.fields.map(({ name }) => [name, row[name] ?? null])),
    );
    const version = await assertAgreed(path, { rows: all });
    await assertAgreedAt(path, { version: version - 2, rows: [rows[0] ?? {}] });
  });

  it('variants of Spark', async () => {
    const path = newPath('variant');
    const texts = ['{"a":[1,2.5,null,true,"x"],"b":{"c":"2024-01-01"}}', '7', '"text"', 'null', '[]'];
    await spark.sql(
      path,
      'CREATE TABLE {t} (id BIGINT, v VARIANT) USING delta',
      ...texts.map((text, at) => `INSERT INTO {t} SELECT ${at}, parse_json('${text}')`),
      'INSERT INTO {t} SELECT 99, NULL',
    );
    const expected = await spark.read(path);
    const found = await sluice.read(path);
    const byId = (rows: readonly Row[]): Row[] => rows.toSorted((a, b) => Number(a['id']) - Number(b['id']));
    const parsed = byId(expected).map(({ id, v }) => ({
      id,
      v: v === null ? null : JSON.parse(v as string),
    }));
    assert.deepEqual(byId(found), parsed);
    assert.equal(
      (await deltaRs.read(path)).length,
      expected.length,
      'rows of delta-rs, which decodes no variants',
    );
    const own = struct([field('id', 'long')]);
    await assert.rejects(sluice.append(path, { schema: own, rows: [{ id: '1' }] }), /variantType/);
  });

  it('days in the legacy calendar of Spark', async () => {
    for (const type of ['TIMESTAMP_MICROS', 'INT96']) {
      const path = newPath(`legacy-${type}`);
      const days = ['0001-01-01', '1000-02-28', '1500-03-01', '1582-10-04', '1582-10-15', '1890-01-01'];
      await spark.sql(
        path,
        `SET spark.sql.parquet.outputTimestampType = ${type}`,
        'SET spark.sql.parquet.datetimeRebaseModeInWrite = LEGACY',
        'SET spark.sql.parquet.int96RebaseModeInWrite = LEGACY',
        'CREATE TABLE {t} (id BIGINT, d DATE, t TIMESTAMP) USING delta',
        ...days.map(
          (day, id) => `INSERT INTO {t} VALUES (${id}, DATE '${day}', TIMESTAMP '${day} 01:02:03.456789')`,
        ),
        'SET spark.sql.parquet.datetimeRebaseModeInWrite = CORRECTED',
        'SET spark.sql.parquet.int96RebaseModeInWrite = CORRECTED',
        'SET spark.sql.parquet.outputTimestampType = TIMESTAMP_MICROS',
      );
      const byId = (rows: readonly Row[]): Row[] =>
        rows.toSorted((a, b) => Number(a['id']) - Number(b['id']));
      const found = byId(await sluice.read(path));
      assert.deepEqual(
        found.map(({ d }) => d),
        days,
      );
      assert.deepEqual(found, byId(await spark.read(path)));
    }
  });

  it('variants that Spark has shredded', async () => {
    const path = newPath('shredded');
    const values = [
      `parse_json('{"a":' || id || ',"b":"x' || id || '","c":{"d":' || id || '.25}}')`,
      `parse_json(CASE WHEN id % 3 = 0 THEN '{"a":"text","e":[1,null,{"f":true}]}' WHEN id % 3 = 1 THEN '7' ELSE '{"a":' || id || '}' END)`,
      'NULL',
    ];
    await spark.sql(
      path,
      'SET spark.sql.variant.writeShredding.enabled = true',
      'SET spark.sql.variant.inferShreddingSchema = true',
      `CREATE TABLE {t} (id BIGINT, v VARIANT) USING delta TBLPROPERTIES ('delta.enableVariantShredding' = 'true')`,
      ...values.map(
        (value, at) => `INSERT INTO {t} SELECT id, ${value} FROM range(${at * 20}, ${at * 20 + 20}, 1, 1)`,
      ),
    );
    const byId = (rows: readonly Row[]): Row[] => rows.toSorted((a, b) => Number(a['id']) - Number(b['id']));
    const expected = byId(await spark.read(path)).map(({ id, v }) => ({
      id,
      v: v === null ? null : JSON.parse(v as string),
    }));
    assert.equal(expected.length, 60);
    // Shredded whole numbers come as 64 bits.
    const plain = JSON.stringify(byId(await sluice.read(path)), (_key, value: unknown) =>
      typeof value === 'bigint' ? Number(value) : value,
    );
    assert.deepEqual(JSON.parse(plain), expected);
  });
});

function table(
  schema: StructType,
  partitionColumns: readonly string[],
  properties: Readonly<Record<string, string>> = {},
): NewTable {
  return { schema, partitionColumns, properties };
}
