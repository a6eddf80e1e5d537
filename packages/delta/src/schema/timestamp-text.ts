const PATTERN =
  /^(\d{4,6}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/;

/**
 * A timestamp as `YYYY-MM-DD HH:MM:SS.ffffff` in UTC; a text without an offset is taken to be UTC. Undefined for texts
 * that are no timestamp. Digits beyond the microsecond are cut off.
 */
export function canonicalTimestamp(text: string): string | undefined {
  const micros = timestampMicros(text);
  return micros === undefined ? undefined : timestampText(micros);
}

/** Microseconds since 1970 of a timestamp's text; undefined for texts that are no timestamp, and beyond year 275760. */
export function timestampMicros(text: string): bigint | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, date = '', time = '00:00:00', fraction = '', offset = 'Z'] = match;
  const year = date.slice(0, date.indexOf('-'));
  const isoDate = year.length > 4 ? `+${date.padStart(12, '0')}` : date;
  const ms = Date.parse(`${isoDate}T${time.length === 5 ? `${time}:00` : time}Z`);
  if (Number.isNaN(ms)) return undefined;
  const micros = BigInt(fraction.padEnd(6, '0').slice(0, 6) || '0');
  return BigInt(ms) * 1000n + micros - offsetMicros(offset);
}

/** The reverse of {@link timestampMicros}. */
export function timestampText(micros: bigint): string {
  const second = micros >= 0n ? micros / 1_000_000n : (micros - 999_999n) / 1_000_000n;
  const iso = new Date(Number(second) * 1000).toISOString();
  const date = iso.startsWith('+') ? iso.slice(1).replace(/^0/, '') : iso;
  const fraction = String(micros - second * 1_000_000n).padStart(6, '0');
  return `${date.slice(0, date.indexOf('T'))} ${date.slice(date.indexOf('T') + 1, -5)}.${fraction}`;
}

function offsetMicros(offset: string): bigint {
  if (offset === 'Z') return 0n;
  const digits = offset.slice(1).replace(':', '').padEnd(4, '0');
  const minutes = BigInt(digits.slice(0, 2)) * 60n + BigInt(digits.slice(2, 4));
  return (offset.startsWith('-') ? -minutes : minutes) * 60_000_000n;
}

/** A time in milliseconds since 1970 for the reader of an error, also one that no calendar reaches. */
export function timeText(timestampMs: number): string {
  const date = new Date(timestampMs);
  return Number.isNaN(date.getTime()) ? `${timestampMs} ms since 1970` : date.toISOString();
}
