/**
 * `npm run demo|test|test:clients|test:foreign|check|sim|bench`: installs what is missing, puts the repository's tools
 * first on PATH, and runs the job with the pinned Node. Plain JavaScript that Node 20 runs, and that needs nothing
 * installed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  handOver,
  nodeMajor,
  NODE_MAJOR_MIN,
  pinnedNode,
  withPool,
} from '../packages/server/bin/hand-over.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const JOBS = {
  demo: ['packages/server/bin/sluice.mjs', 'demo'],
  test: ['tools/jobs/test.ts'],
  'test:foreign': ['tools/jobs/test-foreign.ts'],
  'test:clients': ['tools/jobs/clients.ts'],
  check: ['tools/jobs/check.ts'],
  bench: ['tools/jobs/bench.ts'],
  sim: ['packages/server/sim/run.ts'],
};

const [job = '', ...rest] = process.argv.slice(2);
if (!Object.hasOwn(JOBS, job)) {
  process.stderr.write(`unknown job "${job}"; one of: ${Object.keys(JOBS).join(', ')}\n`);
  process.exit(2);
}

const reason = missing();
if (reason !== undefined) install(reason);

const program = pinnedNode(import.meta.url) ?? (nodeMajor() >= NODE_MAJOR_MIN ? process.execPath : undefined);
if (program === undefined) {
  fail(
    `no Node ${NODE_MAJOR_MIN} or later was found: npm has no pinned one for ${process.platform}-${process.arch}`,
    'install Node 26 and run this again',
  );
}
const [script, ...before] = JOBS[job];
const env = {
  ...withPool(process.env),
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
};
// The job's own paths are relative to the repository, a user's (--data DIR) to where the user stands.
const cwd = job === 'demo' ? (process.env.INIT_CWD ?? process.cwd()) : root;
handOver(program, [join(root, script), ...before, ...rest], { env, cwd, linked: job === 'demo' });

/** Why the installed packages are not those of the lock file; undefined when they are. */
function missing() {
  const lock = readLock(join(root, 'package-lock.json'));
  if (lock === undefined)
    fail('package-lock.json is missing', 'restore it with "git checkout package-lock.json"');
  const installed = readLock(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'nothing is installed yet';
  for (const [path, { version, link, optional }] of Object.entries(lock)) {
    if (!path.includes('node_modules/')) continue;
    const found = installed[path];
    if (found === undefined) {
      if (optional === true) continue;
      return `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)} is not installed`;
    }
    if (link !== true && found.version !== version)
      return `the lock file asks for another version of ${path}`;
    if (!existsSync(join(root, path))) return `${path} is gone`;
  }
  return undefined;
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function install(reason) {
  process.stderr.write(`Installing the packages of package-lock.json (${reason}) …\n`);
  const startMs = Date.now();
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] };
  const done =
    npm?.endsWith('.js') === true
      ? spawnSync(process.execPath, [npm, ...args], options)
      : spawnSync('npm', args, options);
  if (done.error !== undefined)
    fail(`npm can't be run: ${done.error.message}`, 'install npm and run this again');
  if (done.status !== 0) fail('"npm ci" failed', 'see its message above; is the registry reachable?');
  process.stderr.write(`Installed in ${((Date.now() - startMs) / 1000).toFixed(0)} s.\n`);
}

function fail(problem, next) {
  process.stderr.write(`${problem}\nNext: ${next}.\n`);
  process.exit(1);
}
