/**
 * `npm run test:clients`: programs in other languages, with the AWS SDKs that people use there, against a server. It needs
 * their tools and, the first time, their package registries; what is missing is skipped with the reason.
 */
import { runSteps } from './steps.ts';
import { testFiles } from './test-files.ts';

await runSteps([
  {
    name: 'clients',
    command: ['node', '--test', '--test-concurrency=1', ...testFiles('clients')],
    live: true,
  },
]);
