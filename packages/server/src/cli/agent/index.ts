/** `sluice agent`: tails files into streams and deliveries until it is told to stop. */
import { isNetworkError } from '../clients.ts';
import { messageOf, type ServerOptions } from '../connection.ts';
import { CliError, EXIT, onInterruption, SilentExit } from '../exit.ts';
import { liveOn } from '../terminal/live.ts';
import { terminalOn } from '../terminal/terminal.ts';
import { bytes, count } from '../terminal/units.ts';
import { Checkpoints } from './checkpoints.ts';
import { destinationOf, idOf, loadAgentConfig, type AgentConfig, type FlowConfig } from './config.ts';
import { Flow } from './flow.ts';
import { FlowMetrics, metricsPage, serveMetrics } from './metrics.ts';
import { createSender } from './sender.ts';
import { clientsOf, targetOf } from './target.ts';

export interface AgentOptions extends ServerOptions {
  readonly config: string;
  readonly once?: boolean;
  readonly metricsPort?: number;
}

const STATUS_MS = 1_000;

/** Resolves when all is delivered (`--once`) or after a stop in order; rejects when it can't go on. */
export async function agentCommand(options: AgentOptions): Promise<void> {
  const config = loadAgentConfig(options.config);
  for (const flow of config.flows) targetOf(destinationOf(flow).service, config, options);
  const checkpoints = Checkpoints.open(config.checkpointFile, {
    timeToLiveDays: config.checkpointTimeToLiveDays,
  });
  try {
    await runFlows(config, options, checkpoints);
  } finally {
    checkpoints.close();
  }
}

async function runFlows(config: AgentConfig, options: AgentOptions, checkpoints: Checkpoints): Promise<void> {
  const interruption = onInterruption();
  const live = liveOn(terminalOn(process.stderr));
  const metrics = new Map(config.flows.map((flow) => [idOf(flow), new FlowMetrics()]));
  const clients = clientsOf(config, options);
  const once = options.once === true;
  const failed = new AbortController();
  const abandoned = new AbortController();
  const stop = AbortSignal.any([interruption.signal, failed.signal]);
  stop.addEventListener('abort', () =>
    setTimeout(
      () => abandoned.abort(new SilentExit(interruption.exitCode() ?? EXIT.failed)),
      config.shutdownTimeoutMillis,
    ).unref(),
  );
  const page = await pageFor(options.metricsPort, metrics);
  const status = setInterval(
    () =>
      live.show(
        () => statusLines(config.flows, metrics),
        () => statusLines(config.flows, metrics).join('; '),
      ),
    STATUS_MS,
  );
  process.stderr.write(`agent: ${config.flows.map(titleOf).join(', ')}\n`);
  try {
    const running = config.flows.map(async (flow) => {
      const own = metrics.get(idOf(flow))!;
      const warn = (message: string) => live.print(`${titleOf(flow)}: ${message}`);
      const onProblem = (problem: string | undefined) => warn(problem ?? 'goes on');
      const sender = createSender({ config: flow, clients, metrics: own, once, onProblem });
      try {
        await new Flow({ config: flow, checkpoints, sender, metrics: own, once, warn }).run({
          stop,
          abandon: abandoned.signal,
        });
      } catch (error) {
        failed.abort(error);
        throw endOf(error, flow, options, config);
      }
    });
    const ended = await Promise.allSettled(running);
    live.clear();
    process.stderr.write(`${statusLines(config.flows, metrics).join('\n')}\n`);
    for (const each of ended) if (each.status === 'rejected') throw each.reason;
    const exitCode = interruption.exitCode();
    if (exitCode !== undefined) throw new SilentExit(exitCode === EXIT.terminated ? EXIT.ok : exitCode);
  } finally {
    clearInterval(status);
    page?.close();
    interruption.release();
  }
}

async function pageFor(port: number | undefined, metrics: ReadonlyMap<string, FlowMetrics>) {
  if (port === undefined) return undefined;
  try {
    return await serveMetrics(port, () => metricsPage(metrics));
  } catch (cause) {
    throw new CliError(`the metrics can't be served at port ${port}: ${messageOf(cause)}`, { cause });
  }
}

function endOf(error: unknown, flow: FlowConfig, options: AgentOptions, config: AgentConfig): unknown {
  if (error instanceof CliError || error instanceof SilentExit) return error;
  const { shown } = targetOf(destinationOf(flow).service, config, options);
  const network = isNetworkError(error);
  return new CliError(`${titleOf(flow)}: ${messageOf(error) || 'no connection'} (${shown})`, {
    exitCode: network ? EXIT.noServer : EXIT.failed,
    hint: 'What is not delivered is read again at the next start.',
    cause: error,
  });
}

function titleOf(flow: FlowConfig): string {
  const { service, name } = destinationOf(flow);
  return `${flow.filePattern} → ${service === 'kinesis' ? 'stream' : 'delivery'} ${name}`;
}

function statusLines(flows: readonly FlowConfig[], metrics: ReadonlyMap<string, FlowMetrics>): string[] {
  return flows.map((flow) => {
    const { counts, levels, problem } = metrics.get(idOf(flow))!;
    const state = problem === undefined ? '' : `, failing: ${problem}`;
    return `${titleOf(flow)}: ${count(counts.records)} records, ${bytes(counts.bytes)}, ${count(levels.files)} files${state}`;
  });
}
