#!/usr/bin/env node
/**
 * The `sluice` command on whatever Node it is run by: a recent one goes on in this process, an older one hands over to
 * the pinned one. Plain JavaScript that Node 20 runs.
 */
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import {
  handOver,
  nodeMajor,
  NODE_MAJOR_MIN,
  NODE_MAJOR_PINNED,
  pinnedNode,
  withPool,
} from './hand-over.mjs';

const major = nodeMajor();
// The pinned Node has not started its thread pool by now, so that setting the variable counts; others may have.
const isFit =
  major >= NODE_MAJOR_PINNED || (major >= NODE_MAJOR_MIN && process.env.UV_THREADPOOL_SIZE !== undefined);
if (isFit) {
  Object.assign(process.env, withPool(process.env));
  // Keeps what Node makes of the TypeScript sources, which is most of the time that a start takes.
  module.enableCompileCache();
  await import('../src/cli/main.ts');
} else {
  const program = pinnedNode(import.meta.url) ?? (major >= NODE_MAJOR_MIN ? process.execPath : undefined);
  if (program === undefined) {
    process.stderr.write(
      `sluice needs Node ${NODE_MAJOR_MIN} or later and runs on ${process.versions.node}; no pinned Node for ` +
        `${process.platform}-${process.arch} is installed.\n` +
        `Next: run "npm ci" in the repository, or install Node ${NODE_MAJOR_PINNED} and run this again.\n`,
    );
    process.exit(1);
  }
  handOver(program, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    env: withPool(process.env),
  });
}
