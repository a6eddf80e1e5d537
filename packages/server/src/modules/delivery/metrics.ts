import type { Counter, Gauge, Histogram, Metrics } from '../../ports/observe.ts';

export interface DeliveryMetrics {
  readonly rows: Counter;
  readonly rejected: Counter;
  readonly ignoredFields: Counter;
  readonly expired: Counter;
  readonly batches: Counter;
  readonly failures: Counter;
  readonly commitSeconds: Histogram;
  readonly lagSeconds: Gauge;
}

export function deliveryMetrics(metrics: Metrics): DeliveryMetrics {
  const labels = ['delivery'];
  return {
    rows: metrics.counter('sluice_delivery_rows_total', 'Rows committed to tables', labels),
    rejected: metrics.counter('sluice_delivery_rejected_records_total', 'Records in the rejected tables', [
      ...labels,
      'code',
    ]),
    ignoredFields: metrics.counter(
      'sluice_delivery_ignored_fields_total',
      'Members of records that are no column',
      labels,
    ),
    expired: metrics.counter(
      'sluice_delivery_expired_records_total',
      'Records that retention removed before their delivery',
      labels,
    ),
    batches: metrics.counter('sluice_delivery_batches_total', 'Batches committed', labels),
    failures: metrics.counter(
      'sluice_delivery_failures_total',
      'Attempts that failed and are repeated',
      labels,
    ),
    commitSeconds: metrics.histogram('sluice_delivery_commit_seconds', 'From a closed batch to its commit', {
      labels,
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    }),
    lagSeconds: metrics.gauge(
      'sluice_delivery_lag_seconds',
      'Age of the oldest record of the last batch at its commit',
      labels,
    ),
  };
}
