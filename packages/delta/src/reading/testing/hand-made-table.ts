/** A table on this machine's disk whose log is written action by action, as no operation of the library would. */
import { utimesSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDbEngine } from '../../duckdb/index.ts';
import type { PartitionValues } from '../../engine.ts';
import type { Action, AddFile, ProtocolAction } from '../../log/actions.ts';
import { encodeCommit } from '../../log/commit-file.ts';
import { commitName } from '../../log/log-paths.ts';
import { schemaToJson } from '../../schema/json.ts';
import type { StructType } from '../../schema/types.ts';
import { LocalStore } from '../../store/local-store.ts';
import { createContext, type TableContext } from '../../table-context.ts';

export const FIRST_COMMIT_MS = Date.UTC(2026, 0, 1);
/** Between two commits. */
export const COMMIT_STEP_MS = 60_000;

export interface TableDefinition {
  readonly schema: StructType;
  readonly partitionColumns?: readonly string[];
  readonly configuration?: Readonly<Record<string, string>>;
  readonly protocol?: ProtocolAction;
}

export class HandMadeTable {
  readonly context: TableContext;
  readonly #engine: DuckDbEngine;
  readonly #store: LocalStore;
  readonly #directory: string;
  #version = -1;
  #files = 0;

  private constructor(directory: string, engine: DuckDbEngine) {
    this.#directory = directory;
    this.#engine = engine;
    this.#store = new LocalStore(directory);
    this.context = createContext({ store: this.#store, engine, root: 't' });
  }

  /** Version 0 has the definition and nothing else. */
  static async create(definition: TableDefinition): Promise<HandMadeTable> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-hand-made-'));
    const table = new HandMadeTable(directory, await DuckDbEngine.create({ threads: 1 }));
    await table.commit([
      { protocol: definition.protocol ?? { minReaderVersion: 1, minWriterVersion: 4 } },
      table.definition(definition),
    ]);
    return table;
  }

  definition({ schema, partitionColumns = [], configuration = {} }: TableDefinition): Action {
    return {
      metaData: {
        id: 'hand-made',
        format: { provider: 'parquet', options: {} },
        schemaString: schemaToJson(schema),
        partitionColumns,
        configuration,
        createdTime: FIRST_COMMIT_MS,
      },
    };
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** A data file with these rows, its columns named as the schema of `file` does. */
  async write(
    rows: readonly Record<string, unknown>[],
    file: { schema: StructType; partitionValues?: PartitionValues; directory?: string },
  ): Promise<AddFile> {
    const path = `${file.directory ?? ''}part-${(this.#files += 1)}.parquet`;
    const [written] = await this.#engine.writeParquet({
      store: this.#store,
      schema: file.schema,
      partitionColumns: [],
      source: { kind: 'rows', rows },
      directory: 't',
      pathFor: () => `t/${path}`,
    });
    return {
      path,
      partitionValues: file.partitionValues ?? {},
      size: written?.sizeBytes ?? 0,
      modificationTime: FIRST_COMMIT_MS,
      dataChange: true,
      stats: JSON.stringify({ numRecords: rows.length }),
    };
  }

  /** Returns the version. */
  async commit(actions: readonly Action[]): Promise<number> {
    this.#version += 1;
    const path = `t/_delta_log/${commitName(this.#version)}`;
    await this.#store.put(path, encodeCommit(actions));
    const seconds = (FIRST_COMMIT_MS + this.#version * COMMIT_STEP_MS) / 1000;
    utimesSync(join(this.#directory, path), seconds, seconds);
    return this.#version;
  }

  async remove(path: string): Promise<void> {
    await this.#store.delete(`t/${path}`);
  }
}
