/** A foreign engine's process, driven by lines of JSON; see `driver.py`. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** An error that the engine itself reported. */
export class ForeignError extends Error {
  readonly type: string;

  constructor(engine: string, error: { readonly type: string; readonly message: string }) {
    super(`${engine}: ${error.type}: ${error.message}`);
    this.name = 'ForeignError';
    this.type = error.type;
  }
}

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Absolute path of the file that takes what the process says beside its answers. */
  readonly logFile: string;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly type: string; readonly message: string };
}

/** A command takes this long at most: the first ones of Spark compile much. */
const COMMAND_TIMEOUT_MS = 240_000;

export class ForeignProcess {
  readonly name: string;
  /** Of the engine and what it runs on. */
  readonly versions: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  private constructor(name: string, child: ChildProcess, versions: Readonly<Record<string, string>>) {
    this.name = name;
    this.versions = versions;
    this.#child = child;
  }

  /** Resolves once the engine takes commands; the process then lasts as long as this one, without keeping it alive. */
  static async start(options: ProcessOptions): Promise<ForeignProcess> {
    const { name, command, args, env, logFile } = options;
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', openSync(logFile, 'a')] });
    assert.ok(child.stdout !== null, 'the output is a pipe');
    const ready = Promise.withResolvers<ForeignProcess>();
    let started: ForeignProcess | undefined;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as Answer & { ready?: Record<string, string> };
      if (message.ready !== undefined) {
        started = new ForeignProcess(name, child, message.ready);
        ready.resolve(started);
      } else if (started !== undefined) started.#settle(message);
    });
    child.on('error', (error) => ready.reject(error));
    child.on('exit', (code) => {
      const message = `it ended with ${code ?? 'a signal'}; see ${logFile}`;
      ready.reject(new Error(`${name}: ${message}`));
      if (started !== undefined) started.#fail(message);
    });
    const process = await ready.promise;
    process.#keepAlive(false);
    return process;
  }

  /** The result of a command; one after another. Throws {@link ForeignError}. */
  async call(name: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = (this.#lastId += 1);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#pending.set(id, resolve);
    this.#keepAlive(true);
    const error = { type: 'Timeout', message: `"${name}" took more than ${COMMAND_TIMEOUT_MS} ms` };
    const timer = setTimeout(() => this.#settle({ id, error }), COMMAND_TIMEOUT_MS);
    this.#child.stdin?.write(`${JSON.stringify({ id, do: name, ...parameters })}\n`);
    const answer = await promise;
    clearTimeout(timer);
    if (answer.error !== undefined) throw new ForeignError(this.name, answer.error);
    return answer.result;
  }

  #settle(answer: Answer): void {
    this.#pending.get(answer.id)?.(answer);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#keepAlive(false);
  }

  #fail(message: string): void {
    for (const id of this.#pending.keys()) this.#settle({ id, error: { type: 'ProcessEnded', message } });
  }

  #keepAlive(isBusy: boolean): void {
    for (const each of [this.#child, this.#child.stdin, this.#child.stdout]) {
      const handle = each as { ref?: () => void; unref?: () => void } | null;
      if (isBusy) handle?.ref?.();
      else handle?.unref?.();
    }
  }
}
