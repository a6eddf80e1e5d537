import { destination, pino } from 'pino';
import type { Logger } from '../../ports/observe.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** JSON lines on standard error, so that standard output stays for what a command answers. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    { level, base: {}, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: 2, sync: true }),
  );
}
