/**
 * What a start does with the journal it finds (I4): only the last segment is scanned, a torn tail is cut at the last
 * whole batch, and what a crash of the process left in the system's cache is made durable before anyone can read it.
 */
import type { StreamsError } from '../api.ts';
import { damaged } from '../errors.ts';
import type { ActiveSegment, JournalOptions } from './journal.ts';
import { SealedSegments } from './sealed-segments.ts';
import {
  findWitness,
  numberOf,
  readHeader,
  readWindow,
  scanSegment,
  segmentName,
  UNFINISHED,
  type Scanned,
} from './segment-file.ts';

export interface Recovered {
  readonly active: ActiveSegment;
  readonly sealed: SealedSegments;
  readonly lastArrivalMs: number;
  /** Next offset of each shard that has had records; others are at 0. */
  readonly endOffsets: ReadonlyMap<number, number>;
  /** Next offset of each shard when the oldest segment was begun: nothing before is there any more. */
  readonly oldestOffsets: ReadonlyMap<number, number>;
}

/** Bytes copied at a time when the tail is written again. */
const COPY_BYTES = 4 * 2 ** 20;

export async function recover(
  options: JournalOptions,
  create: (facts: { number: number; startArrivalMs: number }) => Promise<ActiveSegment>,
): Promise<Recovered> {
  const { disk, directory, limits, logger } = options;
  // A process that was killed between a rename and its sync left a name that a power loss would still take.
  await disk.syncDirectory(directory);
  const names = await disk.list(directory);
  for (const name of names.filter((found) => found.endsWith(UNFINISHED)))
    await disk.remove(`${directory}/${name}`);
  const numbers = names.map((name) => numberOf(name, 'seg')).filter((number) => number !== undefined);
  for (const name of names) {
    const number = numberOf(name, 'idx');
    // Left when a crash came between the removal of a segment and that of its index.
    if (number !== undefined && !numbers.includes(number)) await disk.remove(`${directory}/${name}`);
  }
  const last = numbers.at(-1);
  const sealed = new SealedSegments({ disk, directory, limits, logger, numbers: numbers.slice(0, -1) });
  if (last === undefined) {
    const active = await create({ number: 1, startArrivalMs: 0 });
    return { active, sealed, lastArrivalMs: 0, endOffsets: new Map(), oldestOffsets: new Map() };
  }
  if (names.some((name) => numberOf(name, 'idx') === last))
    throw damaged(directory, `${segmentName(last)} was sealed, and the segment after it is missing`);
  const { active, scanned } = await reopen(options, last);
  const oldest =
    numbers[0] === last ? active.header.startOffsets : await startOffsetsOf(options, numbers[0]!);
  return {
    active,
    sealed,
    lastArrivalMs: scanned.lastArrivalMs,
    endOffsets: scanned.endOffsets,
    oldestOffsets: oldest,
  };
}

async function reopen(
  options: JournalOptions,
  number: number,
): Promise<{ active: ActiveSegment; scanned: Scanned }> {
  const { disk, directory, limits, logger } = options;
  const file = await disk.open(`${directory}/${segmentName(number)}`);
  try {
    const found = await readHeader(file, number);
    if (found === undefined) throw damaged(segmentName(number), 'its header is not that of a segment');
    const { header, sizeBytes: headerBytes } = found;
    const { batchBytesMax } = limits;
    const scanned = await scanSegment(file, { header, headerBytes, batchBytesMax });
    if (scanned.stop !== undefined) {
      const witness = await findWitness(file, { header, from: scanned.end, batchBytesMax });
      if (witness !== undefined) throw damagedBefore(number, scanned, witness);
      logger.info(
        { segment: number, at: scanned.end, bytes: scanned.sizeBytes - scanned.end },
        'a torn tail was cut',
      );
      await file.truncate(scanned.end);
    }
    // After a failed sync the cache can hold bytes as if they were clean: only writing them again makes them durable.
    for (let position = scanned.durableTo; position < scanned.end; position += COPY_BYTES) {
      const bytes = await readWindow(file, position, Math.min(COPY_BYTES, scanned.end - position));
      await file.write([bytes], position);
    }
    await file.sync();
    const columns = new Map(scanned.columns);
    const active = {
      header,
      headerBytes,
      file,
      end: scanned.end,
      room: 0,
      columns,
      reads: new Set<Promise<unknown>>(),
      cut: false,
    };
    return { active, scanned };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function damagedBefore(number: number, scanned: Scanned, witness: number): StreamsError {
  return damaged(
    `${segmentName(number)} at byte ${scanned.end}`,
    `${scanned.stop ?? ''}, and the batch at byte ${witness} shows that it was durable`,
  );
}

async function startOffsetsOf(options: JournalOptions, number: number): Promise<ReadonlyMap<number, number>> {
  const file = await options.disk.open(`${options.directory}/${segmentName(number)}`);
  try {
    // A damaged header is reported to those who read the segment; the start goes on.
    return (await readHeader(file, number))?.header.startOffsets ?? new Map();
  } finally {
    await file.close();
  }
}
