/** What a caller may do with a failed request: nothing, the same again, or the same after a pause. */
export type Retry = 'never' | 'same' | 'backoff';

/**
 * Every code a {@link DeltaError} can carry.
 *
 * - `not-found`: an object that was asked for by path is absent.
 * - `exists`: a table is already there.
 * - `not-a-table`: no Delta log at the root.
 * - `version-not-found`: the version or time asked for can't be reconstructed from the log.
 * - `log-gap`: a commit that the log needs is missing.
 * - `corrupt-log`: the log breaks the protocol.
 * - `unsupported-feature`: the table needs a table feature, named in the message, that this library lacks.
 * - `unsupported-type`: a type that Delta or this library can't store.
 * - `invalid-schema`, `invalid-property`, `invalid-data`: the caller's schema, table property or rows are refused;
 *   `invalid-data` also stands for a method that was called with something of another kind than it takes.
 * - `not-null`: a row has NULL in a column declared NOT NULL.
 * - `constraint`: a row breaks a rule of the table, named in the message, or of the operation.
 * - `invalid-expression`: a condition or an expression of the caller can't be used, or is not safe to.
 * - `duplicate-match`: a merge would change a row of the table by more than one row of its source.
 * - `conflict`: other writers changed what the operation reads each time that it was tried; nothing was committed.
 * - `aborted`: the caller's signal ended the operation; what was committed before stays.
 * - `contention`: other writers won every attempt that the bound allows; nothing was committed.
 * - `outcome-unknown`: the store neither confirmed nor denied the commit.
 * - `changes-unavailable`: changes that the change feed was asked for were not recorded, or are gone.
 * - `no-space`: the store is full.
 * - `io`: the store failed otherwise.
 * - `engine`: the engine failed to read or write a Parquet file.
 */
export type DeltaErrorCode =
  | 'not-found'
  | 'exists'
  | 'not-a-table'
  | 'version-not-found'
  | 'log-gap'
  | 'corrupt-log'
  | 'unsupported-feature'
  | 'unsupported-type'
  | 'invalid-schema'
  | 'invalid-property'
  | 'invalid-data'
  | 'not-null'
  | 'constraint'
  | 'invalid-expression'
  | 'duplicate-match'
  | 'conflict'
  | 'aborted'
  | 'changes-unavailable'
  | 'contention'
  | 'outcome-unknown'
  | 'no-space'
  | 'io'
  | 'engine';

export interface DeltaErrorOptions {
  readonly code: DeltaErrorCode;
  /** Names the thing, the value and what is wrong; fit for a user's eyes. */
  readonly message: string;
  /** Defaults to what suits the code: `backoff` for failures of the world, `never` for the rest. */
  readonly retry?: Retry;
  /** What to do next, as a sentence; omitted where the message says it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

const RETRY_BY_CODE: Partial<Record<DeltaErrorCode, Retry>> = {
  contention: 'backoff',
  conflict: 'backoff',
  'outcome-unknown': 'backoff',
  'no-space': 'backoff',
  io: 'backoff',
};

/** An operational failure of this library. A broken invariant is an {@link AssertionFailure} instead. */
export class DeltaError extends Error {
  override readonly name = 'DeltaError';
  readonly code: DeltaErrorCode;
  readonly retry: Retry;
  readonly hint: string | undefined;

  constructor(options: DeltaErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.retry = options.retry ?? RETRY_BY_CODE[options.code] ?? 'never';
    this.hint = options.hint;
  }
}

/** Whether `error` is a {@link DeltaError}, and of this code if one is given. */
export function isDeltaError(error: unknown, code?: DeltaErrorCode): error is DeltaError {
  return error instanceof DeltaError && (code === undefined || error.code === code);
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A broken invariant of this library itself; never the answer to bad input. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** Throws when a broken invariant is found; stays on in production. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Marks code that the types say can't run; the compiler refuses a call that is reachable. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`);
}
