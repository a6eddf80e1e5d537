import type { Metrics } from '../../../ports/observe.ts';

export interface JournalMetrics {
  group(group: { bytes: number; batches: number; syncMs: number }): void;
  segments(count: number): void;
}

const SYNC_SECONDS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

export function journalMetrics(metrics: Metrics): JournalMetrics {
  const bytesWritten = metrics.counter(
    'sluice_streams_journal_bytes_total',
    'Bytes made durable in the journal',
  );
  const batchesWritten = metrics.counter(
    'sluice_streams_journal_requests_total',
    'Append requests made durable',
  );
  const syncs = metrics.histogram('sluice_streams_sync_seconds', 'Duration of the syncs of the journal', {
    buckets: SYNC_SECONDS,
  });
  const segmentCount = metrics.gauge('sluice_streams_segments', 'Segment files of the journal');
  return {
    group({ bytes, batches, syncMs }) {
      bytesWritten.add(bytes);
      batchesWritten.add(batches);
      syncs.observe(syncMs / 1000);
    },
    segments: (count) => segmentCount.set(count),
  };
}
