/** How a command ends: its exit codes, its errors, and what an interruption does. */
export const EXIT = { ok: 0, failed: 1, usage: 2, noServer: 3, interrupted: 130, terminated: 143 } as const;

export interface CliErrorOptions {
  readonly exitCode?: number;
  /** What to do next, as a sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** An end with a message for the person at the terminal. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(message: string, { exitCode = EXIT.failed, hint, cause }: CliErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** Ends without a message: whoever throws it has shown why. */
export class SilentExit extends Error {
  override readonly name = 'SilentExit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** Below this a second signal is taken for the same key press: a launcher passes on what the terminal sent to all. */
const SAME_PRESS_MS = 250;

export interface Interruption {
  readonly signal: AbortSignal;
  /** The exit code that tells which signal it was; undefined before there was one. */
  exitCode(): number | undefined;
  /** Gives the signals back to whoever handled them before. */
  release(): void;
}

/** The first ^C or SIGTERM aborts the signal, so that a command can end in order; the second one ends the process at once. */
export function onInterruption(): Interruption {
  const controller = new AbortController();
  let code: number | undefined;
  let firstMs = 0;
  const handle = (name: NodeJS.Signals) => {
    const exitCode = name === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted;
    if (code === undefined) {
      code = exitCode;
      firstMs = performance.now();
      controller.abort(new SilentExit(exitCode));
    } else if (performance.now() - firstMs > SAME_PRESS_MS) {
      process.exit(exitCode);
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, handle);
  return {
    signal: controller.signal,
    exitCode: () => code,
    release: () => {
      for (const name of signals) process.off(name, handle);
    },
  };
}
