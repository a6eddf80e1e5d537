import module from 'node:module';
import { onInterruption } from '../exit.ts';

export interface StartFlags {
  readonly data?: string;
  readonly port?: number;
  readonly host?: string;
  readonly dev?: boolean;
  readonly config?: string;
  readonly mqttPort?: number;
  readonly mqttCert?: string;
  readonly mqttKey?: string;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** When a start has its first requests behind it. */
const KEEP_COMPILED_AFTER_MS = 2000;

/** Serves until it is told to stop, and then drains; rejects when it can't start or go on. */
export async function startCommand(flags: StartFlags): Promise<void> {
  const interruption = onInterruption();
  const { start } = await import('../../app/index.ts');
  const server = await start(flags);
  const stopped = new Promise<void>((resolve) => {
    if (interruption.signal.aborted) resolve();
    interruption.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  if (!interruption.signal.aborted) process.stdout.write(`ready ${server.url}\n`);
  // Otherwise only a clean exit would keep what Node compiled, and a killed server would start slowly for ever.
  setTimeout(() => module.flushCompileCache(), KEEP_COMPILED_AFTER_MS).unref();
  try {
    await Promise.race([stopped, server.failed]);
  } finally {
    await server.close();
  }
}
