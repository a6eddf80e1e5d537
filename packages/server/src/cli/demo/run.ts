/** One run of the demo against a server that is up: prepare, stream, ask, wait, verify. */
import { setTimeout as sleep } from 'node:timers/promises';
import { athenaOf, firehoseOf, glueOf, kinesisOf } from '../clients.ts';
import type { Connection } from '../connection.ts';
import { CliError } from '../exit.ts';
import { count } from '../terminal/units.ts';
import { readStatus, type StatusReport } from '../status/report.ts';
import type { Event, Flights } from './flights.ts';
import { NAMES, prepareLake } from './lake.ts';
import { noProgress, putAll, RECORDS_PER_REQUEST, toDelivery, toStream, type LoadProgress } from './load.ts';
import { questionsOf, type Answers, type Questions } from './questions.ts';

/** Without a new row in the table for so long, the wait for the last ones is given up. */
const STALLED_MS = 60_000;
const STATUS_EVERY_MS = 400;
const ASK_EVERY_MS = 700;
/** The machine is for the stream first: between questions is at least so many times the time of their answers. */
const ASK_PAUSE_FACTOR = 3;
const COUNT_EVERY_MS = 100;

/** What is known while it runs; the screen reads it. */
export interface RunState {
  readonly rows: number;
  readonly startedMs: number;
  readonly progress: LoadProgress;
  status: StatusReport | undefined;
  /** Rows in the table before this run. */
  rowsBefore: number;
  /** Rows of this run that a query has seen. */
  rowsSeen: number;
  answers: Answers | undefined;
  readonly queriesMs: number[];
}

export interface RunReport {
  readonly state: RunState;
  /** From the first put to the last acknowledgement. */
  readonly streamedMs: number;
  /** From the last acknowledgement to a query that sees every row. */
  readonly caughtUpMs: number;
  readonly answers: Answers;
  readonly status: StatusReport;
}

export interface RunOptions {
  readonly connection: Connection;
  readonly flights: Flights;
  readonly rows: number;
  readonly signal: AbortSignal;
  /** Tells what was done; not called again while streaming. */
  readonly onStep: (done: string, ms: number) => void;
  readonly onStreaming: (state: RunState) => void;
}

/** Resolves when every record is in the table, once, and counted; rejects with what is wrong otherwise. */
export async function runDemo(options: RunOptions): Promise<RunReport> {
  const { connection, flights, rows, signal, onStep } = options;
  const run = new Date().toISOString();
  const [glue, kinesis, firehose, athena] = await Promise.all([
    glueOf(connection),
    kinesisOf(connection),
    firehoseOf(connection),
    athenaOf(connection),
  ]);
  try {
    const questions = questionsOf(athena, run);
    await timed(onStep, 'tables, a stream of 4 shards and two deliveries are there', () =>
      prepareLake({ glue, kinesis, firehose }),
    );
    await settled(options);
    await loadAirports({
      flights,
      questions,
      put: await toDelivery(firehose, NAMES.airportsDelivery),
      signal,
      onStep,
    });

    const state: RunState = {
      rows,
      startedMs: performance.now(),
      progress: noProgress(),
      status: undefined,
      rowsBefore: await questions.countAll(),
      rowsSeen: 0,
      answers: undefined,
      queriesMs: [],
    };
    options.onStreaming(state);
    const events = flights.events({ run, rows, batchRows: RECORDS_PER_REQUEST });
    const put = await toStream(kinesis, NAMES.stream);
    const finished = new AbortController();
    const watching = Promise.all([
      watchStatus(state, connection, AbortSignal.any([signal, finished.signal])),
      keepAsking(state, questions, AbortSignal.any([signal, finished.signal])),
    ]);
    try {
      await Promise.race([putAll(events, put, { progress: state.progress, signal }), failureOf(watching)]);
      const streamedMs = performance.now() - state.startedMs;
      await Promise.race([untilSeen(state, { questions, connection, signal }), failureOf(watching)]);
      const caughtUpMs = performance.now() - state.startedMs - streamedMs;
      finished.abort();
      await watching;
      await verify(state, questions);
      const answers = await questions.ask();
      return { state, streamedMs, caughtUpMs, answers, status: await readStatus(connection) };
    } finally {
      finished.abort();
      await watching.catch(() => undefined);
    }
  } finally {
    for (const client of [glue, kinesis, firehose, athena]) client.destroy();
  }
}

/** Rows of an earlier run that was interrupted may still be on their way: they are not to be counted as new. */
async function settled({ connection, signal }: RunOptions): Promise<void> {
  for (let lag = 1, quietSinceMs = performance.now(); lag > 0;) {
    signal.throwIfAborted();
    const { deliveries } = await readStatus(connection);
    const now = deliveries.filter(isOurs).reduce((sum, { lagRecords }) => sum + lagRecords, 0);
    if (now !== lag) quietSinceMs = performance.now();
    if (performance.now() - quietSinceMs > STALLED_MS) throw stalled(deliveries);
    lag = now;
    if (lag > 0) await sleep(COUNT_EVERY_MS, undefined, { signal });
  }
}

interface AirportsOptions extends Pick<RunOptions, 'flights' | 'signal' | 'onStep'> {
  readonly questions: Questions;
  readonly put: Parameters<typeof putAll>[1];
}

/** Airports that the table lacks, so that they are there once however often the demo runs. */
async function loadAirports({ flights, questions, put, signal, onStep }: AirportsOptions): Promise<void> {
  const there = await questions.airportCodes();
  const all = await flights.airports();
  const missing = all.filter(({ key }) => !there.has(key));
  if (missing.length === 0) return;
  await timed(onStep, `${count(missing.length)} airports are in a table, by direct put`, async () => {
    await putAll(inBatches(missing), put, { progress: noProgress(), signal });
    for (let waitedMs = 0; (await questions.airportCodes()).size < all.length; waitedMs += COUNT_EVERY_MS) {
      if (waitedMs > STALLED_MS)
        throw new CliError('the airports did not arrive in their table', { hint: LOOK });
      await sleep(COUNT_EVERY_MS, undefined, { signal });
    }
  });
}

async function* inBatches(events: readonly Event[]): AsyncGenerator<readonly Event[]> {
  for (let from = 0; from < events.length; from += RECORDS_PER_REQUEST)
    yield events.slice(from, from + RECORDS_PER_REQUEST);
}

async function watchStatus(state: RunState, connection: Connection, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    state.status = await readStatus(connection);
    await pause(STATUS_EVERY_MS, signal);
  }
}

async function keepAsking(state: RunState, questions: Questions, signal: AbortSignal): Promise<void> {
  for (let pauseMs = ASK_EVERY_MS; ;) {
    await pause(pauseMs, signal);
    if (signal.aborted) return;
    const answers = await questions.ask();
    const tookMs = answers.queriesMs.reduce((sum, ms) => sum + ms, 0);
    pauseMs = Math.max(ASK_EVERY_MS, tookMs * ASK_PAUSE_FACTOR);
    state.queriesMs.push(...answers.queriesMs);
    state.rowsSeen = Math.max(state.rowsSeen, answers.flights);
    if (answers.flights > 0) state.answers = answers;
  }
}

interface SeenOptions {
  readonly questions: Questions;
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

async function untilSeen(state: RunState, { questions, connection, signal }: SeenOptions): Promise<void> {
  for (let lastMs = performance.now(); ;) {
    const rows = await questions.countRun();
    if (rows !== state.rowsSeen) lastMs = performance.now();
    state.rowsSeen = Math.max(state.rowsSeen, rows);
    if (rows >= state.rows) return;
    if (performance.now() - lastMs > STALLED_MS) throw stalled((await readStatus(connection)).deliveries);
    await sleep(COUNT_EVERY_MS, undefined, { signal });
  }
}

/** Every record once: as many rows as records, each of another flight, and nothing else is new in the table. */
async function verify(state: RunState, questions: Questions): Promise<void> {
  const { rows, distinct } = await questions.countDifferent();
  const added = (await questions.countAll()) - state.rowsBefore;
  if (rows === state.rows && distinct === state.rows && added === state.rows) return;
  throw new CliError(
    `the table does not hold each record once: ${state.rows} records were acknowledged; ${rows} rows of ${distinct} different flights are in the table, which grew by ${added} rows`,
    { hint: 'This is a defect of Sluice; please report it with the data directory (--data DIR keeps it).' },
  );
}

const LOOK = 'Look at "sluice status" and the server\'s log.';

function isOurs({ name }: { readonly name: string }): boolean {
  return name === NAMES.delivery || name === NAMES.airportsDelivery;
}

function stalled(deliveries: StatusReport['deliveries']): CliError {
  const why = deliveries.find((delivery) => isOurs(delivery) && delivery.failure !== undefined);
  const reason = why === undefined ? '' : `: the delivery ${why.name} fails with "${why.failure}"`;
  return new CliError(`no row has arrived in the table for ${STALLED_MS / 1000} s${reason}`, { hint: LOOK });
}

async function timed(onStep: RunOptions['onStep'], done: string, work: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  await work();
  onStep(done, performance.now() - startMs);
}

/** Rejects with the failure of the work, and is otherwise silent: for a race. */
async function failureOf(work: Promise<unknown>): Promise<never> {
  await work;
  return new Promise<never>(() => undefined);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
