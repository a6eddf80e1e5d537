/** Long output through a pager, if there is one. */
import { spawn, spawnSync } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/** -F: no paging of what fits; -R: colours; -S: long lines are scrolled, not folded; -X: it stays on the screen. */
const LESS = ['less', '-FRSX'] as const;

/** The command of PAGER, else less; undefined when neither can be had. */
export function findPager(environment: Environment = process.env): string[] | undefined {
  const chosen = environment['PAGER']?.trim();
  if (chosen === 'cat') return undefined;
  if (chosen) return chosen === LESS[0] ? [...LESS] : chosen.split(/\s+/);
  const has = spawnSync(LESS[0], ['--version'], { stdio: 'ignore' });
  return has.error === undefined && has.status === 0 ? [...LESS] : undefined;
}

/** Resolves when the reader has left the pager; false when it could not be run. */
export async function page(text: string, [program = '', ...args]: readonly string[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  child.on('error', () => resolve(false));
  child.on('close', () => resolve(true));
  // Who leaves the pager early closes its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(text);
  // ^C is the pager's while it runs.
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  try {
    return await promise;
  } finally {
    process.off('SIGINT', ignore);
  }
}
