/** Rows of a table as JavaScript's values, exact, in bounded memory, and until they are no longer wanted. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ColumnBatch, type Engine, withSession } from '../engine.ts';
import { isDeltaError } from '../errors.ts';
import { field, struct } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { readBatches, readRows, toSql } from './read.ts';
import type { Row, RowOptions } from './select.ts';
import { HandMadeTable } from './testing/hand-made-table.ts';

const tables: HandMadeTable[] = [];
after(() => Promise.all(tables.map((table) => table.close())));

async function tableOf(
  schema: ReturnType<typeof struct>,
  rows: readonly Record<string, unknown>[],
): Promise<{ table: HandMadeTable; state: TableState }> {
  const writerFeatures = ['timestampNtz'];
  const table = await HandMadeTable.create({
    schema,
    protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: writerFeatures, writerFeatures },
  });
  tables.push(table);
  await table.commit([{ add: await table.write(rows, { schema }) }]);
  return { table, state: await table.context.refresh() };
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** An engine that calls back when a statement is about to give batches, and when it fails to. */
function callingBack(
  engine: Engine,
  on: { readonly onStream: () => void; readonly onFailure: (error: unknown) => void },
): Engine {
  const watched = async function* (batches: AsyncIterable<ColumnBatch>): AsyncGenerator<ColumnBatch> {
    on.onStream();
    try {
      yield* batches;
    } catch (error) {
      on.onFailure(error);
      throw error;
    }
  };
  return {
    writeParquet: (request) => engine.writeParquet(request),
    readParquet: (request) => engine.readParquet(request),
    session: (task) =>
      withSession(engine, (session) =>
        task({
          run: (sql) => session.run(sql),
          rows: (sql) => session.rows(sql),
          estimatedRows: (sql) => session.estimatedRows(sql),
          stream: (sql) => watched(session.stream(sql)),
          positions: (sql) => session.positions(sql),
          writeParquet: (request) => session.writeParquet(request),
          load: (source, schema) => session.load(source, schema),
          interrupt: () => session.interrupt(),
        }),
      ),
  };
}

describe('rows', () => {
  const schema = struct([
    field('tiny', 'byte'),
    field('long', 'long'),
    field('double', 'double'),
    field('decimal', 'decimal(38,18)'),
    field('text', 'string'),
    field('flag', 'boolean'),
    field('bytes', 'binary'),
    field('date', 'date'),
    field('time', 'timestamp'),
    field('local', 'timestamp_ntz'),
    field(
      'nested',
      struct([
        field('amounts', { type: 'array', elementType: 'decimal(10,2)', containsNull: true }),
        field('times', { type: 'map', keyType: 'string', valueType: 'timestamp', valueContainsNull: true }),
        field('blob', 'binary'),
        field('long', 'long'),
      ]),
    ),
    field('plain', {
      type: 'map',
      keyType: 'long',
      valueType: struct({ a: 'integer' }),
      valueContainsNull: true,
    }),
  ]);
  const full: Record<string, unknown> = {
    tiny: -128,
    long: 9_007_199_254_740_993n,
    double: Number.NaN,
    decimal: '12345678901234567890.123456789012345678',
    text: 'é\u0000😀',
    flag: false,
    bytes: Uint8Array.of(0, 255),
    date: '1969-12-31',
    time: new Date('1969-12-31T23:59:59.999Z'),
    local: new Date('2026-05-06T07:08:09.123Z'),
    nested: {
      amounts: ['1.50', null, '-0.05'],
      times: new Map([['x', new Date('2026-01-02T03:04:05.678Z')]]),
      blob: Uint8Array.of(1),
      long: 1n,
    },
    plain: new Map([[5n, { a: 1 }]]),
  };
  const empty = Object.fromEntries(Object.keys(full).map((name) => [name, null]));

  it('have exact values of every type, and can be written again', async () => {
    const { table, state } = await tableOf(schema, [full, empty]);
    const read = await all(readRows(table.context, state));
    assert.deepEqual(read, [full, empty]);
    const again = await tableOf(schema, read);
    assert.deepEqual(await all(readRows(again.table.context, again.state)), [full, empty]);
  });

  it('have timestamps in microseconds on request, nested ones too', async () => {
    const times = struct([
      field('time', 'timestamp'),
      field('local', 'timestamp_ntz'),
      field('list', { type: 'array', elementType: 'timestamp_ntz', containsNull: true }),
    ]);
    const row = {
      time: '1969-12-31T23:59:59.999999Z',
      local: '2026-05-06T07:08:09.123456',
      list: ['1900-01-01T00:00:00.000001'],
    };
    const { table, state } = await tableOf(times, [row]);
    assert.deepEqual(await all(readRows(table.context, state, { timestamps: 'micros' })), [
      { time: -1n, local: 1_778_051_289_123_456n, list: [-2_208_988_799_999_999n] },
    ]);
    // A Date is cut towards the past.
    const [cut] = await all(readRows(table.context, state));
    assert.deepEqual(cut?.time, new Date(-1));
    assert.deepEqual(cut?.list, [new Date(-2_208_988_800_000)]);
  });
});

describe('a reading', () => {
  const schema = struct({ id: 'long', Name: 'string' });
  const parts = 3;
  const rowsInPart = 5_000;
  let table: HandMadeTable;
  let state: TableState;
  const read = (options?: RowOptions): Promise<Row[]> => all(readRows(table.context, state, options));

  before(async () => {
    table = await HandMadeTable.create({ schema });
    tables.push(table);
    for (let part = 0; part < parts; part += 1) {
      const rows = Array.from({ length: rowsInPart }, (_, at) => ({
        id: part * rowsInPart + at,
        Name: `n${at}`,
      }));
      const add = await table.write(rows, { schema });
      const stats = JSON.stringify({
        numRecords: rowsInPart,
        minValues: { id: part * rowsInPart },
        maxValues: { id: (part + 1) * rowsInPart - 1 },
        nullCount: { id: 0 },
      });
      await table.commit([{ add: { ...add, stats } }]);
    }
    state = await table.context.refresh();
  });

  it('gives all rows once, in batches', async () => {
    const ids = new Set<unknown>();
    let batches = 0;
    for await (const { names, columns, rows } of readBatches(table.context, state)) {
      batches += 1;
      assert.deepEqual(names, ['id', 'Name']);
      assert.equal(columns[0]?.length, rows);
      for (const id of columns[0] ?? []) ids.add(id);
    }
    assert.ok(batches > parts);
    assert.equal(ids.size, parts * rowsInPart);
  });

  it('takes columns, a condition over others, and a limit', async () => {
    assert.deepEqual(await read({ columns: ['name'], where: 'id = 7001 -- not 7000' }), [{ Name: 'n2001' }]);
    assert.equal((await read({ where: 'id >= 4990', limit: 20 })).length, 20);
    assert.deepEqual(await read({ limit: 0 }), []);
    assert.deepEqual(await read({ where: 'id < 0' }), []);
  });

  it('does not open files that can hold no row of the condition', async () => {
    const [first] = state.files.files();
    assert.ok(first);
    await table.remove(first.path);
    try {
      assert.equal((await read({ where: 'id >= 5000' })).length, 2 * rowsInPart);
      await assert.rejects(read(), { code: 'not-found' });
    } finally {
      const rows = Array.from({ length: rowsInPart }, (_, at) => ({ id: at, Name: `n${at}` }));
      const { path } = await table.write(rows, { schema });
      const bytes = await table.context.io.store.read(`t/${path}`);
      await table.context.io.store.put(`t/${first.path}`, bytes);
    }
  });

  it('refuses what it can not use, by its name', async () => {
    const cases: [RowOptions, string, RegExp][] = [
      [{ columns: ['nope'] }, 'invalid-data', /no column "nope"; it has: id, Name/],
      [{ columns: ['id', 'ID'] }, 'invalid-data', /"id" is asked for twice/],
      [{ columns: [] }, 'invalid-data', /no column/],
      [{ limit: 1.5 }, 'invalid-data', /1\.5/],
      [{ where: 'nope = 1' }, 'invalid-expression', /nope/],
      [{ where: '1 = 1) UNION SELECT (1' }, 'invalid-expression', /condition/],
      [{ where: 'id IN (SELECT 1)' }, 'invalid-expression', /subquery/],
      [{ where: 'id' }, 'invalid-expression', /BIGINT/],
    ];
    for (const [options, code, message] of cases) {
      await assert.rejects(read(options), { code, message }, JSON.stringify(options));
    }
  });

  it('frees its session when the caller leaves early', async () => {
    for (let round = 0; round < 20; round += 1) {
      for await (const row of readRows(table.context, state)) {
        assert.equal(typeof row.id, 'bigint');
        break;
      }
    }
    assert.equal((await read()).length, parts * rowsInPart);
  });

  it('ends with aborted when its signal does, before, between and within batches', async () => {
    const isAborted = (error: unknown): boolean => isDeltaError(error, 'aborted');
    await assert.rejects(read({ signal: AbortSignal.abort() }), isAborted);
    const between = new AbortController();
    const reading = readRows(table.context, state, { signal: between.signal });
    await reading.next();
    between.abort();
    await assert.rejects(async () => {
      for (;;) if ((await reading.next()).done === true) return;
    }, isAborted);
    // Matches no row, and takes a second for some thousands.
    const slow = "levenshtein(repeat(Name, 100), repeat('b', 500)) < 0";
    const within = new AbortController();
    const failures: unknown[] = [];
    const engine = callingBack(table.context.io.engine, {
      onStream: () => within.abort(),
      onFailure: (error) => failures.push(error),
    });
    const context = { io: { ...table.context.io, engine } };
    await assert.rejects(all(readRows(context, state, { where: slow, signal: within.signal })), isAborted);
    assert.match(String(failures[0]), /interrupt/i);
  });

  it('can be done by any connection with its SQL', async () => {
    const sql = await toSql(table.context, state, { columns: ['id'], where: 'id < 3' });
    const { engine } = table.context.io;
    assert.ok(engine.session);
    const rows = await engine.session((session) => session.rows(`SELECT * FROM (${sql}) ORDER BY 1`));
    assert.deepEqual(rows, [[0n], [1n], [2n]]);
  });
});
