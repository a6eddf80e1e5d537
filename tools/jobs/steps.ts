import { spawn } from 'node:child_process';
import { styleText } from 'node:util';

/** One command of a job: `command` is run without a shell from the root of the repository. */
export interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Shows the output as it comes; otherwise it is shown only when the step fails. */
  readonly live?: boolean;
}

/** Runs the steps one after another to the end, prints a line for each, and exits with 1 when any failed. */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  const failed: string[] = [];
  for (const step of steps) {
    const startMs = performance.now();
    const { code, output } = await run(step);
    const seconds = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
    console.log(`${code === 0 ? styleText('green', '✔') : styleText('red', '✘')} ${step.name} (${seconds})`);
    if (code !== 0) {
      failed.push(step.name);
      if (!step.live) console.log(output);
    }
  }
  if (failed.length === 0) return;
  console.log(styleText('red', `failed: ${failed.join(', ')}`));
  process.exitCode = 1;
}

function run(step: Step): Promise<{ code: number; output: string }> {
  const [program, ...rest] = step.command;
  const { promise, resolve } = Promise.withResolvers<{ code: number; output: string }>();
  const child = spawn(program, rest, {
    stdio: step.live ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...step.env },
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('error', (error) => resolve({ code: 1, output: `${program}: ${error.message}` }));
  child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  return promise;
}
