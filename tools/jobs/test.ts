/** `npm test`: every test. Arguments name the tiers to run (`npm test -- crash conformance`); none means all. */
import { parseArgs } from 'node:util';
import { runSteps, type Step } from './steps.ts';
import { testFiles } from './test-files.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const test = (name: string, files: readonly string[], ...flags: string[]): Step => ({
  name,
  command: ['node', '--test', ...flags, ...files],
  live: true,
});

const steps: Step[] = [
  test('unit', testFiles('unit')),
  test('integration', testFiles('integration'), '--test-concurrency=2'),
  { name: 'simulation', command: ['node', 'packages/server/sim/run.ts', '--smoke'], live: true },
  test('conformance', testFiles('conformance'), '--test-concurrency=1'),
  test('crash', testFiles('crash'), '--test-concurrency=1'),
];
const unknown = positionals.filter((tier) => !steps.some((step) => step.name === tier));
if (unknown.length > 0)
  throw new Error(`unknown tier: ${unknown.join(', ')}; one of ${steps.map((step) => step.name).join(', ')}`);
await runSteps(steps.filter((step) => positionals.length === 0 || positionals.includes(step.name)));
