/** Deletes, updates, merges and rearrangements, by each engine in turn on one table. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { describe, it } from 'node:test';
import { field, struct } from '../../src/index.ts';
import { assertAgreed, assertAgreedAt, engines, newPath, sluice, withoutAll } from './stage.ts';
import type { Row, TableEngine } from './table-engine.ts';

const schema = struct([
  field('id', 'long'),
  field('part', 'string'),
  field('value', 'integer'),
  field('note', 'string'),
]);

const FORMS = [
  { name: 'rewritten files, partitioned', properties: {}, partitionColumns: ['part'] },
  {
    name: 'deletion vectors',
    properties: { 'delta.enableDeletionVectors': 'true' },
    partitionColumns: [],
  },
] as const;

describe('row operations', { skip: withoutAll }, () => {
  for (const { name, properties, partitionColumns } of FORMS) {
    it(`with ${name}`, async () => {
      const path = newPath('operations');
      await sluice.create(path, { schema, properties, partitionColumns });
      const table = new ExpectedTable(path);
      await table.append(sluice, 60);
      for (const [at, engine] of engines.entries()) {
        await table.delete(engine, at);
        await table.update(engine, at + 3);
        await table.merge(engine, at + 6);
        await table.append(engine, 10);
        await assertAgreed(path, { rows: table.rows });
      }
      for (const engine of engines) {
        await table.same(() => engine.optimize(path));
        await table.delete(engine, 9);
        await table.append(engine, 5);
      }
      for (const engine of engines) await table.same(() => engine.optimize(path, { zOrderBy: ['value'] }));
      await assertAgreed(path, { rows: table.rows });
      await table.assertHistory();
      for (const engine of engines) {
        await table.append(engine, 20);
        await table.delete(engine, 0);
        await engine.vacuum(path);
        await assertAgreed(path, { rows: table.rows });
      }
      await assertNothingLeft(path);
    });
  }
});

/** The rows that a table must have after the same operations, and those that it had at each version. */
class ExpectedTable {
  rows: Row[] = [];
  readonly #path: string;
  readonly #versions = new Map<number, Row[]>();
  #lastId = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async append(engine: TableEngine, count: number): Promise<void> {
    const rows = Array.from({ length: count }, () => this.#newRow(engine.name));
    await engine.append(this.#path, { schema, rows });
    await this.#now([...this.rows, ...rows]);
  }

  /** Of the rows whose id ends in a digit. */
  async delete(engine: TableEngine, digit: number): Promise<void> {
    await engine.delete(this.#path, `id % 10 = ${digit}`);
    await this.#now(this.rows.filter((row) => !endsIn(row, digit)));
  }

  async update(engine: TableEngine, digit: number): Promise<void> {
    const note = `updated by ${engine.name}`;
    const set = { value: 'value + 100', note: `'${note}'` };
    await engine.update(this.#path, { set, where: `id % 10 = ${digit}` });
    await this.#now(
      this.rows.map((row) =>
        endsIn(row, digit) ? { ...row, value: Number(row['value']) + 100, note } : row,
      ),
    );
  }

  /** Of the rows whose id ends in a digit those go whose id is below 20; the others change, and some are new. */
  async merge(engine: TableEngine, digit: number): Promise<void> {
    const matching = this.rows.filter((row) => endsIn(row, digit));
    const changed = matching.map((row) => ({
      ...row,
      value: -Number(row['id']),
      note: `merged by ${engine.name}`,
    }));
    const source: Row[] = [...changed, this.#newRow(engine.name), this.#newRow(engine.name)];
    await engine.merge(this.#path, {
      schema,
      rows: source,
      on: 'target.id = source.id',
      deleteWhen: 'source.id < 20',
    });
    const ids = new Set(matching.map(({ id }) => id));
    const kept = source.filter((row) => !ids.has(row['id'] ?? null) || Number(row['id']) >= 20);
    await this.#now([...this.rows.filter(({ id }) => !ids.has(id ?? null)), ...kept]);
  }

  /** What changes no rows. */
  async same(operation: () => Promise<void>): Promise<void> {
    await operation();
    await this.#now(this.rows);
  }

  /** Each engine reads some of the older versions. */
  async assertHistory(): Promise<void> {
    const versions = [...this.#versions];
    for (const [at, engine] of engines.entries()) {
      for (const [version, rows] of versions.filter((_, index) => index % 6 === at)) {
        await assertAgreedAt(this.#path, { version, rows, readers: [engine] });
      }
    }
  }

  async #now(rows: Row[]): Promise<void> {
    this.rows = rows;
    this.#versions.set((await sluice.facts(this.#path)).version, rows);
  }

  #newRow(writer: string): Row {
    const id = this.#lastId;
    this.#lastId += 1;
    return { id: String(id), part: `p${id % 3}`, value: id * 2, note: writer };
  }
}

function endsIn(row: Row, digit: number): boolean {
  return Number(row['id']) % 10 === digit;
}

/** Every data file and deletion vector on disk is one that the newest version needs. */
async function assertNothingLeft(path: string): Promise<void> {
  const snapshot = await (await sluice.open(path)).snapshot();
  const found = globSync('**/*.parquet', { cwd: path }).filter((each) => !each.startsWith('_delta_log'));
  assert.equal(found.length, snapshot.fileCount, 'data files on disk');
}
