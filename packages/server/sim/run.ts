/**
 * `npm run sim -- [--seeds N] [--seed X] [--only NAME] [--smoke]`: replays the corpus of seeds that failed once, then
 * runs new ones. Each seed runs twice, and the two traces must be the same, or its failure could not be replayed.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { registered, type Simulation } from './registry.ts';

const SMOKE_SEEDS = 25;
const DEFAULT_SEEDS = 200;
const TRACE_LINES_SHOWN = Number(process.env['SIM_TRACE_LINES'] ?? 40);
const here = dirname(fileURLToPath(import.meta.url));

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
});

for (const file of globSync('*.sim.ts', { cwd: here }).sort())
  await import(pathToFileURL(join(here, file)).href);

const corpus = JSON.parse(readFileSync(join(here, 'corpus.json'), 'utf8')) as Record<string, number[]>;
let failures = 0;
for (const [name, run] of registered()) {
  if (values.only !== undefined && values.only !== name) continue;
  const seeds = seedsOf(name);
  const startMs = performance.now();
  for (const seed of seeds) if (!(await passes(name, run, seed))) failures++;
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${name}: ${seeds.length} seeds, each twice, in ${seconds} s`);
}
process.exitCode = failures > 0 ? 1 : 0;

function seedsOf(name: string): number[] {
  if (values.seed !== undefined) return [Number(values.seed)];
  const count = values.smoke ? SMOKE_SEEDS : Number(values.seeds ?? DEFAULT_SEEDS);
  return [...(corpus[name] ?? []), ...Array.from({ length: count }, (_, index) => index + 1)];
}

async function passes(name: string, run: Simulation, seed: number): Promise<boolean> {
  try {
    const first = await run(seed);
    const second = await run(seed);
    const differs = first.findIndex((line, index) => line !== second[index]);
    if (differs !== -1 || first.length !== second.length)
      throw new Error(`two runs differ at line ${differs}: "${first[differs]}" and "${second[differs]}"`);
    return true;
  } catch (error) {
    const trace = (error as { trace?: readonly string[] }).trace ?? [];
    console.log(trace.slice(-TRACE_LINES_SHOWN).join('\n'));
    console.log((error as Error).stack);
    console.log(`✘ ${name} failed; replay it with: npm run sim -- --only ${name} --seed ${seed}`);
    return false;
  }
}
