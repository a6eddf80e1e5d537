/** The `sluice` command: options, help and exit codes. What a command needs is loaded when it runs. */
import { EXIT, SilentExit } from './exit.ts';
import { buildProgram } from './program.ts';
import { reportFailure } from './report-failure.ts';

// A launcher or a parent that dies takes this process along, unless it says that it shall stay.
if (process.channel !== undefined) {
  let stays = false;
  process.on('message', (message) => (stays ||= message === 'stay'));
  process.once('disconnect', () => stays || process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}
// Whoever reads the output may stop reading: `sluice sql … | head` is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

let exitCode: number = EXIT.ok;
try {
  await buildProgram().parseAsync();
} catch (error) {
  exitCode = error instanceof SilentExit ? error.exitCode : reportFailure(error);
}
// Kept-alive connections must not hold the process; on POSIX all output has been handed over by now.
process.exit(exitCode);
