/**
 * Names of the files below `_delta_log` (protocol: "Delta Log Entries", "Checkpoints", "Log Compaction Files", "Version
 * Checksum File").
 */

export const LOG_DIRECTORY = '_delta_log';
export const LAST_CHECKPOINT = '_last_checkpoint';
/** Below the log's directory: the parts of v2 checkpoints. */
export const SIDECARS_DIRECTORY = '_sidecars';
const VERSION_DIGITS = 20;

export type LogFileName =
  | { readonly kind: 'commit'; readonly version: number }
  | { readonly kind: 'checkpoint'; readonly version: number; readonly part: number; readonly parts: number }
  | { readonly kind: 'v2-checkpoint'; readonly version: number; readonly format: 'json' | 'parquet' }
  /** Both versions inclusive. */
  | { readonly kind: 'compaction'; readonly from: number; readonly to: number }
  | { readonly kind: 'checksum'; readonly version: number }
  | { readonly kind: 'other' };

export function versionPrefix(version: number): string {
  return String(version).padStart(VERSION_DIGITS, '0');
}

export function commitName(version: number): string {
  return `${versionPrefix(version)}.json`;
}

/** Of a classic checkpoint in one part. */
export function checkpointName(version: number): string {
  return `${versionPrefix(version)}.checkpoint.parquet`;
}

/** Of one part of a classic checkpoint; parts count from 1. */
export function checkpointPartName(
  version: number,
  part: { readonly part: number; readonly parts: number },
): string {
  if (part.parts === 1) return checkpointName(version);
  const [at, of] = [part.part, part.parts].map((number) => String(number).padStart(10, '0'));
  return `${versionPrefix(version)}.checkpoint.${at}.${of}.parquet`;
}

/** Of a v2 checkpoint. */
export function v2CheckpointName(version: number, uuid: string): string {
  return `${versionPrefix(version)}.checkpoint.${uuid}.parquet`;
}

export function compactionName(range: { readonly from: number; readonly to: number }): string {
  return `${versionPrefix(range.from)}.${versionPrefix(range.to)}.compacted.json`;
}

export function checksumName(version: number): string {
  return `${versionPrefix(version)}.crc`;
}

/** What a file of the log is, by its name alone; unknown names, and versions beyond what counts exactly, are `other`. */
export function parseLogFileName(name: string): LogFileName {
  const version = leadingVersion(name);
  if (version === undefined || name[VERSION_DIGITS] !== '.') return OTHER;
  const rest = name.slice(VERSION_DIGITS + 1);
  if (rest === 'json') return { kind: 'commit', version };
  if (rest === 'crc') return { kind: 'checksum', version };
  if (rest === 'checkpoint.parquet') return { kind: 'checkpoint', version, part: 1, parts: 1 };
  if (rest.startsWith('checkpoint.')) return parseCheckpointName(rest, version);
  const to = leadingVersion(rest);
  return to !== undefined && to > version && rest.slice(VERSION_DIGITS) === '.compacted.json'
    ? { kind: 'compaction', from: version, to }
    : OTHER;
}

const OTHER: LogFileName = { kind: 'other' };

function parseCheckpointName(rest: string, version: number): LogFileName {
  const match = /^checkpoint\.(?:(\d{10})\.(\d{10})\.parquet|[0-9a-fA-F-]{36}\.(json|parquet))$/.exec(rest);
  if (match === null) return OTHER;
  if (match[3] !== undefined) {
    return { kind: 'v2-checkpoint', version, format: match[3] === 'json' ? 'json' : 'parquet' };
  }
  const [part, parts] = [Number(match[1]), Number(match[2])];
  return part >= 1 && part <= parts ? { kind: 'checkpoint', version, part, parts } : OTHER;
}

/** The number of the first 20 digits; without a regular expression, since a log may have a million names. */
function leadingVersion(text: string): number | undefined {
  if (text.length < VERSION_DIGITS) return undefined;
  let version = 0;
  for (let at = 0; at < VERSION_DIGITS; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    version = version * 10 + digit;
  }
  return Number.isSafeInteger(version) ? version : undefined;
}
