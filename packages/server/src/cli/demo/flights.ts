/**
 * Real flights of the United States, January to June 2001, and the airports they fly between, from the npm package
 * vega-datasets 3.2.1 (BSD-3-Clause; flights-3m.parquet and airports.csv; source: U.S. Department of Transportation,
 * Bureau of Transportation Statistics, On-Time Performance, and Data.gov, Airports).
 *
 * An event is a row of the file with its columns renamed: `date` (the actual departure, local time) is departed_at,
 * `delay` (of the arrival) is arrival_delay_minutes, `distance` is distance_miles. Two members are not in the file:
 * flight_id is the row's number, and run tells this run of the demo from others.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { CliError } from '../exit.ts';

export const CREDIT =
  'U.S. Bureau of Transportation Statistics, by the npm package vega-datasets 3.2.1 (BSD-3-Clause)';

export interface Event {
  readonly key: string;
  /** UTF-8 JSON, one object. */
  readonly json: string;
}

export interface Flights {
  /** How many there are. */
  readonly total: number;
  /** The first `rows` of them in the order of departure, in batches of at most `batchRows`. */
  events(options: { run: string; rows: number; batchRows: number }): AsyncIterable<readonly Event[]>;
  airports(): Promise<readonly Event[]>;
  close(): void;
}

/** Rejects with what to install when the package is not there. */
export async function openFlights(): Promise<Flights> {
  const [flights, airports] = [dataFile('flights-3m.parquet'), dataFile('airports.csv')];
  // One thread: the work is small, and the server shares the machine.
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const total = await connection.runAndReadAll(`select count(*) from read_parquet(${quoted(flights)})`);
  return {
    total: Number(total.getRows()[0]?.[0] ?? 0),
    events: ({ run, rows, batchRows }) =>
      inBatches(
        connection,
        `select origin, to_json({
           run: ${quoted(run)}, flight_id: file_row_number + 1, departed_at: strftime(date, '%Y-%m-%d %H:%M:%S'),
           origin: origin, destination: destination, arrival_delay_minutes: delay, distance_miles: distance})::varchar
         from read_parquet(${quoted(flights)}, file_row_number = true) limit ${rows}`,
        batchRows,
      ),
    async airports() {
      const all: Event[] = [];
      const sql = `select iata, to_json(a)::varchar from read_csv(${quoted(airports)}) a`;
      for await (const batch of inBatches(connection, sql, 1000)) all.push(...batch);
      return all;
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function* inBatches(
  connection: DuckDBConnection,
  sql: string,
  rows: number,
): AsyncGenerator<readonly Event[]> {
  const result = await connection.stream(sql);
  let batch: Event[] = [];
  for (
    let chunk = await result.fetchChunk();
    chunk !== null && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    for (const [key, json] of chunk.getRows()) {
      batch.push({ key: String(key), json: String(json) });
      if (batch.length < rows) continue;
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

function dataFile(name: string): string {
  let path;
  try {
    path = fileURLToPath(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')));
  } catch {
    path = undefined;
  }
  if (path !== undefined && existsSync(path)) return path;
  throw new CliError(`the flight records (${name} of the npm package vega-datasets) are not installed`, {
    hint: 'Run "npm ci" in the repository, or "npm install vega-datasets@3.2.1" where Sluice is installed.',
  });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
