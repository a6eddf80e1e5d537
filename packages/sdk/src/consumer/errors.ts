export type ConsumerErrorCode =
  /** An option is missing or out of its bounds. */
  | 'invalid-option'
  /** Another worker has the shard, or this one could not renew its lease in time: stop working on the shard. */
  | 'lease-lost'
  /** A checkpoint that would go back, or to a record that was not delivered yet. */
  | 'invalid-checkpoint'
  /** `start` was called before. */
  | 'already-started'
  /** A bounded number of tries did not do; `cause` has the last. */
  | 'gave-up'
  /** The stream or the lease store did not answer in time; reading and renewing go on with another try. */
  | 'no-answer'
  /** The lease store's table or file is not what it should be. */
  | 'lease-store';

/** What the consumer refuses or gives up. The message names the thing, the value and the way out. */
export class ConsumerError extends Error {
  override readonly name = 'ConsumerError';
  readonly code: ConsumerErrorCode;

  constructor(code: ConsumerErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
