import { globSync } from 'node:fs';

const UNIT_EXCLUDED = /\.(integration|crash|conformance|clients|foreign)\.test\.ts$/;

/** Paths of the test files of a tier, sorted; an empty tier is an error, so that a moved folder can't pass on nothing. */
export function testFiles(
  tier: 'unit' | 'integration' | 'crash' | 'conformance' | 'clients' | 'foreign',
): [string, ...string[]] {
  const all = globSync('{packages,tools}/**/*.test.ts', {
    exclude: (path) => path.includes('node_modules'),
  }).sort();
  const [first, ...rest] =
    tier === 'unit'
      ? all.filter((path) => !UNIT_EXCLUDED.test(path))
      : all.filter((path) => path.endsWith(`.${tier}.test.ts`));
  if (first === undefined) throw new Error(`no test file of the tier "${tier}" was found`);
  return [first, ...rest];
}
