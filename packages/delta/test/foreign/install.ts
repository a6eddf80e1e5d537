/**
 * Installs the foreign engines, pinned, into a cache directory outside of the repository; what is there already stays.
 * `node install.ts` does it by hand and says where.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { env, pid } from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What is verified against; Spark's is the newest that Delta's newest release with jars on Maven Central is for. */
const PACKAGES = {
  spark: ['pyspark==4.2.0', 'delta-spark==4.4.0', 'importlib_metadata==8.7.1', 'pyarrow==26.0.1'],
  deltaRs: ['deltalake==1.6.6', 'pyarrow==26.0.1'],
} as const;

const MAVEN_COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy';
const DELTA_VERSION = '4.4.0';
/** By artifact: SHA-256 of the jar. */
const JARS: Readonly<Record<string, string>> = {
  'delta-spark_4.2_2.13': '27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead',
  'delta-storage': 'c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc',
  'delta-kernel-api': 'ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11',
  'delta-kernel-defaults': '225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b',
  'delta-kernel-unitycatalog': 'cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa',
};

const PYTHON_MINOR_MIN = 10;
const JAVA_MIN = 17;
const DOWNLOAD_TIMEOUT_MS = 300_000;
const INSTALL_TIMEOUT_MS = 900_000;

/** An engine's parts, or why it can't be had here. */
export type Installed<Parts> = { readonly parts: Parts } | { readonly missing: string };

export interface PythonParts {
  readonly python: string;
  /** Directory of the packages, for PYTHONPATH. */
  readonly packages: string;
}

export interface SparkParts extends PythonParts {
  /** Absolute paths of Delta's jars. */
  readonly jars: readonly string[];
  /** The directory of the compiled `LinkLogStore.java`, or why there is none. */
  readonly classes: Installed<string>;
}

/** `SLUICE_FOREIGN_CACHE`, else `sluice/foreign` in the user's cache directory. */
export function cacheDirectory(): string {
  const cache = env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return env['SLUICE_FOREIGN_CACHE'] ?? join(cache, 'sluice', 'foreign');
}

/** delta-rs, as the package `deltalake`; never throws for what the machine or the network lacks. */
export function installDeltaRs(): Promise<Installed<PythonParts>> {
  return attempt(async () => {
    const python = await findPython();
    return { python, packages: await installPackages(python, PACKAGES.deltaRs) };
  });
}

/** Spark with Delta Lake; never throws for what the machine or the network lacks. */
export function installSpark(): Promise<Installed<SparkParts>> {
  return attempt(async () => {
    await requireJava();
    const python = await findPython();
    const packages = await installPackages(python, PACKAGES.spark);
    const jars: string[] = [];
    for (const artifact of Object.keys(JARS)) jars.push(await installJar(artifact));
    return { python, packages, jars, classes: await attempt(() => compileLogStore(packages, jars)) };
  });
}

async function attempt<Parts>(install: () => Promise<Parts>): Promise<Installed<Parts>> {
  try {
    return { parts: await install() };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

async function findPython(): Promise<string> {
  const python = env['PYTHON'] ?? 'python3';
  const code = 'import sys, pip; print(sys.version_info.major, sys.version_info.minor)';
  const { stdout } = await run(python, ['-c', code]).catch((error: unknown) => {
    throw new Error(`no Python with pip: "${python}" can't be run (${firstLine(error)})`);
  });
  const [major = 0, minor = 0] = stdout.trim().split(' ').map(Number);
  if (major === 3 && minor >= PYTHON_MINOR_MIN) return python;
  throw new Error(`Python 3.${PYTHON_MINOR_MIN} or later is needed; "${python}" is ${major}.${minor}`);
}

async function requireJava(): Promise<void> {
  const java = javaProgram('java');
  const { stderr } = await run(java, ['-version']).catch((error: unknown) => {
    throw new Error(`no Java: "${java}" can't be run (${firstLine(error)})`);
  });
  const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (major < JAVA_MIN) throw new Error(`Java ${JAVA_MIN} or later is needed; "${java}" is ${major}`);
}

/** Packages and what they need, in a directory of their own that is there as a whole or not at all. */
async function installPackages(python: string, packages: readonly string[]): Promise<string> {
  const version = (await run(python, ['-V'])).stdout.trim();
  const key = createHash('sha256')
    .update([version, ...packages].join('\n'))
    .digest('hex')
    .slice(0, 12);
  const directory = join(cacheDirectory(), `python-${key}`);
  if (existsSync(directory)) return directory;
  await mkdir(cacheDirectory(), { recursive: true });
  const temporary = `${directory}.${pid}.tmp`;
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', temporary];
  try {
    await run(python, [...pip, ...packages], { timeout: INSTALL_TIMEOUT_MS }).catch((error: unknown) => {
      throw new Error(`pip can't install ${packages.join(', ')}: ${lastLine(error)}`);
    });
    await place(temporary, directory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return directory;
}

async function installJar(artifact: string): Promise<string> {
  const name = `${artifact}-${DELTA_VERSION}.jar`;
  const path = join(cacheDirectory(), 'jars', name);
  if (existsSync(path) && sha256(await readFile(path)) === JARS[artifact]) return path;
  const temporary = `${path}.${pid}.tmp`;
  try {
    const coordinates = `io.delta:${artifact}:${DELTA_VERSION}`;
    const options = [`-Dartifact=${coordinates}`, `-DoutputDirectory=${temporary}`];
    await run('mvn', ['-q', '-B', MAVEN_COPY, ...options], { timeout: DOWNLOAD_TIMEOUT_MS }).catch(
      (error: unknown) => {
        throw new Error(`Maven can't fetch ${coordinates}: ${firstLine(error)}`);
      },
    );
    const fetched = join(temporary, name);
    if (sha256(await readFile(fetched)) !== JARS[artifact]) {
      throw new Error(`${coordinates} is not the jar that was verified`);
    }
    await rename(fetched, path);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return path;
}

async function compileLogStore(packages: string, jars: readonly string[]): Promise<string> {
  const source = join(import.meta.dirname, 'LinkLogStore.java');
  const key = createHash('sha256')
    .update(await readFile(source))
    .update(jars.join())
    .digest('hex')
    .slice(0, 12);
  const directory = join(cacheDirectory(), `classes-${key}`);
  if (existsSync(directory)) return directory;
  const temporary = `${directory}.${pid}.tmp`;
  const path = [join(packages, 'pyspark', 'jars', '*'), ...jars].join(delimiter);
  try {
    await run(javaProgram('javac'), ['-d', temporary, '-cp', path, source]).catch((error: unknown) => {
      throw new Error(`javac can't compile LinkLogStore.java: ${firstLine(error)}`);
    });
    await place(temporary, directory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return directory;
}

function javaProgram(name: string): string {
  return env['JAVA_HOME'] === undefined ? name : join(env['JAVA_HOME'], 'bin', name);
}

/** Whoever comes first wins; the others use what is there. */
async function place(temporary: string, directory: string): Promise<void> {
  await rename(temporary, directory).catch((error: unknown) => {
    if (!existsSync(directory)) throw error;
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
}

function lastLine(error: unknown): string {
  return (
    String(error instanceof Error ? error.message : error)
      .trim()
      .split('\n')
      .at(-1) ?? ''
  );
}

/** The environment of an engine's process. */
export function pythonEnvironment(packages: string): NodeJS.ProcessEnv {
  const path = [packages, import.meta.dirname].join(delimiter);
  return { ...env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1', TZ: 'UTC' };
}

if (import.meta.main) {
  console.log('Spark:', await installSpark());
  console.log('delta-rs:', await installDeltaRs());
}
