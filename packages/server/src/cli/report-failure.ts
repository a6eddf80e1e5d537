import { CommanderError } from 'commander';
import { CliError, EXIT } from './exit.ts';
import { terminalOn } from './terminal/terminal.ts';

/** Shows why a command failed and what to do next on standard error; gives the exit code. */
export function reportFailure(error: unknown): number {
  // Commander has shown its own message; help and version are no failures.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { paint, write } = terminalOn(process.stderr);
  const hint = error instanceof Error && 'hint' in error ? error.hint : undefined;
  const known = error instanceof CliError || (error instanceof Error && error.name === 'PlatformError');
  const message = error instanceof Error ? error.message : String(error);
  write(`${paint('red', 'error:')} ${message}\n`);
  if (typeof hint === 'string') write(`${paint('dim', 'next:')}  ${hint}\n`);
  if (!known && error instanceof Error) {
    const stack = error.stack?.split('\n').slice(1).join('\n') ?? '';
    write(
      `${paint('dim', stack)}\n${paint('dim', 'next:')}  This is a defect of Sluice; please report it with the lines above.\n`,
    );
  }
  if (error instanceof CliError) return error.exitCode;
  const isConfig = error instanceof Error && 'code' in error && error.code === 'config';
  return isConfig ? EXIT.usage : EXIT.failed;
}
