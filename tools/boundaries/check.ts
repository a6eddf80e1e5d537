/**
 * Judges the import graph by the rules, after proving on the planted tree that each rule notices its breach and that
 * the graph isn't empty: a reader that silently sees nothing would pass everything.
 */
import { readdirSync } from 'node:fs';
import { cruise, type IForbiddenRuleType, type ICruiseResult } from 'dependency-cruiser';
import { RULES } from './rules.ts';

/** Fewer modules than this means that the reader saw only a part. */
const MODULES_MIN = 80;
const PLANTED = 'tools/boundaries/planted';

async function judge(paths: string[]): Promise<ICruiseResult> {
  const { output } = await cruise(paths, {
    ruleSet: { forbidden: RULES as IForbiddenRuleType[] },
    validate: true,
    doNotFollow: { path: 'node_modules' },
    exclude: paths[0] === PLANTED ? undefined : { path: PLANTED },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  });
  if (typeof output === 'string') throw new Error('dependency-cruiser gave text instead of a result');
  return output;
}

const planted = await judge([PLANTED]);
const caught = new Set(planted.summary.violations.map((violation) => violation.rule.name));
const expected = readdirSync(PLANTED, { recursive: true, encoding: 'utf8' })
  .map((path) => /([a-z0-9-]+)\.planted\.ts$/.exec(path)?.[1])
  .filter((name) => name !== undefined);
const missed = expected.filter((name) => !caught.has(name));
const unplanted = RULES.map((rule) => rule.name).filter((name) => !expected.includes(name));

const real = await judge(['packages']);
const problems = [
  ...missed.map((name) => `the planted breach of "${name}" was not noticed`),
  ...unplanted.map((name) => `no breach of "${name}" is planted in ${PLANTED}`),
  ...real.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
];
if (real.summary.totalCruised < MODULES_MIN)
  problems.push(`only ${real.summary.totalCruised} modules were read, expected at least ${MODULES_MIN}`);

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else {
  console.log(
    `${real.summary.totalCruised} modules, ${RULES.length} rules, ${expected.length} planted breaches noticed`,
  );
}
