/**
 * `npm run test:foreign`: tables shared with Apache Spark and delta-rs, which it installs outside of the repository at
 * its first run. Scenarios of an engine that can't be had are skipped with the reason. Arguments are parts of the names
 * of the files to run; none means all.
 */
import { parseArgs } from 'node:util';
import { runSteps } from './steps.ts';
import { testFiles } from './test-files.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const all = testFiles('foreign');
const files = all.filter(
  (path) => positionals.length === 0 || positionals.some((part) => path.includes(part)),
);
if (files.length === 0) throw new Error(`no file of ${all.join(', ')} is meant by ${positionals.join(', ')}`);

// One process, since Spark takes long to start.
const command = ['node', '--test', '--test-isolation=none', ...files] as const;
await runSteps([{ name: 'foreign engines', command, live: true }]);
