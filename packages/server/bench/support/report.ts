/**
 * Results of benchmarks: one row a measurement, with its baseline from the same run and the spread, since an absolute
 * figure doesn't travel between machines.
 */
import { appendFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import Table from 'cli-table3';

export interface Measurement {
  /** Name of its file. */
  readonly bench: string;
  /** What was done, in words: `PutRecords 500 × 200 B, 4 connections`. */
  readonly work: string;
  readonly unit: string;
  /** Median over the rounds. */
  readonly value: number;
  readonly rounds: readonly number[];
  readonly baseline?: { readonly name: string; readonly value: number; readonly rounds: readonly number[] };
  /** Median of the per-round ratios to the baseline. */
  readonly ratio?: number;
  /** What was aimed at, and whether this run met it. */
  readonly goal?: { readonly text: string; readonly met: boolean };
  readonly note?: string;
}

export interface Report {
  add(measurement: Measurement): void;
  /** A line on the way, for the person who waits. */
  say(text: string): void;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Pairs measured one after another in the same round, so that a drift of the machine meets both. */
export function compare(options: {
  readonly bench: string;
  readonly work: string;
  readonly unit: string;
  readonly rounds: readonly number[];
  readonly baseline: { readonly name: string; readonly rounds: readonly number[] };
  readonly goal?: { readonly text: string; readonly met: (ratio: number) => boolean };
  readonly note?: string;
}): Measurement {
  const { goal, baseline, ...rest } = options;
  const ratio = median(options.rounds.map((value, round) => value / baseline.rounds[round]!));
  return {
    ...rest,
    value: median(options.rounds),
    baseline: { ...baseline, value: median(baseline.rounds) },
    ratio,
    ...(goal && { goal: { text: goal.text, met: goal.met(ratio) } }),
  };
}

/** Prints as it goes, and a table at the end; appends each row to `file` when one is given. */
export function createReport(
  options: { readonly file?: string; readonly commit?: string } = {},
): Report & { finish(): void } {
  const rows: Measurement[] = [];
  return {
    say: (text) => console.log(text),
    add(measurement) {
      rows.push(measurement);
      console.log(`  ${measurement.work}: ${format(measurement.value)} ${measurement.unit}`);
      if (options.file === undefined) return;
      const machine = {
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        load: loadavg()[0],
        node: process.version,
      };
      appendFileSync(
        options.file,
        `${JSON.stringify({ at: new Date().toISOString(), commit: options.commit, machine, ...measurement })}\n`,
      );
    },
    finish() {
      const table = new Table({
        head: ['Bench', 'Work', 'Value', 'Spread', 'Baseline', 'Ratio', 'Goal'],
        style: { head: [], border: [] },
      });
      for (const row of rows) {
        table.push([
          row.bench,
          row.work,
          `${format(row.value)} ${row.unit}`,
          spread(row.rounds),
          row.baseline ? `${row.baseline.name} ${format(row.baseline.value)}` : '',
          row.ratio?.toFixed(2) ?? '',
          row.goal ? `${row.goal.met ? '✔' : '✘'} ${row.goal.text}` : '',
        ]);
      }
      console.log(table.toString());
      for (const row of rows) if (row.note) console.log(`${row.work}: ${row.note}`);
    },
  };
}

function spread(rounds: readonly number[]): string {
  return rounds.length < 2 ? '' : `${format(Math.min(...rounds))} – ${format(Math.max(...rounds))}`;
}

function format(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 });
}
