/** `sluice table …` with its options and help. */
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import type { TableOptions } from '../commands/table.ts';
import type { OperationName, Operations } from './operations.ts';

export interface TableProgramParts {
  readonly withServer: (command: Command) => Command;
  readonly examples: (lines: readonly (readonly [string, string])[]) => string;
}

/** Adds the command with one subcommand an operation; their code is loaded when they run. */
export function addTable(program: Command, parts: TableProgramParts): void {
  const { examples } = parts;
  const table = program
    .command('table')
    .description('maintain tables: those of a server by database.table, others by their directory')
    .addHelpText(
      'after',
      examples([
        ['sluice table history flights.departures', 'who changed what, and when'],
        ['sluice table optimize flights.departures', 'join small files'],
        ['sluice table vacuum ./lake/departures --dry-run', 'a table in a directory, in this process'],
      ]),
    );
  const command = (
    name: OperationName,
    what: string,
    lines: readonly (readonly [string, string])[],
  ): Command =>
    parts
      .withServer(table.command(name))
      .description(what)
      .argument('<table>', 'database.table of the server, or a directory with a Delta log')
      .addOption(
        new Option('-f, --format <format>', 'table or json').choices(['table', 'json']).default('table'),
      )
      .addHelpText('after', examples(lines));
  addReading(command);
  addChanging(command);
}

type AddCommand = (
  name: OperationName,
  what: string,
  lines: readonly (readonly [string, string])[],
) => Command;

function addReading(command: AddCommand): void {
  command('history', 'show the commits, the newest first', [
    ['sluice table history flights.departures --limit 5', ''],
  ])
    .option('-n, --limit <count>', 'commits to show', positive, 20)
    .action((name: string, { limit, ...rest }: TableOptions & { limit: number }) =>
      run('history', name, { ...rest, options: { limit } }),
    );
  command('detail', 'show what a table is, and what its files are like', [
    ['sluice table detail flights.departures', ''],
  ]).action((name: string, rest: TableOptions) => run('detail', name, { ...rest, options: {} }));
  command('diff', 'show what differs from one version to another', [
    ['sluice table diff flights.departures 3', 'to the newest version'],
    ['sluice table diff flights.departures 3 5', ''],
  ])
    .addArgument(new Argument('<from>', 'a version').argParser(whole))
    .addArgument(new Argument('[to]', 'a version (default: the newest)').argParser(whole))
    .action((name: string, from: number, to: number | undefined, rest: TableOptions) =>
      run('diff', name, { ...rest, options: { from, ...(to === undefined ? {} : { to }) } }),
    );
  command('fsck', 'hold a table against its files and its log; ends with 1 when something is wrong', [
    ['sluice table fsck flights.departures', 'changes nothing'],
    ['sluice table fsck flights.departures --repair', 'take files that are missing out of the table'],
  ])
    .option('--deep', 'read the footer of every data file')
    .option('--repair', 'remove files that are missing from the table, so that the rest can be read again')
    .action((name: string, { deep, repair, ...rest }: TableOptions & { deep?: true; repair?: true }) =>
      run('fsck', name, { ...rest, options: { dryRun: repair !== true, ...(deep ? { deep } : {}) } }),
    );
}

function addChanging(command: AddCommand): void {
  command('optimize', 'join small files and drop deleted rows, while the table is used', [
    ['sluice table optimize flights.departures', ''],
    [`sluice table optimize flights.departures --where "day >= '2026-01-01'"`, 'some partitions'],
    ['sluice table optimize flights.departures --z-order origin,delay', 'sort along a curve'],
  ])
    .option('--where <condition>', 'only partitions for which this condition on partition columns is true')
    .option('--z-order <columns>', 'sort rows along a Z-order curve through these columns', list)
    .option('--full', 'cluster all of a clustered table, not only what came since')
    .option('--purge', 'rewrite only files with deleted rows, however few')
    .action((name: string, { where, zOrder, full, purge, ...rest }: TableOptions & OptimizeFlags) => {
      const options = {
        ...(where === undefined ? {} : { where }),
        ...(zOrder === undefined ? {} : { zOrderBy: zOrder }),
        ...(full ? { full } : {}),
        ...(purge ? { purge } : {}),
      };
      return run('optimize', name, { ...rest, options });
    });
  command('vacuum', 'delete files that no version within the retention needs', [
    ['sluice table vacuum flights.departures --dry-run', 'what would go'],
    ['sluice table vacuum flights.departures --retain 24 --force', 'less than the table itself retains'],
  ])
    .option(
      '--retain <hours>',
      "hours for which replaced files stay (default: the table's own setting)",
      whole,
    )
    .option('--dry-run', 'delete nothing')
    .option('--force', 'allow a retention below that of the table: it can take files from running readers')
    .action((name: string, { retain, dryRun, force, ...rest }: TableOptions & VacuumFlags) => {
      const options = {
        ...(retain === undefined ? {} : { retentionHours: retain }),
        ...(dryRun ? { dryRun } : {}),
        ...(force ? { retentionCheck: false } : {}),
      };
      return run('vacuum', name, { ...rest, options });
    });
  command('restore', 'make the table what it was, in a new version', [
    ['sluice table restore flights.departures --to 12', ''],
    ['sluice table restore flights.departures --to 2026-01-31T12:00Z', ''],
  ])
    .requiredOption('--to <version|time>', 'a version, or the newest one at a time (ISO 8601)')
    .action(async (name: string, { to, ...rest }: TableOptions & { to: string }) => {
      const { versionOrTime } = await import('../commands/table.ts');
      await run('restore', name, { ...rest, options: versionOrTime(to) });
    });
}

interface OptimizeFlags {
  readonly where?: string;
  readonly zOrder?: string[];
  readonly full?: true;
  readonly purge?: true;
}

interface VacuumFlags {
  readonly retain?: number;
  readonly dryRun?: true;
  readonly force?: true;
}

async function run<Name extends OperationName>(
  operation: Name,
  table: string,
  given: TableOptions & { readonly options: Operations[Name]['options'] },
): Promise<void> {
  const { tableCommand } = await import('../commands/table.ts');
  await tableCommand(operation, table, given);
}

function whole(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('It must be a whole number from 0.');
}

function positive(text: string): number {
  const value = whole(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a whole number from 1.');
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
