import type { Metrics } from '../../ports/observe.ts';
import type { QueryState } from './api.ts';

export interface QueryMetrics {
  load(running: number, queued: number): void;
  planned(bytes: number, filesSkipped: number): void;
  ended(state: QueryState, seconds: number): void;
}

const SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];

export function createQueryMetrics(metrics: Metrics): QueryMetrics {
  const running = metrics.gauge('sluice_queries_running', 'Queries that run now');
  const queued = metrics.gauge('sluice_queries_queued', 'Queries that wait for others to end');
  const bytes = metrics.counter(
    'sluice_query_scanned_bytes_total',
    'Sizes of the data files that plans of queries read',
  );
  const skipped = metrics.counter(
    'sluice_query_files_skipped_total',
    'Data files that plans of queries left out',
  );
  const ended = metrics.counter('sluice_queries_total', 'Queries that ended, by their state', ['state']);
  const seconds = metrics.histogram('sluice_query_seconds', 'From the request to the end of a query', {
    buckets: SECONDS,
  });
  return {
    load(nowRunning, nowQueued) {
      running.set(nowRunning);
      queued.set(nowQueued);
    },
    planned(scanned, left) {
      bytes.add(scanned);
      skipped.add(left);
    },
    ended(state, took) {
      ended.add(1, { state });
      seconds.observe(took);
    },
  };
}
