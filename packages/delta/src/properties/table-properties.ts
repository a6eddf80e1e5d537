import { DeltaError } from '../errors.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Commits between two checkpoints. */
export const CHECKPOINT_INTERVAL_DEFAULT = 10;
/** How long a removed file's tombstone stays in checkpoints. */
export const TOMBSTONE_RETENTION_MS_DEFAULT = 7 * DAY_MS;
/** Leaf columns, from the first, that get statistics. */
export const INDEXED_COLUMNS_DEFAULT = 32;

type Configuration = Readonly<Record<string, string>>;

interface Property {
  /** What a value must be, for the error's reader. */
  readonly expected: string;
  readonly accepts: (value: string) => boolean;
}

const BOOLEAN: Property = { expected: 'true or false', accepts: (value) => /^(true|false)$/i.test(value) };
const FALSE: Property = { expected: 'false', accepts: (value) => /^false$/i.test(value) };
const INTERVAL: Property = {
  expected: 'an interval such as "interval 7 days"',
  accepts: (value) => intervalMs(value) !== undefined,
};

/** The properties in Delta's own name space that a table may be given: those that this library honours. */
const SUPPORTED: Readonly<Record<string, Property>> = {
  'delta.appendOnly': BOOLEAN,
  'delta.checkpointInterval': {
    expected: 'a whole number from 1',
    accepts: (value) => wholeNumber(value, 1) !== undefined,
  },
  'delta.dataSkippingNumIndexedCols': {
    expected: 'a whole number from -1 (all columns)',
    accepts: (value) => wholeNumber(value, -1) !== undefined,
  },
  'delta.deletedFileRetentionDuration': INTERVAL,
  'delta.logRetentionDuration': INTERVAL,
  'delta.checkpoint.writeStatsAsJson': BOOLEAN,
  'delta.checkpoint.writeStatsAsStruct': FALSE,
  'delta.enableChangeDataFeed': FALSE,
  'delta.enableDeletionVectors': FALSE,
  'delta.columnMapping.mode': { expected: 'none', accepts: (value) => value === 'none' },
};

/**
 * Throws `invalid-property` for a `delta.*` property that this library does not honour or whose value it can't take.
 * Properties outside that name space are free.
 */
export function assertSupportedProperties(properties: Configuration): void {
  for (const [name, value] of Object.entries(properties)) {
    if (!name.toLowerCase().startsWith('delta.')) continue;
    const property = Object.hasOwn(SUPPORTED, name) ? SUPPORTED[name] : undefined;
    if (property === undefined) {
      throw new DeltaError({
        code: 'invalid-property',
        message: `the table property "${name}" is not supported`,
        hint: `Supported: ${Object.keys(SUPPORTED).join(', ')}; names that don't begin with "delta." are free.`,
      });
    }
    if (!property.accepts(value)) {
      throw new DeltaError({
        code: 'invalid-property',
        message: `the table property "${name}" can't be "${value}": expected ${property.expected}`,
      });
    }
  }
}

/** Values that a foreign writer got wrong count as absent, here and below. */
export function checkpointInterval(configuration: Configuration): number {
  return wholeNumber(configuration['delta.checkpointInterval'], 1) ?? CHECKPOINT_INTERVAL_DEFAULT;
}

/** Leaf columns with statistics; -1 means all. */
export function indexedColumns(configuration: Configuration): number {
  return wholeNumber(configuration['delta.dataSkippingNumIndexedCols'], -1) ?? INDEXED_COLUMNS_DEFAULT;
}

export function tombstoneRetentionMs(configuration: Configuration): number {
  const text = configuration['delta.deletedFileRetentionDuration'];
  return (text === undefined ? undefined : intervalMs(text)) ?? TOMBSTONE_RETENTION_MS_DEFAULT;
}

/** Whether checkpoints hold statistics as JSON text. */
export function checkpointStatsAsJson(configuration: Configuration): boolean {
  return configuration['delta.checkpoint.writeStatsAsJson']?.toLowerCase() !== 'false';
}

const UNIT_MS: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: DAY_MS,
  week: 7 * DAY_MS,
};

/** Milliseconds of a text such as `interval 1 week` or `interval 2 days 3 hours`; undefined for anything else. */
function intervalMs(text: string): number | undefined {
  const words = text.trim().toLowerCase().split(/\s+/);
  if (words[0] === 'interval') words.shift();
  if (words.length === 0 || words.length % 2 !== 0) return undefined;
  let total = 0;
  for (let at = 0; at < words.length; at += 2) {
    const unitMs = UNIT_MS[(words[at + 1] ?? '').replace(/s$/, '')];
    const count = wholeNumber(words[at], 0);
    if (unitMs === undefined || count === undefined) return undefined;
    total += count * unitMs;
  }
  return total;
}

function wholeNumber(text: string | undefined, minimum: number): number | undefined {
  if (text === undefined || !/^-?\d{1,9}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= minimum ? value : undefined;
}
