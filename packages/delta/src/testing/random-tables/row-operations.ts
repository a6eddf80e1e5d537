/** Random operations on rows. */
import assert from 'node:assert/strict';
import { quoteIdentifier } from '../../scan/quote.ts';
import type { Row } from '../../reading/select.ts';
import { type DataType, field, type StructField } from '../../schema/types.ts';
import { type Condition, randomCondition } from './conditions.ts';
import type { Dice } from './dice.ts';
import { placesOf } from './model.ts';
import { ofLibrary } from './readings.ts';
import { freshName, randomPartitioning, randomStruct, randomType } from './types.ts';
import { canonical, cell, compareScalars, type ModelRow, type ModelValue, sqlLiteral } from './values.ts';
import { type Operation, sourceFor, type World } from './world.ts';

const ROWS_MAX = 12;

export const append: Operation = async (world) => {
  const { dice, model, table } = world;
  const rows = model.randomRows(dice, dice.below(ROWS_MAX));
  const source = await sourceFor(world, rows);
  world.count += 1;
  const txns = [{ appId: 'random', version: world.count }];
  const isKnown = dice.once(4);
  const done = await table.append(isKnown ? { source, txns } : { source });
  assert.equal(done.kind, 'committed');
  if (isKnown) assert.equal((await table.append({ source, txns })).kind, 'already-committed');
  model.change({ rows: [...model.rows, ...rows] });
  return `append ${rows.length} rows of ${source.kind}`;
};

/** Rows with columns, or members of structs, that the table does not have yet. */
export const appendEvolving: Operation = async (world) => {
  const { dice, model, table } = world;
  const added = field(freshName(dice, model.fields, model), randomType(dice, 1, model));
  const fields = [...model.fields, added];
  const before = model.rows.map((row) => [...row, null]);
  model.change({ fields, rows: before });
  const rows = model.randomRows(dice, 1 + dice.below(4));
  const source = await sourceFor(world, rows);
  // Types of new columns come without NOT NULL, which rows of others could not meet.
  const schema = { type: 'struct' as const, fields };
  await table.append(dice.once(2) ? { source, mergeSchema: schema } : { source, addColumns: [added] });
  model.change({ rows: [...before, ...rows], fields: (await table.snapshot()).schema.fields });
  return `append with the new column ${JSON.stringify(added)}`;
};

/** What a reading gave is what a writing takes, but for microseconds that a Date can't hold. */
export const appendWhatWasRead: Operation = async (world) => {
  const { model, table } = world;
  // As Dates, keys of maps may come to be the same.
  const hasTimes = (type: DataType): boolean => type === 'timestamp' || type === 'timestamp_ntz';
  const isKeyed = placesOf(model.fields).some(({ path, type }) => path.includes('key') && hasTimes(type));
  if (isKeyed) return append(world);
  const read: Row[] = [];
  for await (const row of table.rows({ limit: 5 })) read.push(row);
  await table.append({ source: { kind: 'rows', rows: read } });
  model.change({ rows: [...model.rows, ...read.map((row) => ofLibrary(row, model.fields))] });
  return `append ${read.length} rows as they were read`;
};

export const deleteSome: Operation = async ({ dice, model, table }) => {
  const where = randomCondition(dice, model);
  const isAll = dice.once(12);
  const gone = model.rows.filter((row) => isAll || where.test(row) === true).length;
  const done = await table.delete(isAll ? {} : { where: where.sql });
  if (done.kind === 'committed') assert.equal(done.rowsDeleted, gone);
  else assert.equal(gone, 0);
  model.change({ rows: model.rows.filter((row) => !isAll && where.test(row) !== true) });
  return isAll ? 'delete all' : `delete where ${where.sql}`;
};

/** A new value of a column, in SQL and for the model. */
interface Assignment {
  readonly field: StructField;
  readonly at: number;
  readonly sql: string;
  readonly value: (target: ModelRow, source: ModelRow) => ModelValue;
}

function assignments(world: World, isOfSource: boolean, aliases: readonly string[]): Assignment[] {
  const { dice, model } = world;
  const places = dice.shuffled([...model.fields.keys()]).slice(0, 1 + dice.below(3));
  return places.map((at) => {
    const own = model.fields[at] as StructField;
    const same = [...model.fields.keys()].filter((other) => {
      const candidate = model.fields[other] as StructField;
      return JSON.stringify(candidate) === JSON.stringify({ ...own, name: candidate.name });
    });
    if (same.length > 0 && dice.once(2)) {
      const other = dice.of(same);
      const isSource = isOfSource && dice.once(2);
      const alias = aliases[isSource ? 1 : 0] as string;
      const sql = `${quoteIdentifier(alias)}.${quoteIdentifier((model.fields[other] as StructField).name)}`;
      // '' is refused of a partition's column that can't be NULL, and another column may have it.
      const isSafe = own.nullable || !model.isPartition(own);
      if (isSafe) {
        return { field: own, at, sql, value: (target, source) => cell(isSource ? source : target, other) };
      }
    }
    const value = model.randomCell(dice, own);
    return { field: own, at, sql: sqlLiteral(value, own.type), value: () => value };
  });
}

function assigned(target: ModelRow, source: ModelRow, set: readonly Assignment[]): ModelRow {
  const next = [...target];
  for (const { at, value } of set) next[at] = value(target, source);
  return next;
}

function setOf(set: readonly Assignment[]): Record<string, string> {
  return Object.fromEntries(set.map(({ field: { name }, sql }) => [name, sql]));
}

export const update: Operation = async (world) => {
  const { dice, model, table } = world;
  const where = randomCondition(dice, model);
  const set = assignments(world, false, ['target']);
  const done = await table.update({ set: setOf(set), where: where.sql });
  const hits = model.rows.filter((row) => where.test(row) === true).length;
  assert.equal(done.kind === 'committed' ? done.rowsUpdated : 0, hits);
  model.change({ rows: model.rows.map((row) => (where.test(row) === true ? assigned(row, [], set) : row)) });
  return `update ${JSON.stringify(setOf(set))} where ${where.sql}`;
};

/** One member of a struct. */
export const updateMember: Operation = async (world) => {
  const { dice, model, table } = world;
  const able = [...model.fields.entries()].flatMap(([at, { name, type }]) => {
    if (typeof type === 'string' || type.type !== 'struct' || name.includes('.')) return [];
    const { fields } = type;
    if (!fields.every(({ nullable }) => nullable)) return [];
    return fields.flatMap((member, inner) =>
      member.name.includes('.') ? [] : [{ at, inner, name, member, count: fields.length }],
    );
  });
  if (able.length === 0) return update(world);
  const { at, inner, name, member, count } = dice.of(able);
  const value = model.randomCell(dice, member);
  const where = randomCondition(dice, model);
  const set = { [`${name}.${member.name}`]: sqlLiteral(value, member.type) };
  await table.update({ set, where: where.sql });
  model.change({
    rows: model.rows.map((row) => {
      if (where.test(row) !== true) return row;
      const members = (row[at] as ModelValue[] | null) ?? Array.from({ length: count }, () => null);
      return row.with(at, members.with(inner, value));
    }),
  });
  return `update ${JSON.stringify(set)} where ${where.sql}`;
};

export const overwrite: Operation = async (world) => {
  const { dice, model, table } = world;
  const { partitionColumns } = model.content;
  const drawn = model.randomRows(dice, dice.below(ROWS_MAX / 2));
  if (partitionColumns.length > 0 && dice.once(3)) {
    await table.overwrite({ source: await sourceFor(world, drawn), mode: 'partitions' });
    const keyOf = partitionKey(world);
    const before = model.rows;
    model.change({ rows: drawn });
    const touched = new Set(model.rows.map(keyOf));
    model.change({ rows: [...before.filter((row) => !touched.has(keyOf(row))), ...model.rows] });
    return `overwrite the partitions of ${drawn.length} rows`;
  }
  if (dice.once(3)) {
    await table.overwrite({ source: await sourceFor(world, drawn), mode: 'whole' });
    model.change({ rows: drawn });
    return `overwrite with ${drawn.length} rows`;
  }
  const where = randomCondition(dice, model);
  const before = model.rows;
  model.change({ rows: drawn });
  const fitting = model.rows.filter((row) => where.test(row) === true);
  await table.overwrite({ source: await sourceFor(world, fitting), mode: { replaceWhere: where.sql } });
  model.change({ rows: [...before.filter((row) => where.test(row) !== true), ...fitting] });
  return `overwrite ${fitting.length} rows where ${where.sql}`;
};

function partitionKey({ model }: World): (row: ModelRow) => string {
  const places = [...model.fields.keys()].filter((at) => model.isPartition(model.fields[at] as StructField));
  return (row) =>
    places.map((at) => canonical(cell(row, at), (model.fields[at] as StructField).type)).join('/');
}

export const overwriteSchema: Operation = async (world) => {
  const { dice, model, table } = world;
  const schema = randomStruct(dice, { count: 2 + dice.below(4), depth: 0 }, model);
  const kept = model.fields.filter((own) =>
    schema.fields.every(({ name }) => name.toLowerCase() !== own.name.toLowerCase()),
  );
  const all = { type: 'struct' as const, fields: [...kept.slice(0, 1), ...schema.fields] };
  const partitionColumns = randomPartitioning(dice, all);
  await table.alter.setClustering([]);
  model.change({ fields: all.fields, partitionColumns, rows: [] });
  const rows = model.randomRows(dice, dice.below(ROWS_MAX));
  await table.overwrite({
    source: await sourceFor(world, rows),
    mode: 'whole',
    schema: all,
    partitionColumns,
  });
  model.change({ rows, fields: (await table.snapshot()).schema.fields });
  return `overwrite with the schema ${JSON.stringify(all)} by ${partitionColumns.join()}`;
};

/** The clauses of a merge, and what they make of rows. */
interface MergeCase {
  readonly kind: 'update' | 'delete' | 'insert' | 'by-source-update' | 'by-source-delete';
  readonly condition: {
    readonly sql: string;
    readonly test: (target: ModelRow, source: ModelRow) => boolean;
  };
  readonly set: readonly Assignment[] | 'all';
}

export const merge: Operation = async (world) => {
  const { dice, model, table } = world;
  const keys = [...model.fields.entries()].filter(([, { type }]) => typeof type === 'string');
  if (keys.length === 0) return append(world);
  const [key, { name }] = dice.of(keys);
  const aliases = dice.of<[string, string]>([
    ['target', 'source'],
    ['t', 's'],
    ['the "target"', 'from'],
  ]);
  const rows = distinctBy(model.randomRows(dice, 1 + dice.below(ROWS_MAX)), key);
  const cases = mergeCases(world, aliases);
  const on = aliases.map((alias) => `${quoteIdentifier(alias)}.${quoteIdentifier(name)}`);
  let builder = table.merge({
    source: await sourceFor(world, rows),
    on: `${on[0]} = ${on[1]}`,
    targetAlias: aliases[0],
    sourceAlias: aliases[1],
  });
  const told: string[] = [];
  for (const { kind, condition, set } of cases) {
    const values = set === 'all' ? set : setOf(set);
    const clause = condition.sql === '' ? {} : { condition: condition.sql };
    told.push(`${kind} ${JSON.stringify(values)} if ${condition.sql}`);
    if (kind === 'update') builder = builder.whenMatchedUpdate({ ...clause, set: values });
    else if (kind === 'delete') builder = builder.whenMatchedDelete(clause);
    else if (kind === 'insert') builder = builder.whenNotMatchedInsert({ ...clause, values });
    else if (kind === 'by-source-delete') builder = builder.whenNotMatchedBySourceDelete(clause);
    else builder = builder.whenNotMatchedBySourceUpdate({ ...clause, set: values as Record<string, string> });
  }
  await builder.execute();
  model.change({ rows: merged(model.rows, rows, { key, cases }) });
  return `merge ${rows.length} rows on ${JSON.stringify(name)}: ${told.join('; ')}`;
};

function merged(
  targets: readonly ModelRow[],
  sources: readonly ModelRow[],
  { key, cases }: { key: number; cases: readonly MergeCase[] },
): ModelRow[] {
  const isMatch = (target: ModelRow, source: ModelRow): boolean =>
    target[key] !== null &&
    source[key] !== null &&
    compareScalars(cell(target, key), cell(source, key)) === 0;
  const next = targets.flatMap((target) => {
    const source = sources.find((candidate) => isMatch(target, candidate));
    const kinds = source === undefined ? ['by-source-update', 'by-source-delete'] : ['update', 'delete'];
    const own = cases.find(
      ({ kind, condition }) => kinds.includes(kind) && condition.test(target, source ?? []),
    );
    if (own === undefined) return [target];
    if (own.kind.endsWith('delete')) return [];
    return [own.set === 'all' ? (source ?? target) : assigned(target, source ?? [], own.set)];
  });
  const inserted = sources
    .filter((source) => !targets.some((target) => isMatch(target, source)))
    .flatMap((source) => {
      const own = cases.find(({ kind, condition }) => kind === 'insert' && condition.test([], source));
      if (own === undefined) return [];
      return [
        own.set === 'all'
          ? source
          : assigned(
              source.map(() => null),
              source,
              own.set,
            ),
      ];
    });
  return [...next, ...inserted];
}

function distinctBy(rows: readonly ModelRow[], key: number): ModelRow[] {
  return rows.filter(
    (row, at) =>
      row[key] === null ||
      rows.findIndex(
        (other) => other[key] !== null && compareScalars(cell(other, key), cell(row, key)) === 0,
      ) === at,
  );
}

function mergeCases(world: World, aliases: [string, string]): MergeCase[] {
  const { dice, model } = world;
  const cases: MergeCase[] = [];
  const on = (side: 0 | 1): MergeCase['condition'] => {
    const condition: Condition = randomCondition(dice, { fields: model.fields, alias: aliases[side] });
    return { sql: condition.sql, test: (...rows) => condition.test(rows[side]) === true };
  };
  const always = { sql: '', test: (): boolean => true };
  for (let left = dice.below(3); left > 0; left -= 1) {
    const condition = left === 1 && dice.once(2) ? always : on(dice.of([0, 1]));
    if (dice.once(3)) cases.push({ kind: 'delete', condition, set: 'all' });
    else
      cases.push({
        kind: 'update',
        condition,
        set: dice.once(2) ? 'all' : assignments(world, true, aliases),
      });
  }
  if (dice.below(3) > 0) {
    const condition = dice.once(2) ? always : on(1);
    cases.push({ kind: 'insert', condition, set: insertedValues(dice, model.fields, aliases[1]) });
  }
  if (dice.once(3) || cases.length === 0) {
    const condition = on(0);
    if (dice.once(2)) cases.push({ kind: 'by-source-delete', condition, set: 'all' });
    else cases.push({ kind: 'by-source-update', condition, set: assignments(world, false, aliases) });
  }
  return cases;
}

/** All columns of the source, or those that can't be NULL and some more. */
function insertedValues(
  dice: Dice,
  fields: readonly StructField[],
  alias: string,
): readonly Assignment[] | 'all' {
  if (dice.once(2)) return 'all';
  const set = [...fields.entries()].flatMap(([at, own]): Assignment[] =>
    own.nullable && dice.once(2)
      ? []
      : [
          {
            field: own,
            at,
            sql: `${quoteIdentifier(alias)}.${quoteIdentifier(own.name)}`,
            value: (_target, source) => cell(source, at),
          },
        ],
  );
  return set.length === 0 ? 'all' : set;
}
