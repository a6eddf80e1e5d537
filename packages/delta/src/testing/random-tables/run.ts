import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Engine } from '../../engine.ts';
import { LocalStore } from '../../store/local-store.ts';
import { DeltaTable } from '../../table.ts';
import { assertAgrees, assertFeedLeads, assertSound } from './comparison.ts';
import { Dice } from './dice.ts';
import { Model } from './model.ts';
import * as row from './row-operations.ts';
import * as table from './table-operations.ts';
import { randomPartitioning, randomStruct } from './types.ts';
import { type Operation, reopen, type World } from './world.ts';

/** Each as often as its number says. */
const OPERATIONS: readonly (readonly [number, Operation])[] = [
  [6, row.append],
  [1, row.appendEvolving],
  [1, row.appendWhatWasRead],
  [3, row.deleteSome],
  [3, row.update],
  [1, row.updateMember],
  [4, row.merge],
  [3, row.overwrite],
  [1, row.overwriteSchema],
  [2, table.addColumn],
  [2, table.renameColumn],
  [2, table.dropColumn],
  [2, table.widenColumn],
  [1, table.moveColumn],
  [3, table.changeProperty],
  [3, table.rewrite],
  [2, table.tendLog],
  [1, table.vacuum],
  [2, table.restore],
  [1, table.clone],
  [1, reopen],
];
const BAG: readonly Operation[] = OPERATIONS.flatMap(([times, operation]) =>
  Array.from({ length: times }, () => operation),
);

/** After so many steps all files and the whole log are looked at. */
const STEPS_PER_CHECK = 6;

export interface RandomRun {
  readonly seed: number;
  readonly steps: number;
  readonly engine: Engine;
  /** Of another DuckDB, with the time zone UTC. */
  readonly connection: DuckDBConnection;
}

/** Makes a random table and does random things to it; throws with what was done where it and its model part. */
export async function runRandomTable({ seed, steps, engine, connection }: RandomRun): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice random '));
  const told: string[] = [];
  try {
    const world = await createWorld(seed, { directory, engine, told });
    for (let step = 1; step <= steps; step += 1) {
      const operation = world.dice.of(BAG);
      told.push(`${step} (${operation.name}, unfinished)`);
      told.push(`${step} ${await runStep(world, operation, connection)}`);
      if (step % STEPS_PER_CHECK === 0) await assertSound(world, `step ${step}`);
    }
    await assertSound(world, 'at the end');
  } catch (error) {
    throw new Error(`seed ${seed}, after\n${told.join('\n')}\n${(error as Error).message}`, { cause: error });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function createWorld(
  seed: number,
  { directory, engine, told }: { directory: string; engine: Engine; told: string[] },
): Promise<World> {
  const dice = new Dice(seed);
  const mode = dice.of(['none', 'none', 'name', 'id']);
  const properties: Record<string, string> = { 'delta.columnMapping.mode': mode };
  if (dice.once(2)) properties['delta.enableDeletionVectors'] = 'true';
  if (dice.once(3)) properties['delta.enableChangeDataFeed'] = 'true';
  const options = { store: new LocalStore(directory), engine, root: dice.of(['t', 'a b/ü%20#?', "it's"]) };
  const schema = randomStruct(dice, { count: 1 + dice.below(6), depth: 0 }, { isMapped: mode !== 'none' });
  const partitionColumns = randomPartitioning(dice, schema);
  told.push(`create ${JSON.stringify({ schema, partitionColumns, properties })}`);
  const created = await DeltaTable.create({ ...options, schema, partitionColumns, properties });
  const model = new Model({ fields: schema.fields, partitionColumns, rows: [], properties });
  return { dice, model, options, directory, table: created, count: 0 };
}

async function runStep(world: World, operation: Operation, connection: DuckDBConnection): Promise<string> {
  const { model } = world;
  const since = { version: (await world.table.snapshot()).version, content: model.content };
  const what = await operation(world);
  const { version } = await world.table.snapshot();
  const { content } = model;
  const isChangeOfRows = Object.values(row).includes(operation);
  const isSameSchema = since.content.fields === content.fields;
  const isFed = 'delta.enableChangeDataFeed';
  if (
    isChangeOfRows &&
    isSameSchema &&
    content.properties[isFed] === 'true' &&
    since.content.properties[isFed] === 'true'
  ) {
    await assertFeedLeads(world, connection, since);
  }
  // Maintenance may commit several versions, all of which hold the same rows; others prepare the table first.
  const between = isChangeOfRows ? since.content : content;
  for (let at = since.version + 1; at < version; at += 1) model.versions.set(at, between);
  await assertAgrees(world, connection, what);
  model.versions.set(version, content);
  return what;
}
