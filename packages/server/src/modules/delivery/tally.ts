import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import type { Batch } from './batch.ts';
import type { DeliveryMetrics } from './metrics.ts';

export interface TallyOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: DeliveryMetrics;
}

/** What a delivery delivered since it was started, told to metrics and log as well. */
export class Tally {
  rowsDelivered = 0;
  recordsRejected = 0;
  fieldsIgnored = 0;
  readonly #options: TallyOptions;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  /** Counts a batch that is in its table; gives the time from its end to now. */
  committed({ sealed, sealedMs, firstArrivalMs }: Batch, delivery: string): number {
    const { metrics, clock, logger } = this.#options;
    const rows = sealed!.rows?.rows ?? 0;
    const rejected = sealed!.rejected?.rows ?? 0;
    this.rowsDelivered += rows;
    this.recordsRejected += rejected;
    this.fieldsIgnored += sealed!.fieldsIgnored;
    const commitMs = clock.monotonicMs() - sealedMs;
    const lagMs = Math.max(0, clock.nowMs() - firstArrivalMs);
    metrics.rows.add(rows, { delivery });
    for (const [code, count] of Object.entries(sealed!.rejectedByCode))
      metrics.rejected.add(count, { delivery, code });
    metrics.ignoredFields.add(sealed!.fieldsIgnored, { delivery });
    metrics.batches.add(1, { delivery });
    metrics.commitSeconds.observe(commitMs / 1000, { delivery });
    metrics.lagSeconds.set(lagMs / 1000, { delivery });
    logger.debug({ delivery, rows, rejected, commitMs, lagMs }, 'a batch is in its table');
    return commitMs;
  }

  expired(shard: string, records: number, delivery: string): void {
    const { metrics, logger } = this.#options;
    metrics.expired.add(records, { delivery });
    logger.warn({ delivery, shard, records }, 'retention removed records before they were delivered');
  }
}
