/** The streams of a status page: a row for each, and lines for what someone should look at. */
import type { TableColumn } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { bytes, count, counted, duration } from '../terminal/units.ts';
import { printable } from '../terminal/width.ts';
import type { StreamReport } from './report.ts';

const HOUR_MS = 3_600_000;

export const STREAM_COLUMNS: readonly TableColumn[] = [
  { title: 'stream' },
  { title: 'shards', align: 'right' },
  { title: 'records', align: 'right' },
  { title: 'per s', align: 'right' },
  { title: 'in', align: 'right' },
  { title: 'out', align: 'right' },
  { title: 'oldest', align: 'right' },
  { title: 'kept', align: 'right' },
];

/** `inRecords` a second, when it is known better than by the server's average. */
export function streamRow(
  stream: StreamReport,
  { paint }: Terminal,
  inRecords = stream.rates?.inRecords,
): string[] {
  const { rates, hotShards = 0, oldestAgeMs } = stream;
  const shards = count(stream.shards);
  return [
    printable(stream.name),
    hotShards > 0 ? `${shards}, ${paint('yellow', `${count(hotShards)} hot`)}` : shards,
    count(stream.records),
    inRecords === undefined ? '' : count(inRecords),
    rates === undefined ? '' : rate(rates.inBytes),
    rates === undefined ? '' : rate(rates.outBytes),
    oldestAgeMs === undefined ? '' : duration(oldestAgeMs),
    duration(stream.retentionHours * HOUR_MS),
  ];
}

/** Hot shards, and puts that were turned away. */
export function streamNotes(streams: readonly StreamReport[], { paint }: Terminal): string[] {
  return streams.flatMap(({ name, hottest = [], hotShards = 0, totals }) => {
    const notes = hottest.map(
      ({ shardId, inBytes, inRecords }) =>
        `${shardId} is hot: ${rate(inBytes)}, ${count(inRecords)} records/s`,
    );
    if (hotShards > hottest.length)
      notes.push(`and ${counted(hotShards - hottest.length, 'other hot shard')}`);
    const away = [
      ...told(totals?.throttledRecords, 'throttled'),
      ...told(totals?.refusedRecords, 'refused'),
    ].join(', ');
    if (away !== '') notes.push(`${away} since the start`);
    return notes.map((note) => `  ${paint('yellow', printable(name))}: ${note}`);
  });
}

const rate = (perSecond: number): string => `${bytes(perSecond)}/s`;

const told = (records = 0, what: string): string[] =>
  records > 0 ? [`${counted(records, 'record')} ${what}`] : [];
