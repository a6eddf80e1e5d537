import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Metrics } from '../../ports/observe.ts';

/** Metrics of this process in the Prometheus text format. */
export interface PrometheusMetrics extends Metrics {
  /** The text of a scrape and its content type. */
  scrape(): Promise<{ contentType: string; text: string }>;
}

export function createMetrics(): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const known = <Kind>(name: string, make: () => Kind): Kind =>
    (registry.getSingleMetric(name) as Kind | undefined) ?? make();
  return {
    counter(name, help, labels = []) {
      const counter = known(
        name,
        () => new Counter({ name, help, labelNames: [...labels], registers: [registry] }),
      );
      return { add: (value, values = {}) => counter.inc(values, value) };
    },
    gauge(name, help, labels = []) {
      const gauge = known(
        name,
        () => new Gauge({ name, help, labelNames: [...labels], registers: [registry] }),
      );
      return { set: (value, values = {}) => gauge.set(values, value) };
    },
    histogram(name, help, { labels = [], buckets }) {
      const histogram = known(
        name,
        () =>
          new Histogram({
            name,
            help,
            labelNames: [...labels],
            buckets: [...buckets],
            registers: [registry],
          }),
      );
      return { observe: (value, values = {}) => histogram.observe(values, value) };
    },
    scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
