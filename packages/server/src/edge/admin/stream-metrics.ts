/**
 * The facts of streams in the Prometheus text format (exposition format 0.0.4), made at the time of a scrape. Labels
 * name streams and consumers, never shards, whose number has no bound that a scrape could bear.
 */
import type { ConsumerFacts, StreamFacts } from '../../modules/streams/index.ts';

/** In the order of names; `sluice_streams_left_out` tells of the others. */
export const SCRAPED_STREAMS_MAX = 1_000;

interface Metric {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
}

interface OfStreams extends Metric {
  /** Undefined for a stream that has no such value now. */
  readonly value: (facts: StreamFacts) => number | undefined;
}

const OF_STREAMS: readonly OfStreams[] = [
  {
    name: 'sluice_stream_in_bytes_total',
    kind: 'counter',
    help: 'Keys and data that were appended',
    value: ({ totals }) => totals.inBytes,
  },
  {
    name: 'sluice_stream_in_records_total',
    kind: 'counter',
    help: 'Records that were appended',
    value: ({ totals }) => totals.inRecords,
  },
  {
    name: 'sluice_stream_out_bytes_total',
    kind: 'counter',
    help: 'Keys and data that were given to GetRecords and to subscriptions',
    value: ({ totals }) => totals.outBytes,
  },
  {
    name: 'sluice_stream_out_records_total',
    kind: 'counter',
    help: 'Records that were given to GetRecords and to subscriptions',
    value: ({ totals }) => totals.outRecords,
  },
  {
    name: 'sluice_stream_throttled_records_total',
    kind: 'counter',
    help: 'Records that their shard had no capacity for',
    value: ({ totals }) => totals.throttledRecords,
  },
  {
    name: 'sluice_stream_throttled_reads_total',
    kind: 'counter',
    help: 'GetRecords that their shard had no capacity for',
    value: ({ totals }) => totals.throttledReads,
  },
  {
    name: 'sluice_stream_refused_records_total',
    kind: 'counter',
    help: 'Records of appends that were refused as a whole',
    value: ({ totals }) => totals.refusedRecords,
  },
  {
    name: 'sluice_stream_open_shards',
    kind: 'gauge',
    help: 'Shards that take records',
    value: ({ openShards }) => openShards,
  },
  {
    name: 'sluice_stream_hot_shards',
    kind: 'gauge',
    help: 'Open shards that take far more than the others, or nearly all that they may',
    value: ({ hotShards }) => hotShards,
  },
  {
    name: 'sluice_stream_oldest_record_age_seconds',
    kind: 'gauge',
    help: 'Age of the oldest readable record',
    value: ({ oldestAgeMs }) => (oldestAgeMs === undefined ? undefined : oldestAgeMs / 1_000),
  },
  {
    name: 'sluice_stream_readers_behind_seconds',
    kind: 'gauge',
    help: 'The most that a recent GetRecords was behind the newest record',
    value: ({ readersBehindMs }) => readersBehindMs / 1_000,
  },
];

const CONSUMER_LAG: Metric = {
  name: 'sluice_consumer_lag_seconds',
  kind: 'gauge',
  help: 'Lag of a consumer with enhanced fan-out in the shard where it is furthest behind',
};
const LEFT_OUT: Metric = {
  name: 'sluice_streams_left_out',
  kind: 'gauge',
  help: 'Streams that no other metric of streams tells of',
};

/** Lines that end with a newline, to be added to those of the process. */
export function streamMetrics({
  streams,
  consumers,
}: {
  readonly streams: readonly StreamFacts[];
  readonly consumers: readonly ConsumerFacts[];
}): string {
  const told = streams.slice(0, SCRAPED_STREAMS_MAX);
  const names = new Set(told.map(({ name }) => name));
  const parts = OF_STREAMS.map((metric) => {
    const lines = told.map((facts) => {
      const value = metric.value(facts);
      return value === undefined ? '' : line(metric, { stream: facts.name }, value);
    });
    return head(metric) + lines.join('');
  });
  const lags = consumers
    .filter(({ stream }) => names.has(stream))
    .map(({ stream, consumer, shards }) => {
      const lagMs = Math.max(0, ...shards.map((shard) => shard.lagMs));
      return line(CONSUMER_LAG, { stream, consumer }, lagMs / 1_000);
    });
  parts.push(head(CONSUMER_LAG) + lags.join(''));
  parts.push(head(LEFT_OUT) + line(LEFT_OUT, {}, streams.length - told.length));
  return parts.join('');
}

const head = ({ name, kind, help }: Metric): string => `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;

function line({ name }: Metric, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
