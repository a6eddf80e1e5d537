/**
 * `npm run bench`: every benchmark with its baseline in the same run, as a table and as rows appended to
 * docs/benchmarks/results.ndjson. Arguments name the benchmarks to run; `--dry` appends nothing; `--no-kinesalite`
 * leaves that baseline out (it is installed into a temporary directory for the run).
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpus } from 'node:os';
import { createReport, type Report } from '../../packages/server/bench/support/report.ts';

const KINESALITE = 'kinesalite@3.3.3';
/** Share of the processors that others may use before the figures mean little. */
const FOREIGN_LOAD_MAX = 0.15;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { dry: { type: 'boolean', default: false }, kinesalite: { type: 'boolean', default: true } },
  allowNegative: true,
});

const benches = new Map<string, (report: Report) => Promise<void>>();
for (const path of globSync('packages/server/bench/*.ts').sort()) {
  const module: { run?: (report: Report) => Promise<void> } = await import(resolve(path));
  if (module.run) benches.set(basename(path, '.ts'), module.run);
}
const names = positionals.length > 0 ? positionals : [...benches.keys()];
for (const name of names)
  if (!benches.has(name))
    throw new Error(`no benchmark "${name}"; there are ${[...benches.keys()].join(', ')}`);

const temporary = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
const report = createReport(values.dry ? { commit } : { commit, file: 'docs/benchmarks/results.ndjson' });
try {
  const busy = await busyShare();
  if (busy > FOREIGN_LOAD_MAX)
    console.log(`warning: others use ${Math.round(busy * 100)} % of the processors; the ratios may drift`);
  if (values.kinesalite && names.includes('ingest')) {
    console.log(`installing ${KINESALITE} for this run`);
    execFileSync('npm', ['install', '--prefix', temporary, '--no-save', '--silent', KINESALITE], {
      stdio: 'inherit',
    });
    process.env['BENCH_KINESALITE'] = join(temporary, 'node_modules', 'kinesalite');
  }
  for (const name of names) {
    console.log(`\n${name}`);
    await benches.get(name)!(report);
  }
  report.finish();
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

async function busyShare(): Promise<number> {
  const before = times();
  await sleep(1_000);
  const after = times();
  return 1 - (after.idle - before.idle) / (after.total - before.total);
}

function times(): { idle: number; total: number } {
  const all = cpus().map((cpu) => cpu.times);
  const idle = all.reduce((sum, cpu) => sum + cpu.idle, 0);
  return {
    idle,
    total: all.reduce((sum, cpu) => sum + cpu.idle + cpu.user + cpu.nice + cpu.sys + cpu.irq, 0),
  };
}
