/** What the agent counts, and its page for Prometheus. */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';

const COUNTERS = {
  records: 'Records that were delivered',
  bytes: 'Bytes of their data',
  retried: 'Records that were sent again',
  truncated: 'Records that were cut to the largest size',
  unprocessed: 'Records that an option could not process, sent as they stood',
  batches: 'Batches that were delivered',
  failures: 'Requests that failed, or failed in part',
} as const;
const GAUGES = { files: 'Files that are followed', behind: 'Bytes in them that are not delivered' } as const;

type CounterName = keyof typeof COUNTERS;

export class FlowMetrics {
  readonly counts: Record<CounterName, number> = {
    records: 0,
    bytes: 0,
    retried: 0,
    truncated: 0,
    unprocessed: 0,
    batches: 0,
    failures: 0,
  };
  readonly levels = { files: 0, behind: 0 };
  /** Why nothing is delivered at the moment. */
  problem: string | undefined;

  add(name: CounterName, value: number): void {
    this.counts[name] += value;
  }

  files(count: number): void {
    this.levels.files = count;
  }

  behind(bytes: number): void {
    this.levels.behind = bytes;
  }
}

/** In the text format of Prometheus. */
export function metricsPage(flows: ReadonlyMap<string, FlowMetrics>): string {
  const lines: string[] = [];
  const add = (name: string, type: string, help: string, value: (flow: FlowMetrics) => number) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [flow, metrics] of flows)
      lines.push(`${name}{flow="${flow.replaceAll(/[\\"]/g, String.raw`\$&`)}"} ${value(metrics)}`);
  };
  for (const [name, help] of Object.entries(COUNTERS))
    add(`sluice_agent_${name}_total`, 'counter', help, (flow) => flow.counts[name as CounterName]);
  for (const [name, help] of Object.entries(GAUGES))
    add(`sluice_agent_${name}`, 'gauge', help, (flow) => flow.levels[name as keyof typeof GAUGES]);
  add('sluice_agent_failing', 'gauge', '1 while nothing can be delivered', (flow) =>
    flow.problem === undefined ? 0 : 1,
  );
  return `${lines.join('\n')}\n`;
}

/** Serves the page at /metrics of loopback; rejects when the port is taken. */
export async function serveMetrics(port: number, page: () => string): Promise<Server> {
  const server = createServer((request, response) => {
    const found = request.url === '/metrics';
    response.writeHead(found ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(found ? page() : 'the metrics are at /metrics\n');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
