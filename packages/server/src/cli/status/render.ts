/** The status of a server as a page of tables. */
import { renderTable, type TableColumn } from '../terminal/table.ts';
import type { Format, Terminal } from '../terminal/terminal.ts';
import { ago, bytes, count, duration } from '../terminal/units.ts';
import { printable } from '../terminal/width.ts';
import type { StatusReport } from './report.ts';
import { STREAM_COLUMNS, streamNotes, streamRow } from './streams.ts';

export interface Moment {
  readonly report: StatusReport;
  /** When the report was taken: Unix milliseconds. */
  readonly atMs: number;
}

/** Lag beyond this is not what a healthy delivery has. */
const LAG_MS_NOTABLE = 10_000;
/** Small files beyond this make a table slow to read. */
const FILES_NOTABLE = 1000;

/** Lines of the page; with a moment before, rates are shown too. */
export function renderStatus(
  now: Moment,
  terminal: Terminal,
  { endpoint, before }: { endpoint: string; before?: Moment | undefined },
): string[] {
  const { report } = now;
  return [
    ...header(report, terminal, endpoint),
    '',
    ...section('Streams', streams(now, terminal, before), terminal, {
      none: 'none yet: CreateStream makes one, or try "sluice demo"',
    }),
    ...streamNotes(report.streams, terminal),
    '',
    ...(report.consumers.length === 0
      ? []
      : [...section('Consumers', consumers(now, terminal), terminal, { none: 'none' }), '']),
    ...section('Deliveries', deliveries(now, terminal, before), terminal, { none: 'none' }),
    ...failures(report, terminal),
    '',
    ...section('Tables', tables(now, terminal), terminal, { none: 'none' }),
    ...upkeepFailures(report, terminal),
  ];
}

function header(report: StatusReport, terminal: Terminal, endpoint: string): string[] {
  const { paint, unicode } = terminal;
  const dot = (state: string) => paint(STATE_FORMATS[state] ?? 'yellow', unicode ? '●' : '*');
  const healthy = report.roles.every(({ state }) => state === 'running');
  const roles = report.roles.map(({ name, state, reason }) =>
    state === 'running'
      ? `${dot(state)} ${name}`
      : `${dot(state)} ${name} ${paint('bold', state)}${reason === undefined ? '' : ` (${printable(reason)})`}`,
  );
  const gap = paint('dim', unicode ? ' · ' : ' - ');
  const title = [
    paint('bold', `Sluice ${report.version}`),
    endpoint,
    healthy ? `up ${duration(report.uptimeMs)}` : paint('red', 'not healthy'),
  ];
  return [title.join(gap), ...(roles.length === 0 ? [] : [roles.join('  ')])];
}

const STATE_FORMATS: Readonly<Record<string, Format>> = {
  running: 'green',
  ACTIVE: 'green',
  failed: 'red',
  FAILING: 'red',
};

interface Section {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly string[])[];
}

const left = (title: string): TableColumn => ({ title });
const right = (title: string): TableColumn => ({ title, align: 'right' });

function streams({ report, atMs }: Moment, terminal: Terminal, before?: Moment): Section {
  return {
    columns: STREAM_COLUMNS,
    rows: report.streams.map((stream) => {
      const earlier = before?.report.streams.find((each) => each.name === stream.name);
      if (earlier === undefined) return streamRow(stream, terminal);
      return streamRow(stream, terminal, perSecond(stream.records - earlier.records, before, atMs));
    }),
  };
}

function consumers({ report }: Moment, { paint }: Terminal): Section {
  return {
    columns: [left('consumer'), left('stream'), right('subscribed'), right('waiting'), right('lag')],
    rows: report.consumers.map((consumer) => {
      const lag = consumer.lagRecords === 0 ? 'none' : duration(consumer.lagMs);
      return [
        printable(consumer.name),
        printable(consumer.stream),
        `${count(consumer.shardsSubscribed)} of ${count(consumer.shards)}`,
        consumer.lagRecords === 0 ? '' : count(consumer.lagRecords),
        consumer.lagMs > LAG_MS_NOTABLE ? paint('yellow', lag) : lag,
      ];
    }),
  };
}

function deliveries({ report, atMs }: Moment, { paint, unicode }: Terminal, before?: Moment): Section {
  const rated = before !== undefined;
  return {
    columns: [
      left('delivery'),
      left('table'),
      left('state'),
      right('lag'),
      right('waiting'),
      right('delivered'),
      ...(rated ? [right('per s')] : []),
      right('rejected'),
    ],
    rows: report.deliveries.map((delivery) => {
      const earlier = before?.report.deliveries.find((each) => each.name === delivery.name);
      const rate = perSecond(
        delivery.rowsDelivered - (earlier?.rowsDelivered ?? delivery.rowsDelivered),
        before,
        atMs,
      );
      const lag = delivery.lagRecords === 0 ? 'none' : duration(delivery.lagMs);
      return [
        printable(delivery.name),
        printable(delivery.table),
        paint(
          STATE_FORMATS[delivery.state] ?? 'yellow',
          `${unicode ? '●' : '*'} ${delivery.state.toLowerCase()}`,
        ),
        delivery.lagMs > LAG_MS_NOTABLE ? paint('yellow', lag) : lag,
        delivery.lagRecords === 0 ? '' : count(delivery.lagRecords),
        count(delivery.rowsDelivered),
        ...(rated ? [count(rate)] : []),
        delivery.recordsRejected > 0 ? paint('yellow', count(delivery.recordsRejected)) : '0',
      ];
    }),
  };
}

function failures(report: StatusReport, { paint }: Terminal): string[] {
  return report.deliveries
    .filter(({ failure }) => failure !== undefined)
    .map(({ name, failure = '' }) => `  ${paint('red', printable(name))}: ${printable(failure)}`);
}

function tables({ report, atMs }: Moment, { paint }: Terminal): Section {
  return {
    columns: [
      left('table'),
      right('rows'),
      right('size'),
      right('files'),
      right('a file'),
      right('version'),
      right('changed'),
      left('upkeep'),
    ],
    rows: report.tables.map((table) => [
      printable(`${table.database}.${table.name}`),
      table.rows === undefined ? '?' : count(table.rows),
      bytes(table.sizeBytes),
      table.files > FILES_NOTABLE ? paint('yellow', count(table.files)) : count(table.files),
      table.files === 0 ? '' : bytes(table.sizeBytes / table.files),
      count(table.version),
      ago(atMs - table.committedMs),
      upkeepOf(`${table.database}.${table.name}`, { report, atMs }),
    ]),
  };
}

/** What the background has done for a table since the server's start. */
function upkeepOf(table: string, { report, atMs }: Moment): string {
  const { current, tables: kept } = report.upkeep;
  if (current?.table === table) return `${current.work} for ${duration(atMs - current.startedMs)}`;
  const done = kept.find((each) => each.table === table);
  if (done === undefined) return '';
  if (done.failure !== undefined) return 'failing';
  if (done.compactions === 0) return `checkpoint ${ago(atMs - done.lastMs)}`;
  return `${count(done.filesRemoved)} files into ${count(done.filesAdded)}, ${ago(atMs - done.lastMs)}`;
}

function upkeepFailures({ upkeep }: StatusReport, { paint }: Terminal): string[] {
  return upkeep.tables
    .filter(({ failure }) => failure !== undefined)
    .map(({ table, failure = '' }) => `  ${paint('red', printable(table))}: upkeep: ${printable(failure)}`);
}

function section(title: string, section: Section, terminal: Terminal, { none }: { none: string }): string[] {
  const { columns, rows } = section;
  if (rows.length === 0) return [terminal.paint('bold', title), terminal.paint('dim', `  ${none}`)];
  const lines = renderTable({ columns, rows }, terminal) ?? rows.map((row) => row.join('  '));
  return [terminal.paint('bold', title), ...lines];
}

function perSecond(difference: number, before: Moment | undefined, atMs: number): number {
  const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
  return seconds > 0 ? Math.max(0, difference / seconds) : 0;
}
