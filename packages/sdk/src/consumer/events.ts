/** What happens in a consumer, for logs and metrics. */
export type ConsumerEvent =
  | {
      readonly kind: 'lease-taken';
      readonly shardId: string;
      readonly term: number;
      readonly from: string | undefined;
    }
  | { readonly kind: 'lease-asked-for'; readonly shardId: string; readonly owner: string }
  | { readonly kind: 'lease-given-up'; readonly shardId: string; readonly to: string | undefined }
  | { readonly kind: 'lease-lost'; readonly shardId: string }
  | { readonly kind: 'shard-ended'; readonly shardId: string }
  /** Retention removed the shard before all of it was read: records are missing. */
  | { readonly kind: 'shard-gone'; readonly shardId: string }
  | {
      readonly kind: 'batch-processed';
      readonly shardId: string;
      readonly records: number;
      readonly tookMs: number;
    }
  | {
      readonly kind: 'process-failed';
      readonly shardId: string;
      readonly attempt: number;
      readonly error: unknown;
    }
  /** A batch that `onError` said to leave out: its records are passed over. */
  | {
      readonly kind: 'batch-skipped';
      readonly shardId: string;
      readonly records: number;
      readonly error: unknown;
    }
  | { readonly kind: 'throttled'; readonly shardId: string }
  | { readonly kind: 'read-failed'; readonly shardId: string; readonly error: unknown }
  /** An aggregated record that is not whole; it is delivered as it is. */
  | {
      readonly kind: 'malformed-aggregate';
      readonly shardId: string;
      readonly sequenceNumber: string;
      readonly reason: string;
    }
  | { readonly kind: 'store-failed'; readonly error: unknown }
  | { readonly kind: 'discovery-failed'; readonly error: unknown };

export type Report = (event: ConsumerEvent) => void;
