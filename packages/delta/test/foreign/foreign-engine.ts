/** Spark and delta-rs as engines under test. */
import { join } from 'node:path';
import { ForeignProcess } from './foreign-process.ts';
import { installDeltaRs, installSpark, pythonEnvironment } from './install.ts';
import type { EngineName, Facts, NewTable, Row, Rows, TableEngine, Upsert } from './table-engine.ts';

export class ForeignEngine implements TableEngine {
  readonly name: EngineName;
  readonly process: ForeignProcess;

  constructor(name: EngineName, process: ForeignProcess) {
    this.name = name;
    this.process = process;
  }

  async create(path: string, table: NewTable): Promise<void> {
    await this.process.call('create', { path, ...table });
  }

  async read(path: string, version?: number): Promise<Row[]> {
    return (await this.process.call('read', { path, version })) as Row[];
  }

  async append(path: string, rows: Rows & { readonly mergeSchema?: boolean }): Promise<void> {
    await this.process.call('append', { path, ...rows });
  }

  async overwrite(path: string, rows: Rows & { readonly where?: string }): Promise<void> {
    await this.process.call('overwrite', { path, ...rows });
  }

  async delete(path: string, where: string): Promise<void> {
    await this.process.call('delete', { path, where });
  }

  async update(
    path: string,
    change: { readonly set: Readonly<Record<string, string>>; readonly where: string },
  ): Promise<void> {
    await this.process.call('update', { path, ...change });
  }

  async merge(path: string, upsert: Upsert): Promise<void> {
    await this.process.call('merge', { path, ...upsert });
  }

  async optimize(path: string, options: { readonly zOrderBy?: readonly string[] } = {}): Promise<void> {
    await this.process.call('optimize', { path, ...options });
  }

  async vacuum(path: string): Promise<void> {
    await this.process.call('vacuum', { path });
  }

  async checkpoint(path: string): Promise<void> {
    await this.process.call('checkpoint', { path });
  }

  async cleanUp(path: string): Promise<void> {
    await this.process.call('cleanUp', { path });
  }

  async changes(path: string, range: { readonly from: number; readonly to?: number }): Promise<Row[]> {
    return (await this.process.call('changes', { path, ...range })) as Row[];
  }

  async facts(path: string): Promise<Facts> {
    return (await this.process.call('facts', { path })) as Facts;
  }

  /** Spark only: statements one after another, `{t}` standing for the table; the rows of the last. */
  async sql(path: string, ...statements: readonly string[]): Promise<Row[]> {
    return (await this.process.call('sql', { path, statements })) as Row[];
  }
}

/** An engine that runs, or why there is none. */
export type Started = { readonly engine: ForeignEngine } | { readonly missing: string };

/** Besides, why Spark has no log store that other engines can write beside. */
export type StartedSpark =
  | { readonly engine: ForeignEngine; readonly missingLogStore: string | undefined }
  | { readonly missing: string };

/** `directory` takes the engine's log file and what it needs while it runs. */
export async function startSpark(directory: string): Promise<StartedSpark> {
  const installed = await installSpark();
  if ('missing' in installed) return installed;
  const { python, packages, jars, classes } = installed.parts;
  const classPath = 'parts' in classes ? classes.parts : '';
  const process = await ForeignProcess.start({
    name: 'spark',
    command: python,
    args: [
      '-s',
      join(import.meta.dirname, 'spark_driver.py'),
      jars.join(','),
      classPath,
      join(directory, 'spark'),
    ],
    env: pythonEnvironment(packages),
    logFile: join(directory, SPARK_LOG),
  });
  const missingLogStore = 'missing' in classes ? classes.missing : undefined;
  return { engine: new ForeignEngine('spark', process), missingLogStore };
}

export const SPARK_LOG = 'spark.log';

export async function startDeltaRs(directory: string): Promise<Started> {
  const installed = await installDeltaRs();
  if ('missing' in installed) return installed;
  const { python, packages } = installed.parts;
  const process = await ForeignProcess.start({
    name: 'delta-rs',
    command: python,
    args: ['-s', join(import.meta.dirname, 'delta_rs_driver.py')],
    env: pythonEnvironment(packages),
    logFile: join(directory, 'delta-rs.log'),
  });
  return { engine: new ForeignEngine('delta-rs', process) };
}
