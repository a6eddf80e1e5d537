/** Names of the files below `_delta_log` (protocol: "Delta Log Entries", "Checkpoints"). */

export const LOG_DIRECTORY = '_delta_log';
export const LAST_CHECKPOINT = '_last_checkpoint';
const VERSION_DIGITS = 20;

export type LogFileName =
  | { readonly kind: 'commit'; readonly version: number }
  | { readonly kind: 'checkpoint'; readonly version: number; readonly part: number; readonly parts: number }
  | { readonly kind: 'v2-checkpoint'; readonly version: number }
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

/** What a file of the log is, by its name alone; compacted commits, checksums and unknown names are `other`. */
export function parseLogFileName(name: string): LogFileName {
  const match =
    /^(\d{20})\.(?:(json)|checkpoint\.(?:(parquet)|(\d{10})\.(\d{10})\.parquet|[0-9a-fA-F-]{36}\.(?:json|parquet)))$/.exec(
      name,
    );
  if (match === null) return { kind: 'other' };
  const version = Number(match[1]);
  if (match[2] !== undefined) return { kind: 'commit', version };
  if (match[3] !== undefined) return { kind: 'checkpoint', version, part: 1, parts: 1 };
  if (match[4] !== undefined) {
    return { kind: 'checkpoint', version, part: Number(match[4]), parts: Number(match[5]) };
  }
  return { kind: 'v2-checkpoint', version };
}
