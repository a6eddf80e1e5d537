/**
 * Opens a table in a process of its own, since what the first time costs, and what memory, is only seen there. Takes an
 * `Opening` as JSON; prints an `OpeningResult`.
 */
import { compare, DeltaTable, LocalStore } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';

export interface Opening {
  readonly root: string;
  readonly table: string;
  /** Point queries over the column `id`, of which each file has a thousand, and scans of all files. */
  readonly plans: number;
  readonly wholeScans: number;
}

/** CPU time is that of all the process's threads. */
export interface OpeningResult {
  readonly openMs: number;
  readonly openCpuMs: number;
  /** Of the whole process, up to the table being open. */
  readonly peakMegabytes: number;
  readonly planMs: readonly number[];
  readonly planCpuMs: readonly number[];
  /** Of a scan's text, its files known. */
  readonly textMs: readonly number[];
}

async function run({ root, table: name, plans, wholeScans }: Opening): Promise<OpeningResult> {
  const engine = await DuckDbEngine.create();
  try {
    const [table, open] = await timed(() =>
      DeltaTable.open({ store: new LocalStore(root), engine, root: name }),
    );
    const peakMegabytes = process.resourceUsage().maxRSS / 1024;
    const snapshot = await table.snapshot();
    const planned: Cost[] = [];
    for (let plan = 0; plan < plans; plan += 1) {
      const value = { type: 'integer', value: BigInt(plan * 1000 + 500) } as const;
      const [files, cost] = await timed(async () => {
        const scan = await snapshot.scan({ predicate: compare('id', '=', value) });
        void scan.sql;
        return scan.files.length;
      });
      if (files !== 1) throw new Error(`the plan has ${files} files`);
      planned.push(cost);
    }
    const texts: Cost[] = [];
    for (let scan = 0; scan < wholeScans; scan += 1) {
      const whole = await snapshot.scan();
      const [, cost] = await timed(() => Promise.resolve(whole.sql));
      texts.push(cost);
    }
    return {
      openMs: open.ms,
      openCpuMs: open.cpuMs,
      peakMegabytes,
      planMs: planned.map(({ ms }) => ms),
      planCpuMs: planned.map(({ cpuMs }) => cpuMs),
      textMs: texts.map(({ ms }) => ms),
    };
  } finally {
    await engine.close();
  }
}

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

async function timed<Result>(task: () => Promise<Result>): Promise<[Result, Cost]> {
  const startMs = performance.now();
  const before = process.cpuUsage();
  const result = await task();
  const { user, system } = process.cpuUsage(before);
  return [result, { ms: performance.now() - startMs, cpuMs: (user + system) / 1000 }];
}

if (import.meta.main) {
  let input = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) input += chunk;
  process.stdout.write(JSON.stringify(await run(JSON.parse(input) as Opening)));
}
