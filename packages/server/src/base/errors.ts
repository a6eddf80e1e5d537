/** What a caller may do with a failed request: nothing, the same again, or the same after a pause. */
export type Retry = 'never' | 'same' | 'backoff';

export interface PlatformErrorOptions<Code extends string> {
  readonly code: Code;
  /** Names the thing, the value and what is wrong; shown to users as it is. */
  readonly message: string;
  readonly retry?: Retry;
  /** What to do next, as a sentence; omitted where the message says it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * An operational failure: expected in a healthy system (a missing stream, a full disk) and meant for a caller's eyes.
 * It knows no protocol: each module closes the set of its codes, and each edge maps them in one exhaustive table.
 */
export class PlatformError<Code extends string = string> extends Error {
  override readonly name = 'PlatformError';
  readonly code: Code;
  readonly retry: Retry;
  readonly hint: string | undefined;

  constructor(options: PlatformErrorOptions<Code>) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.retry = options.retry ?? 'never';
    this.hint = options.hint;
  }
}
