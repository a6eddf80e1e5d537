/**
 * Tables of random schemas, to which random operations of the whole library are done, against a model in memory. Each
 * version is read in every way there is. `RANDOM_SEEDS` makes more runs, `RANDOM_FIRST_SEED` begins with another.
 */
import { after, before, describe, it } from 'node:test';
import { env } from 'node:process';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { DuckDbEngine } from './duckdb/index.ts';
import { runRandomTable } from './testing/random-tables/run.ts';

const SEEDS = Number(env['RANDOM_SEEDS'] ?? 6);
const FIRST_SEED = Number(env['RANDOM_FIRST_SEED'] ?? 1);
const STEPS = Number(env['RANDOM_STEPS'] ?? 15);

let engine: DuckDbEngine;
let instance: DuckDBInstance;
let connection: DuckDBConnection;

before(async () => {
  engine = await DuckDbEngine.create({ threads: 1 });
  instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  connection = await instance.connect();
  await connection.run(`SET TimeZone = 'UTC'`);
});
after(async () => {
  connection.closeSync();
  instance.closeSync();
  await engine.close();
});

describe('a table of any schema is what a plain list of rows would be', () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    it(`seed ${seed}`, () => runRandomTable({ seed, steps: STEPS, engine, connection }));
  }
});
