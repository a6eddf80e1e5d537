/** Random changes of the schema and the properties, and maintenance. */
import assert from 'node:assert/strict';
import { isDeltaError } from '../../errors.ts';
import { field, type StructField } from '../../schema/types.ts';
import { DeltaTable } from '../../table.ts';
import { editType, editValue, type Place, type PlaceEdit, placesOf } from './model.ts';
import { append } from './row-operations.ts';
import { freshName, randomType, widerTypes } from './types.ts';
import { cell, type ModelValue, widened } from './values.ts';
import type { Operation, World } from './world.ts';

/** The fields of the struct at a place; undefined if there is none. */
function membersOf({ type }: Pick<Place, 'type'>): readonly StructField[] | undefined {
  return typeof type !== 'string' && type.type === 'struct' ? type.fields : undefined;
}

/** Changes one place of the model's schema, and the values there. */
function edit({ model }: World, path: readonly string[], change: PlaceEdit): void {
  const [name, ...rest] = path;
  const at = model.fields.findIndex((own) => own.name === name);
  const own = model.fields[at] as StructField;
  model.change({
    fields: model.fields.with(at, { ...own, type: editType(own.type, rest, change) }),
    rows: model.rows.map((row) =>
      row.with(at, editValue(cell(row, at), { type: own.type, path: rest }, change)),
    ),
  });
}

export const addColumn: Operation = async (world) => {
  const { dice, model, table } = world;
  const structs = placesOf(model.fields).filter(
    (place) => membersOf(place) !== undefined && !place.path.includes('key'),
  );
  const parent = dice.once(2) ? dice.of([undefined, ...structs]) : undefined;
  const siblings = parent === undefined ? model.fields : (membersOf(parent) ?? []);
  const added = field(freshName(dice, siblings, model), randomType(dice, 1, model));
  const position = dice.of([undefined, 'first', { after: dice.of(siblings).name }] as const);
  const after =
    position === 'first'
      ? -1
      : position === undefined
        ? siblings.length - 1
        : siblings.findIndex(({ name }) => name === position.after);
  const put = <Item>(items: readonly Item[], item: Item): Item[] => items.toSpliced(after + 1, 0, item);
  await table.alter.addColumns([
    {
      field: added,
      ...(parent === undefined ? {} : { parent: parent.path }),
      ...(position === undefined ? {} : { position }),
    },
  ]);
  if (parent === undefined) {
    model.change({ fields: put(model.fields, added), rows: model.rows.map((row) => put(row, null)) });
  } else {
    edit(world, parent.path, {
      type: () => ({ type: 'struct', fields: put(siblings, added) }),
      value: (value) => put(value as ModelValue[], null),
    });
  }
  return `add ${JSON.stringify(added)} to ${parent?.path.join('.') ?? 'the table'} at ${JSON.stringify(position)}`;
};

export const renameColumn: Operation = async (world) => {
  const { dice, model, table } = world;
  if (!model.isMapped) return addColumn(world);
  const place = dice.of(placesOf(model.fields).filter((candidate) => candidate.field !== undefined));
  const name = place.path.at(-1) as string;
  const above = place.path.slice(0, -1);
  const parent = placesOf(model.fields).find(({ path }) => path.join('\0') === above.join('\0'));
  const siblings = parent === undefined ? model.fields : (membersOf(parent) ?? []);
  const to = dice.once(5) ? name.toUpperCase() : freshName(dice, siblings, model);
  const isTaken = siblings.some(
    (other) => other.name !== name && other.name.toLowerCase() === to.toLowerCase(),
  );
  if (
    isTaken ||
    !(await answersAs(() => table.alter.renameColumn({ column: place.path, to }), 'clustering'))
  ) {
    return 'no rename';
  }
  const renamed = (own: StructField): StructField => (own.name === name ? { ...own, name: to } : own);
  if (parent === undefined) {
    const { partitionColumns } = model.content;
    model.change({
      fields: model.fields.map(renamed),
      partitionColumns: partitionColumns.map((column) => (column === name ? to : column)),
    });
  } else {
    const fields = siblings.map(renamed);
    edit(world, above, { type: () => ({ type: 'struct', fields }), value: (value) => value });
  }
  return `rename ${place.path.join('.')} to ${JSON.stringify(to)}`;
};

/** False where a change is refused because something else, which the message names, depends on the column. */
async function answersAs(change: () => Promise<unknown>, reason: string): Promise<boolean> {
  try {
    await change();
    return true;
  } catch (error) {
    if (isDeltaError(error, 'invalid-schema') && error.message.includes(reason)) return false;
    throw error;
  }
}

export const dropColumn: Operation = async (world) => {
  const { dice, model, table } = world;
  if (!model.isMapped) return addColumn(world);
  const place = dice.of(placesOf(model.fields).filter((candidate) => candidate.field !== undefined));
  const above = place.path.slice(0, -1);
  const parent = placesOf(model.fields).find(({ path }) => path.join('\0') === above.join('\0'));
  const siblings = parent === undefined ? model.fields : (membersOf(parent) ?? []);
  const at = siblings.findIndex(({ name }) => name === place.path.at(-1));
  const isPartition = parent === undefined && model.isPartition(siblings[at] as StructField);
  const others = parent === undefined ? siblings.filter((own) => !model.isPartition(own)) : siblings;
  if (isPartition || others.length < 2) return 'no drop';
  if (!(await answersAs(() => table.alter.dropColumns([place.path]), 'cluster'))) return 'no drop';
  if (parent === undefined) {
    model.change({ fields: siblings.toSpliced(at, 1), rows: model.rows.map((row) => row.toSpliced(at, 1)) });
  } else {
    edit(world, above, {
      type: () => ({ type: 'struct', fields: siblings.toSpliced(at, 1) }),
      value: (value) => (value as ModelValue[]).toSpliced(at, 1),
    });
  }
  return `drop ${place.path.join('.')}`;
};

export const widenColumn: Operation = async (world) => {
  const { dice, model, table } = world;
  // A partition's text of a float is a shorter one than that of the double which it is.
  const able = placesOf(model.fields).filter(
    ({ type, path: [name] }) =>
      widerTypes(type).length > 0 &&
      !(type === 'float' && model.content.partitionColumns.includes(name as string)),
  );
  if (able.length === 0) return addColumn(world);
  if (!model.isOn('delta.enableTypeWidening')) return setProperty(world, 'delta.enableTypeWidening', 'true');
  const { path, type: from } = dice.of(able);
  const to = dice.of(widerTypes(from));
  await table.alter.changeColumn({ column: path, type: to });
  edit(world, path, { type: () => to, value: (value) => widened(value, from, to) });
  return `widen ${path.join('.')} from ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
};

export const moveColumn: Operation = async ({ dice, model, table }) => {
  const at = dice.below(model.fields.length);
  const moved = model.fields[at] as StructField;
  const position = dice.of(['first', 'last'] as const);
  const put = <Item>(items: readonly Item[]): Item[] => {
    const item = items[at] as Item;
    const others = items.toSpliced(at, 1);
    return position === 'first' ? [item, ...others] : [...others, item];
  };
  const nullable = dice.once(2) ? { nullable: true as const } : {};
  await table.alter.changeColumn({ column: moved.name, position, ...nullable, comment: `moved ${position}` });
  const fields = model.fields.with(at, { ...moved, ...nullable });
  model.change({ fields: put(fields), rows: model.rows.map(put) });
  return `move ${moved.name} ${position}`;
};

const PROPERTIES: readonly (readonly [string, readonly string[]])[] = [
  ['delta.enableDeletionVectors', ['true', 'true', 'false']],
  ['delta.enableChangeDataFeed', ['true', 'false']],
  ['delta.checkpointInterval', ['1', '2', '3', '10']],
  ['delta.checkpointPolicy', ['v2', 'classic']],
  ['delta.checkpoint.writeStatsAsStruct', ['true', 'false']],
  ['delta.checkpoint.writeStatsAsJson', ['true', 'false']],
  ['delta.dataSkippingNumIndexedCols', ['-1', '0', '1', '3', '32']],
  ['delta.enableInCommitTimestamps', ['true', 'false']],
  ['delta.columnMapping.mode', ['name']],
  ['delta.randomizeFilePrefixes', ['true', 'false']],
  ['delta.targetFileSize', ['2kb', '1mb']],
  ['delta.isolationLevel', ['Serializable', 'WriteSerializable']],
];

export const changeProperty: Operation = async (world) => {
  const { dice, model } = world;
  const [name, values] = dice.of(PROPERTIES);
  // The mode of a table that has one can't be another.
  if (name === 'delta.columnMapping.mode' && model.isMapped) return 'no property';
  const value = dice.of(values);
  // Without either of them checkpoints have no statistics, and the number of rows is not known.
  const [asJson, asStruct] = ['delta.checkpoint.writeStatsAsJson', 'delta.checkpoint.writeStatsAsStruct'];
  if (name === asJson && !model.isOn(asStruct)) return setProperty(world, asStruct, 'true');
  if (name === asStruct && value === 'false') await setProperty(world, asJson, 'true');
  return setProperty(world, name, value);
};

async function setProperty({ model, table }: World, name: string, value: string): Promise<string> {
  await table.alter.setProperties({ [name]: value });
  model.change({ properties: { ...model.content.properties, [name]: value } });
  return `set ${name} to ${value}`;
}

export const rewrite: Operation = async ({ dice, model, table }) => {
  const kind = dice.of(['optimize', 'purge', 'z-order', 'small files', 'cluster', 'auto'] as const);
  if (kind === 'optimize') await table.optimize();
  else if (kind === 'purge') await table.optimize({ purge: true });
  else if (kind === 'auto') await table.autoCompact();
  else if (kind === 'small files') await table.optimize({ targetFileSizeBytes: 1500 });
  else {
    const columns = dice.shuffled(
      model.fields.filter((own) => !model.isPartition(own) && isOrdered(own.type)),
    );
    const chosen = columns.slice(0, 1 + dice.below(3)).map(({ name }) => name);
    const isClustered = (await table.snapshot()).protocol.writerFeatures?.includes('clustering') === true;
    if (chosen.length === 0) return 'no rewrite';
    if (kind === 'z-order' && !isClustered) await table.optimize({ zOrderBy: chosen });
    else if (model.content.partitionColumns.length === 0) {
      const isCleared = dice.once(4);
      await table.alter.setClustering(isCleared ? [] : chosen);
      await table.optimize({ full: !isCleared && dice.once(2) });
    }
    return `${kind} by ${chosen.join()}`;
  }
  return kind;
};

/** Whether rows can be laid out by a type: by what has statistics. */
function isOrdered(type: StructField['type']): boolean {
  return typeof type === 'string' && type !== 'binary' && type !== 'boolean';
}

export const tendLog: Operation = async ({ dice, model, table }) => {
  const { version } = await table.snapshot();
  const kind = dice.of(['checkpoint', 'checkpoint', 'compact', 'clean'] as const);
  if (kind === 'checkpoint') await table.checkpoint();
  else if (kind === 'clean') {
    await table.cleanUpLog({ olderThanMs: 0 });
    model.versions.clear();
  } else {
    const from = Math.max(0, version - 1 - dice.below(4));
    if (from >= version) return 'no log compaction';
    // The commits may have gone.
    await table.compactLog({ from, to: version }).catch((error: unknown) => {
      if (!isDeltaError(error, 'log-gap')) throw error;
    });
  }
  return kind;
};

export const vacuum: Operation = async ({ model, table }) => {
  await table.vacuum({ retentionMs: 0, retentionCheck: false });
  model.versions.clear();
  return 'vacuum';
};

export const restore: Operation = async (world) => {
  const { dice, model, table } = world;
  const versions = [...model.versions.keys()];
  if (versions.length === 0) return append(world);
  const version = dice.of(versions);
  const before = (await table.snapshot()).properties;
  await table.restore({ version });
  const content = model.versions.get(version);
  assert.ok(content);
  model.content = content;
  // What was turned on for good stays so.
  const after = (await table.snapshot()).properties;
  const lasting = ['delta.enableInCommitTimestamps'].filter((name) => before[name] === 'true');
  for (const name of lasting) assert.equal(after[name], 'true');
  model.change({ properties: after });
  return `restore version ${version}`;
};

/** The table goes on as its clone. */
export const clone: Operation = async (world) => {
  const { dice, model, table, options } = world;
  world.count += 1;
  const root = `${options.root} clone ${world.count}`;
  const kind = dice.of(['shallow', 'deep'] as const);
  const version = dice.once(3) && model.versions.size > 0 ? dice.of([...model.versions.keys()]) : undefined;
  await table.clone({
    target: { store: options.store, root },
    kind,
    ...(version === undefined ? {} : { version }),
  });
  const content = version === undefined ? model.content : model.versions.get(version);
  assert.ok(content);
  model.content = content;
  model.versions.clear();
  world.options = { ...options, root };
  world.table = await DeltaTable.open(world.options);
  return `go on as a ${kind} clone of version ${version ?? 'newest'}`;
};
