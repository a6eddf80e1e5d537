/** What the demo shows: the live view while it streams, and the report at its end. */
import { bar } from '../terminal/bars.ts';
import { liveOn } from '../terminal/live.ts';
import { renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { bytes, count, counted, duration } from '../terminal/units.ts';
import { NAMES } from './lake.ts';
import { quantile } from './load.ts';
import { answerLines, answerSummary, type Answers } from './questions.ts';
import type { RunReport, RunState } from './run.ts';

const REFRESH_MS = 100;
const BAR_WIDTH = 30;
const LIVE_ROUTES = 6;
/** Lines of the live view when each hour has its own. */
const LIVE_LINES_FULL = 38;
/** Rates are those of the last seconds, not of the whole run. */
const RATE_WINDOW_MS = 2000;

/** Shows the state until `end` is called. */
export function showStreaming(state: RunState, terminal: Terminal): { end: () => void } {
  const live = liveOn(terminal);
  const rate = rateMeter(state);
  let told: Answers | undefined;
  const timer = setInterval(() => {
    rate.sample();
    live.show(
      () => liveLines(state, terminal, rate),
      () => {
        const isNew = state.answers !== undefined && state.answers !== told;
        told = state.answers;
        return plainLine(state, rate) + (isNew && told !== undefined ? `\n  ${answerSummary(told)}` : '');
      },
    );
  }, REFRESH_MS);
  return {
    end() {
      clearInterval(timer);
      live.clear();
    },
  };
}

interface RateMeter {
  sample(): void;
  /** A second, over the last seconds; of the whole time once all is streamed. */
  records(): number;
  bytes(): number;
}

function rateMeter(state: RunState): RateMeter {
  const samples = [{ ms: state.startedMs, records: 0, bytes: 0 }];
  const over = (what: 'records' | 'bytes') => {
    const [first, last] = [samples[0]!, samples.at(-1)!];
    return last.ms > first.ms ? ((last[what] - first[what]) / (last.ms - first.ms)) * 1000 : 0;
  };
  return {
    sample() {
      const { records, bytes } = state.progress;
      // The rate of what is done stays as it was at its end.
      if (records === samples.at(-1)?.records && records >= state.rows) return;
      const ms = performance.now();
      samples.push({ ms, records, bytes });
      while (samples.length > 2 && ms - samples[1]!.ms > RATE_WINDOW_MS) samples.shift();
    },
    records: () => over('records'),
    bytes: () => over('bytes'),
  };
}

function lagOf(state: RunState): { records: number; ms: number } {
  const delivery = state.status?.deliveries.find(({ name }) => name === NAMES.delivery);
  return { records: delivery?.lagRecords ?? 0, ms: delivery?.lagMs ?? 0 };
}

/** The newest of what a query and the delivery know. */
function rowsInTable(state: RunState): number {
  const table = state.status?.tables.find(
    ({ database, name }) => database === NAMES.database && name === NAMES.departures,
  );
  return Math.max(state.rowsSeen, (table?.rows ?? 0) - state.rowsBefore);
}

function liveLines(state: RunState, terminal: Terminal, rate: RateMeter): string[] {
  const { paint, unicode } = terminal;
  const { progress, rows } = state;
  const line = (title: string, done: number, colour: 'green' | 'blue') => {
    const drawn = bar({ value: done, max: rows }, BAR_WIDTH, unicode);
    const rest = (unicode ? '░' : '.').repeat(Math.max(0, BAR_WIDTH - drawn.length));
    const share = `${Math.floor((Math.min(done, rows) / rows) * 100)} %`.padStart(5);
    return `${title.padEnd(14)} ${paint(colour, drawn)}${paint('dim', rest)} ${share}  ${count(done)}`;
  };
  const lag = lagOf(state);
  const behind = lag.records === 0 ? 'no lag' : `lag ${duration(lag.ms)}, ${counted(lag.records, 'record')}`;
  const { answers } = state;
  return [
    `${line('Streamed', progress.records, 'green')}  ${paint('dim', `${count(rate.records())}/s  ${bytes(rate.bytes())}/s`)}`,
    `${line('In the table', rowsInTable(state), 'blue')}  ${paint('dim', behind)}`,
    '',
    ...(answers === undefined
      ? [paint('dim', 'The first answer comes with the first rows in the table …')]
      : [
          paint(
            'dim',
            `SQL over the ${count(answers.flights)} flights so far, in ${answers.queriesMs.map(duration).join(' and ')}`,
          ),
          ...answerLines(answers, terminal, {
            routes: LIVE_ROUTES,
            hoursPerLine: terminal.rows() > LIVE_LINES_FULL ? 1 : 3,
          }),
        ]),
  ];
}

function plainLine(state: RunState, rate: RateMeter): string {
  const { progress, rows } = state;
  const lag = lagOf(state);
  return `  streamed ${count(progress.records)} of ${count(rows)} at ${count(rate.records())}/s (${bytes(rate.bytes())}/s), in the table ${count(rowsInTable(state))}, lag ${duration(lag.ms)}`;
}

/** The final charts and the table of what was done. */
export function reportLines(
  { state, streamedMs, caughtUpMs, answers, status }: RunReport,
  terminal: Terminal,
): string[] {
  const { paint } = terminal;
  const { progress, rows, rowsBefore } = state;
  const table = status.tables.find(
    ({ database, name }) => database === NAMES.database && name === NAMES.departures,
  );
  const queries = [...state.queriesMs, ...answers.queriesMs];
  const seconds = streamedMs / 1000;
  const facts: [string, string, string][] = [
    [
      'records streamed',
      count(progress.records),
      `${bytes(progress.bytes)} of JSON in ${count(progress.requests)} requests`,
    ],
    [
      'time',
      duration(streamedMs),
      `${count(rows / seconds)} records/s, ${bytes(progress.bytes / seconds)}/s`,
    ],
    [
      'acknowledged (durable)',
      duration(quantile(progress.latenciesMs, 0.5)),
      `median of a request of 500; 99 % within ${duration(quantile(progress.latenciesMs, 0.99))}`,
    ],
    ...(progress.retriedRecords > 0
      ? [
          ['put again', count(progress.retriedRecords), 'records that the server could not take at once'] as [
            string,
            string,
            string,
          ],
        ]
      : []),
    ['rows added', count(rows), 'each record exactly once: counted, and all different'],
    ['last row visible', duration(caughtUpMs), 'after the last acknowledgement'],
    [
      `${NAMES.database}.${NAMES.departures}`,
      table?.rows === undefined ? count(rowsBefore + rows) : count(table.rows),
      table === undefined
        ? ''
        : `rows in ${counted(table.files, 'Parquet file')}, ${bytes(table.sizeBytes)}, Delta version ${count(table.version)}`,
    ],
    ['SQL queries', count(queries.length), `answered in ${duration(quantile(queries, 0.5))} (median)`],
  ];
  const summary = renderTable(
    {
      columns: [{ title: 'Done' }, { title: '', align: 'right' }, { title: '' }],
      rows: facts.map(([what, value, more]) => [what, paint('bold', value), paint('dim', more)]),
    },
    terminal,
  );
  return [...answerLines(answers, terminal), '', ...(summary ?? facts.map((fact) => fact.join('  ')))];
}
