/** A delivery over the real log, catalogue, engine and files, in a temporary directory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalStore } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { createInlineRowWriter, createWorkerRowWriter } from '../../../adapters/delivery-worker/index.ts';
import { createNodeDisk } from '../../../adapters/node-disk/index.ts';
import { openSqliteMetaStore } from '../../../adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../../../adapters/system/index.ts';
import type { Logger, Metrics } from '../../../ports/observe.ts';
import { createCatalog, createDeltaTables, type Catalog, type HiveColumn } from '../../catalog/index.ts';
import { createStreams, type Streams } from '../../streams/index.ts';
import { createDelivery, type Delivery, type DeliveryLimits } from '../index.ts';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
export const unmeasured: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
};

export interface World {
  readonly directory: string;
  readonly streams: Streams;
  readonly catalog: Catalog;
  readonly delivery: Delivery;
  readonly engine: DuckDbEngine;
  createTable(
    table: string,
    columns: readonly HiveColumn[],
    parameters?: Record<string, string>,
  ): Promise<void>;
  rows(table: string): Promise<Record<string, unknown>[]>;
  count(table: string): Promise<number>;
  /** Ends the delivery and opens all of it again over the same directory. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly writer?: 'worker' | 'inline';
  readonly limits?: Partial<DeliveryLimits>;
  readonly metrics?: Metrics;
  readonly threads?: number;
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-delivery-'));
  let parts = await open(directory, options);
  await parts.catalog.createDatabase({ name: 'db' });
  return {
    directory,
    get streams() {
      return parts.streams;
    },
    get catalog() {
      return parts.catalog;
    },
    get delivery() {
      return parts.delivery;
    },
    get engine() {
      return parts.engine;
    },
    async createTable(table, columns, parameters = {}) {
      await parts.catalog.createTable('db', {
        name: table,
        columns,
        partitionKeys: [],
        parameters: { table_type: 'DELTA', ...parameters },
      });
    },
    async rows(table) {
      const { delta, root } = await parts.catalog.open('db', table);
      const snapshot = await delta.snapshot();
      const store = new LocalStore(root);
      const rows: Record<string, unknown>[] = [];
      for (const file of snapshot.files())
        rows.push(...(await parts.engine.readParquet({ store, path: file.path, schema: snapshot.schema })));
      return rows;
    },
    async count(table) {
      const open = await parts.catalog.open('db', table);
      return (await open.snapshot()).rowCount ?? 0;
    },
    async restart() {
      await parts.close();
      parts = await open(directory, options);
    },
    async close() {
      await parts.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function open(directory: string, options: WorldOptions) {
  const [clock, random, logger] = [createSystemClock(), createSystemRandom(), silent];
  const metrics = options.metrics ?? unmeasured;
  const meta = await openSqliteMetaStore(join(directory, 'meta.db'));
  const engine = await DuckDbEngine.create({ threads: options.threads ?? 2 });
  const tables = createDeltaTables({
    engine,
    storeFor: (root) => new LocalStore(root),
    clock,
    random,
    logger,
  });
  const catalog = await createCatalog({
    meta,
    clock,
    logger,
    dataDirectory: join(directory, 'lake'),
    tables,
  });
  const disk = createNodeDisk();
  const streams = await createStreams({
    disk,
    directory: join(directory, 'streams'),
    meta,
    clock,
    random,
    logger,
    metrics,
  });
  const make = options.writer === 'inline' ? createInlineRowWriter : createWorkerRowWriter;
  const writer = make({ directory: join(directory, 'tmp') });
  const delivery = await createDelivery({
    meta,
    streams,
    catalog,
    clock,
    random,
    logger,
    metrics,
    writer,
    ...(options.limits && { limits: options.limits }),
  });
  const close = async (): Promise<void> => {
    await delivery.close();
    await writer.close();
    await streams.close();
    await meta.close();
    await engine.close();
  };
  return { streams, catalog, delivery, engine, close };
}

/** Waits for a condition, looking again whenever the loop is free; a hang is the test runner's to end. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
