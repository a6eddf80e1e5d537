/** Messages between the server and the process that runs users' SQL. */
import type {
  Condition,
  SqlErrorCode,
  StatementAnalysis,
  TableShape,
  TableView,
  WrittenResult,
} from '../../ports/sql-engine.ts';

export interface EngineSettings {
  /** Of the engine's buffers; the process may take about half as much again. */
  readonly memoryBytesMax: number;
  readonly temporaryDirectory: string;
  readonly temporaryBytesMax: number;
  readonly threads: number;
  /** The only files that the engine may read. */
  readonly dataDirectories: readonly string[];
}

export interface Operations {
  configure: { request: EngineSettings; response: null };
  analyse: { request: { sql: string; catalogs: readonly string[] }; response: StatementAnalysis };
  conditions: {
    request: {
      sql: string;
      database: string | undefined;
      tables: readonly TableShape[];
    };
    response: (Condition | null)[];
  };
  run: {
    request: {
      kind: StatementAnalysis['kind'];
      sql: string;
      unnamed: readonly number[];
      database: string | undefined;
      tables: readonly TableView[];
      resultFile: string;
      resultBytesMax: number;
      smallBytesMax: number;
    };
    response: WrittenResult;
  };
}

export type OperationName = keyof Operations;

export type ToWorker =
  | {
      [Name in OperationName]: {
        readonly id: number;
        readonly operation: Name;
        readonly request: Operations[Name]['request'];
      };
    }[OperationName]
  | { readonly cancel: number };

export type FromWorker =
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly error: { code: SqlErrorCode; message: string; hint?: string } }
  /** Its last words: why it ends itself. */
  | { readonly dying: string };
