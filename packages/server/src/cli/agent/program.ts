/** `sluice agent` with its options and help. */
import type { Command } from 'commander';
import type { AgentOptions } from './index.ts';

interface Shared {
  readonly withServer: (command: Command) => Command;
  readonly examples: (lines: readonly (readonly [string, string])[]) => string;
  readonly port: (text: string) => number;
}

export function addAgent(program: Command, { withServer, examples, port }: Shared): void {
  withServer(program.command('agent'))
    .description('tail files into streams and deliveries, as the Amazon Kinesis Agent does')
    .requiredOption('--config <file>', 'JSON file with flows; an agent.json of the Kinesis Agent will do')
    .option('--once', 'deliver what is in the files now, from their beginning or where it was left, and end')
    .option('--metrics-port <port>', 'serve /metrics for Prometheus at this port of loopback', port)
    .addHelpText(
      'after',
      `
Files are followed through rotation by name and by copy and truncation. Positions are in "checkpointFile" (default:
~/.sluice-agent/checkpoints.json); each record is delivered at least once. ^C or SIGTERM delivers what is read and ends.
It sends to --endpoint or --data, else to "kinesis.endpoint" and "firehose.endpoint" of the file, else to
$AWS_ENDPOINT_URL, else to AWS in "kinesis.region", else to the server of ./.sluice.
${examples([
  ['sluice agent --config agent.json', 'to the server that runs here'],
  ['sluice agent --config agent.json --once', 'what is there, and no more'],
  ['sluice agent --config /etc/aws-kinesis/agent.json --metrics-port 9101', ''],
])}
  agent.json: {"flows": [{"filePattern": "/var/log/app.log*", "kinesisStream": "logs"}]}`,
    )
    .action(async (options: AgentOptions) => {
      const { agentCommand } = await import('./index.ts');
      await agentCommand(options);
    });
}
