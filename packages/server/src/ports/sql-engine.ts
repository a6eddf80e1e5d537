import { PlatformError } from '../base/errors.ts';

/**
 * Runs one user's statement over tables that the caller has resolved and authorised.
 *
 * Users' text reaches tables by the given views only: never files, settings, the environment, other statements' views
 * or the engine's own catalogue. Whatever the statement does, at most the running statements fail; the engine is
 * usable again at the next call.
 */
export interface SqlEngine {
  /** Parses and checks one statement; runs nothing. Rejects with `syntax` or `refused`. */
  analyse(request: AnalyseRequest): Promise<StatementAnalysis>;
  /**
   * Conditions that every row that can matter to the statement meets, by the place of its table in `tables`; undefined
   * where none is known. Never more than is sure.
   */
  conditions(request: PlanRequest): Promise<(Condition | undefined)[]>;
  /**
   * Runs the statement and writes its rows to `resultFile`; after a failure there is no such file. On return the file
   * is durable, unless the whole result is given back as `small`: then it's the caller who keeps it.
   */
  run(request: RunRequest): Promise<WrittenResult>;
  /** Writes rows that the caller made, in the form of `run`. */
  writeResult(request: WriteResultRequest): Promise<WrittenResult>;
  /** Reads rows back; in memory is one page only. Rejects with `result-missing` when the file is gone or damaged. */
  readResult(request: ReadResultRequest): Promise<ResultRows>;
  /** Removes a result, finished or not; absent is fine. */
  removeResult(resultFile: string): Promise<void>;
  /** Ends the engine; statements that run fail with `engine-died`. */
  close(): Promise<void>;
}

export type SqlErrorCode =
  | 'syntax'
  | 'refused'
  | 'failed'
  | 'cancelled'
  | 'out-of-memory'
  | 'temporary-space'
  | 'result-too-large'
  | 'storage-full'
  | 'engine-died'
  | 'result-missing';

/** Messages are for the user: positions count in the user's text, and nothing of the engine's surroundings shows. */
export class SqlError extends PlatformError<SqlErrorCode> {}

export interface AnalyseRequest {
  readonly sql: string;
  /** Names that may stand as the first of three parts of a table's name; compared without regard to case. */
  readonly catalogs: readonly string[];
  readonly signal?: AbortSignal;
}

export interface StatementAnalysis {
  readonly kind: 'rows' | 'explain';
  /** The statement as `run` takes it: without catalogue names, every position as in the user's text. */
  readonly sql: string;
  /** In the order of the text, each name once; CTEs are left out. */
  readonly tables: readonly TableReference[];
  /** Whether there is anything in the statement that `conditions` could know. */
  readonly filters: boolean;
  /**
   * Places in the SELECT list of expressions without a name of their own: from 0, or counted back from the end (-1)
   * behind a `*`.
   */
  readonly unnamed: readonly number[];
}

export interface TableReference {
  /** As written; undefined when the name has no schema. */
  readonly database?: string;
  readonly table: string;
  /** How often the statement refers to it. */
  readonly count: number;
}

/** What a statement sees as `database.name`. */
export interface TableView {
  readonly database: string;
  readonly name: string;
  /** A SELECT in the engine's dialect. */
  readonly sql: string;
}

/** What a statement sees as `database.name`, without its rows. */
export interface TableShape {
  readonly database: string;
  readonly name: string;
  /** Types in the engine's dialect. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** How often the statement refers to it. */
  readonly references: number;
}

export interface PlanRequest {
  readonly sql: string;
  /** Schema for names without one. */
  readonly database?: string;
  readonly tables: readonly TableShape[];
  readonly signal?: AbortSignal;
}

export interface RunRequest {
  readonly kind: StatementAnalysis['kind'];
  readonly sql: string;
  /** Called `_col<place>` in the result, as in Athena. */
  readonly unnamed: readonly number[];
  readonly database?: string;
  readonly tables: readonly TableView[];
  readonly resultFile: string;
  readonly resultBytesMax: number;
  /** Results of up to this many bytes, as in the file, are given back as `small`. */
  readonly smallBytesMax: number;
  readonly signal?: AbortSignal;
}

/** Columns are top-level names as the view has them. Values are in the column's type. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly conditions: readonly Condition[] }
  | {
      readonly kind: 'compare';
      readonly column: string;
      readonly operator: Comparison;
      readonly value: ConditionValue;
    }
  | { readonly kind: 'null' | 'not-null'; readonly column: string };

export type Comparison = '=' | '<' | '<=' | '>' | '>=';

export type ConditionValue =
  /** Decimal digits with sign, point and exponent as SQL writes them. */
  | { readonly type: 'number'; readonly text: string }
  | { readonly type: 'string'; readonly text: string }
  | { readonly type: 'boolean'; readonly value: boolean }
  /** `YYYY-MM-DD` */
  | { readonly type: 'date'; readonly text: string }
  /** `YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC for `instant`. */
  | { readonly type: 'timestamp' | 'instant'; readonly text: string };

export interface EngineColumn {
  readonly name: string;
  /** Athena's name of the type, as in `GetQueryResults`. */
  readonly type: string;
}

export interface WrittenResult {
  readonly columns: readonly EngineColumn[];
  readonly rows: number;
  readonly sizeBytes: number;
  /** Of the statement and the writing of its rows. */
  readonly engineMs: number;
  /** The whole result, whose file is not durable. */
  readonly small?: SmallResult;
}

/** Means something to `readResult` alone; JSON. */
export interface SmallResult {
  readonly columns: readonly EngineColumn[];
  readonly rows: number;
  /** What the file holds. */
  readonly text: string;
}

export interface WriteResultRequest {
  readonly resultFile: string;
  /** As for `run`. */
  readonly smallBytesMax: number;
  readonly columns: readonly EngineColumn[];
  readonly rows: readonly (readonly (string | undefined)[])[];
}

export interface ReadResultRequest {
  readonly resultFile: string;
  /** What was given back in place of a durable file, which is then not looked at. */
  readonly small?: SmallResult;
  /** From 0. */
  readonly firstRow: number;
  readonly rowsMax: number;
  /** Of the file; the first row is given even when it is larger. */
  readonly bytesMax: number;
}

export interface ResultRows {
  readonly columns: readonly EngineColumn[];
  readonly rows: readonly (readonly (string | undefined)[])[];
  /** Of the whole result. */
  readonly rowsTotal: number;
}
