/** The commands with their options and help. Actions load their code when they run, so that help is instant. */
import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { DemoOptions } from './demo/index.ts';
import type { EnvOptions } from './commands/env.ts';
import type { SqlOptions } from './commands/sql.ts';
import type { StartFlags } from './commands/start.ts';
import type { StatusOptions } from './commands/status.ts';
import { ENV_FORMATS } from './commands/env-formats.ts';
import { SQL_FORMATS } from './sql/formats.ts';
import { addAgent } from './agent/program.ts';
import { addTable } from './table/program.ts';

const PORT_MAX = 65_535;
const EXIT_CODES = `

Exit codes:
  0  done    1  failed    2  wrong usage    3  no server answers    130  interrupted`;

export function buildProgram(): Command {
  const program = new Command('sluice')
    .description(
      'A serverless analytics platform in one durable process: streams, delivery, Delta tables, SQL.',
    )
    .version(version(), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError('(add --help for what is accepted)')
    .configureHelp({
      styleTitle: (text) => styleText('bold', text),
      styleCommandText: (text) => styleText('cyan', text),
      styleOptionText: (text) => styleText('cyan', text),
    })
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error:/, styleText('red', 'error:'))),
    })
    .exitOverride()
    .addHelpText(
      'after',
      examples([
        ['sluice demo', 'real flights: stream them into a table, query them'],
        ['sluice start', 'serve http://127.0.0.1:4566 from ./.sluice'],
        ['eval "$(sluice env)"', 'point the AWS CLI and SDKs of this shell to it'],
        ['sluice sql "select 42"', 'one answer; without a statement, a shell'],
        ['sluice status --watch', 'streams, deliveries and tables as they change'],
        ['sluice table optimize flights.departures', 'maintain a table'],
        ['sluice agent --config agent.json', 'tail files into a stream'],
      ]) + EXIT_CODES,
    );
  addStart(program);
  addEnv(program);
  addSql(program);
  addStatus(program);
  addTable(program, { withServer, examples });
  addAgent(program, { withServer, examples, port });
  addDemo(program);
  return program;
}

function addStart(program: Command): void {
  program
    .command('start')
    .description('run the server until it is told to stop')
    .option('--data <dir>', 'directory that holds every byte (default: ./.sluice)')
    .option('--port <port>', 'port of all protocols; 0 takes a free one (default: 4566)', port)
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--dev', 'accept any AWS credentials; on loopback only')
    .option('--mqtt-port <port>', 'also take messages of MQTT 3.1.1 and 5 at this port (default: off)', port)
    .option('--mqtt-cert <file>', 'certificate (PEM) for MQTT over TLS')
    .option('--mqtt-key <file>', 'key (PEM) of that certificate')
    .option('--config <file>', 'JSON file with settings')
    .addOption(
      new Option('--log-level <level>', 'what to log on standard error (default: info)').choices([
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .addHelpText(
      'after',
      `
Prints "ready <url>" when it serves; logs go to standard error. SIGTERM or ^C drains and stops, a second one stops at
once. The first start creates a root key, which "sluice env" prints. Settings come from flags, then the environment,
then the file of --config or SLUICE_CONFIG, then the defaults (docs/configuration.md).

Environment:
  SLUICE_DATA, SLUICE_PORT, SLUICE_HOST, SLUICE_DEV, SLUICE_LOG_LEVEL        as the flags
  SLUICE_MQTT_PORT, SLUICE_MQTT_CERT, SLUICE_MQTT_KEY, SLUICE_CONFIG         as the flags
  SLUICE_ACCOUNT                12 digits: the account in ARNs (default: 000000000000)
  SLUICE_LIMITS                 aws: hold streams to the quotas of Amazon Kinesis (default: off)
  SLUICE_MASTER_KEY_PASSPHRASE  encrypts the master keys of encrypted streams at rest (docs/data-directory.md)
${examples([
  ['sluice start', 'keep everything in ./.sluice'],
  ['sluice start --data /var/lib/sluice --host 0.0.0.0', 'serve other machines (signatures are verified)'],
  ['sluice start --dev --port 0', 'for tests: any credentials, a free port'],
  [
    'sluice start --mqtt-port 1883 --config sluice.json',
    'devices publish by the routes of the file (docs/mqtt.md)',
  ],
])}`,
    )
    .action(async (flags: StartFlags) => {
      const { startCommand } = await import('./commands/start.ts');
      await startCommand(flags);
    });
}

function addEnv(program: Command): void {
  withServer(program.command('env'))
    .description('print the variables that point AWS clients to the server')
    .addOption(
      new Option('--format <format>', 'sh, fish, powershell or json').choices([...ENV_FORMATS]).default('sh'),
    )
    .addHelpText(
      'after',
      examples([
        ['eval "$(sluice env)"', 'bash, zsh'],
        ['sluice env --format fish | source', 'fish'],
        ['sluice env --format powershell | Invoke-Expression', 'PowerShell'],
        ['aws kinesis list-streams', 'then: any AWS tool'],
      ]),
    )
    .action(async (options: EnvOptions) => {
      const { envCommand } = await import('./commands/env.ts');
      envCommand(options);
    });
}

function addSql(program: Command): void {
  withServer(program.command('sql'))
    .description('run SQL; without a statement, an interactive shell or the statements of standard input')
    .argument('[statement...]', 'one or more statements, separated by ;')
    .addOption(
      new Option('-f, --format <format>', 'table, csv, json or ndjson')
        .choices([...SQL_FORMATS])
        .default('table'),
    )
    .option('-d, --database <name>', 'database for names without one')
    .addHelpText(
      'after',
      `
csv, json and ndjson stream all rows with exact values: a number that JSON readers would round is a string. In csv,
NULL is empty and the empty string is "".
${examples([
  ['sluice sql "select origin, count(*) from flights.departures group by 1"', ''],
  ['sluice sql -d flights -f csv "select * from departures" > departures.csv', ''],
  ['sluice sql < report.sql', ''],
  ['sluice sql', 'the shell; \\? lists its commands'],
])}${EXIT_CODES}`,
    )
    .action(async (statement: string[], options: SqlOptions) => {
      const { sqlCommand } = await import('./commands/sql.ts');
      await sqlCommand(statement.join(' '), options);
    });
}

function addStatus(program: Command): void {
  withServer(program.command('status'))
    .description('show streams, deliveries with their lag, and tables')
    .option('--json', "print the server's answer as it is")
    .option('-w, --watch', 'refresh every second, until q or ^C')
    .addHelpText(
      'after',
      examples([
        ['sluice status', ''],
        ['sluice status --watch', ''],
        ['sluice status --json | jq .deliveries', ''],
      ]) + EXIT_CODES,
    )
    .action(async (options: StatusOptions) => {
      const { statusCommand } = await import('./commands/status.ts');
      await statusCommand(options);
    });
}

function addDemo(program: Command): void {
  program
    .command('demo')
    .description('stream real flight records into a Delta table and query it, through the public APIs only')
    .option('--rows <count>', 'how many flights, or "all" for 3 million', rows, 300_000)
    .option('--data <dir>', 'directory for the data, kept (default: a temporary one, removed at the end)')
    .option('--keep', 'leave the server running at the end')
    .option('--port <port>', 'port of the server; 0 takes a free one', port, 0)
    .addHelpText(
      'after',
      `
It starts a server of its own (or takes the one that runs on --data) and can be repeated on the same directory. The
records are those of the npm package vega-datasets (BSD-3-Clause), from the U.S. Bureau of Transportation Statistics.
${examples([
  ['sluice demo', 'within a minute'],
  ['sluice demo --rows all', 'all 3 million'],
  ['sluice demo --data ./.sluice --keep', 'go on with "sluice sql" and "sluice status"'],
])}`,
    )
    .action(async (options: DemoOptions) => {
      const { demoCommand } = await import('./demo/index.ts');
      await demoCommand(options);
    });
}

function withServer(command: Command): Command {
  return command
    .option('--data <dir>', "the server's data directory (default: $SLUICE_DATA or ./.sluice)")
    .option(
      '--endpoint <url>',
      "the server's URL, with the key of AWS_ACCESS_KEY_ID (default: $AWS_ENDPOINT_URL)",
    );
}

function examples(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.filter(([, why]) => why !== '').map(([command]) => command.length), 0);
  const shown = lines.map(
    ([command, why]) => `  ${why === '' ? command : `${command.padEnd(width)}  # ${why}`}`,
  );
  return `\n${styleText('bold', 'Examples:')}\n${shown.join('\n')}`;
}

function port(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= PORT_MAX) return value;
  throw new InvalidArgumentError(`A port is a number from 0 to ${PORT_MAX}.`);
}

function rows(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  const value = Number(text.replaceAll(/[_,]/g, ''));
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('A count is a whole number from 1, or "all".');
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
