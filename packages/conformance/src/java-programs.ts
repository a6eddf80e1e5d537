/** Java programs of `clients`, compiled once and run with what their `pom.xml` names. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { cached, call, CLIENTS, toolsAbsent } from './client-tools.ts';

const WHY_LENGTH_MAX = 300;

/** Why programs with the libraries of these folders of `clients` can't be run here; false when they can. */
export async function javaAbsent(...names: readonly string[]): Promise<string | false> {
  const absent = toolsAbsent(['java', '-version'], ['javac', '-version'], ['mvn', '-version']);
  if (absent !== false) return absent;
  for (const name of names) {
    try {
      await javaLibraries(name);
    } catch (error) {
      return `the libraries of clients/${name} can't be had: ${String(error).slice(0, WHY_LENGTH_MAX)}`;
    }
  }
  return false;
}

/** Resolves with the folder of the libraries that `clients/<name>/pom.xml` names. */
export function javaLibraries(name: string): Promise<string> {
  const cwd = join(CLIENTS, name);
  return cached(name, [join(cwd, 'pom.xml')], async (to) => {
    const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
    await call('mvn', ['-q', '-B', plugin, `-DoutputDirectory=${to}`], { cwd });
  });
}

/** Resolves with the class path of `clients/<name>/<className>.java`, compiled. */
export async function javaProgram(name: string, className: string): Promise<string> {
  const libraries = join(await javaLibraries(name), '*');
  const files = ['pom.xml', `${className}.java`].map((file) => join(CLIENTS, name, file));
  const classes = await cached(`${name}-classes`, files, async (to) => {
    await call('javac', ['-proc:none', '-d', to, '-cp', libraries, files[1]!]);
  });
  return `${classes}:${libraries}`;
}

/** A program that says what it does in lines. */
export interface RunningProgram {
  /** All lines of its standard output until now. */
  readonly lines: readonly string[];
  /** What it complained about, or the last of it. */
  errors(): string;
  /** Ends its standard input and resolves with its exit code; it is killed when that takes longer than `msMax`. */
  end(msMax: number): Promise<number | null>;
  kill(): Promise<void>;
}

const ERRORS_LENGTH_MAX = 256 * 1024;

export function runProgram(command: string, args: readonly string[], env: NodeJS.ProcessEnv): RunningProgram {
  const child: ChildProcess = spawn(command, [...args], { env, stdio: 'pipe' });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const lines: string[] = [];
  let errors = '';
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
  child.stderr!.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-ERRORS_LENGTH_MAX);
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return {
    lines,
    errors: () => errors,
    async end(msMax) {
      child.stdin!.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), msMax);
      const [code] = await exited;
      clearTimeout(timer);
      return code;
    },
    kill,
  };
}

const READY_MS_MAX = 60_000;

/** DynamoDB Local, in memory: what the Kinesis Client Library keeps its leases in. Resolves when it answers. */
export async function startDynamoDb(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const libraries = await javaLibraries('dynamodb-local');
  const port = await freePort();
  const main = 'software.amazon.dynamodb.services.local.main.ServerRunner';
  const program = runProgram(
    'java',
    [
      `-Dsqlite4java.library.path=${libraries}`,
      '-DDDBLocalTelemetry=0',
      '-cp',
      join(libraries, '*'),
      main,
      '-inMemory',
      '-disableTelemetry',
      '-port',
      String(port),
    ],
    { ...process.env, DDB_LOCAL_TELEMETRY: '0' },
  );
  const endMs = performance.now() + READY_MS_MAX;
  while (!(await isListening(port))) {
    if (performance.now() > endMs) {
      await program.kill();
      throw new Error(
        `DynamoDB Local is not ready in time:\n${program.lines.join('\n')}\n${program.errors()}`,
      );
    }
    await pause(50);
  }
  return { url: `http://127.0.0.1:${port}`, stop: () => program.kill() };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
