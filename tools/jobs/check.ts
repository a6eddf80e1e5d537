/** `npm run check`: what every change must pass, in under three minutes. */
import { runSteps } from './steps.ts';
import { testFiles } from './test-files.ts';

await runSteps([
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'boundaries', command: ['node', 'tools/boundaries/check.ts'] },
  { name: 'unused code', command: ['knip', '--no-progress'] },
  { name: 'parity report is current', command: ['node', 'tools/parity.ts', '--check'] },
  { name: 'API reference is current', command: ['node', 'tools/api-reference.ts', '--check'] },
  { name: 'unit tests', command: ['node', '--test', '--test-reporter=dot', ...testFiles('unit')] },
]);
