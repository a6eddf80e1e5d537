import type { PlatformError } from '../../base/errors.ts';
import type { RecordsIn } from '../streams/index.ts';

/** Streams into Delta tables, exactly once (SPEC.md beside this file). */
export interface Delivery {
  create(input: CreateDelivery): Promise<DeliveryDescription>;
  describe(name: string): Promise<DeliveryDescription>;
  list(page: {
    readonly startAfter?: string;
    readonly limit: number;
  }): Promise<{ names: readonly string[]; more: boolean }>;
  /** Direct puts that were acknowledged and not delivered are delivered before it resolves, or it is refused. */
  delete(name: string): Promise<void>;
  update(name: string, change: DeliveryChange): Promise<DeliveryDescription>;
  /** A direct put: durable in the delivery's internal stream on return. Gives one id a record. */
  put(name: string, data: RecordsIn['data']): Promise<string[]>;
  /** Position, lag and totals, for `sluice status` and metrics. */
  progress(): Promise<DeliveryProgress[]>;
}

export type DeliveryErrorCode =
  | 'delivery-not-found'
  | 'delivery-exists'
  | 'invalid'
  | 'not-direct-put'
  | 'version-mismatch'
  | 'source-not-found'
  | 'table-not-found'
  | 'in-use'
  | 'unsupported'
  | 'overloaded'
  | 'storage-full';
export type DeliveryError = PlatformError<DeliveryErrorCode>;

export interface CreateDelivery {
  readonly name: string;
  /**
   * A stream is delivered from its oldest record on, unless `startAt` is `latest`: then from the record that comes
   * first after `create`.
   */
  readonly source:
    | { readonly kind: 'direct' }
    | { readonly kind: 'stream'; readonly stream: string; readonly startAt?: 'oldest' | 'latest' };
  readonly destination: Destination;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface Destination {
  readonly database: string;
  readonly table: string;
  /** A micro-batch is committed when either is met. 0 … 900 s, and 1 … 128 MiB. */
  readonly bufferingIntervalSeconds: number;
  readonly bufferingSizeMiB: number;
  /** Kept and returned as they were given; the table decides where rows go. */
  readonly passthrough: Readonly<Record<string, unknown>>;
}

export interface DeliveryChange {
  /** The version that the caller saw; refused with `version-mismatch` when it is not the present one. */
  readonly expectedVersionId: string;
  readonly destination: Partial<Destination>;
}

export interface DeliveryDescription extends CreateDelivery {
  readonly id: string;
  readonly versionId: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly state: 'ACTIVE' | 'FAILING';
  /** Why it can't go on now, for the user; it goes on trying. */
  readonly failure?: string;
}

export interface DeliveryProgress {
  readonly name: string;
  readonly table: string;
  readonly state: 'ACTIVE' | 'FAILING';
  readonly failure?: string;
  /** Records acknowledged and not yet in the table or among the rejected. */
  readonly lagRecords: number;
  /** Age of the oldest of them; 0 when there is none. */
  readonly lagMs: number;
  /** Since the process started. */
  readonly rowsDelivered: number;
  readonly recordsRejected: number;
  readonly fieldsIgnored: number;
}
