/** `numRecords` of a file's statistics; undefined when they are absent, damaged or lack it. */
export function recordCount(stats: string | null | undefined): number | undefined {
  if (stats === null || stats === undefined) return undefined;
  // Nearly every writer puts it first: no need to parse the rest of a million files' statistics.
  const first = /^\s*\{\s*"numRecords"\s*:\s*(\d{1,15})\s*[,}]/.exec(stats);
  if (first !== null) return Number(first[1]);
  try {
    const value: unknown = JSON.parse(stats);
    const isCounted = typeof value === 'object' && value !== null && 'numRecords' in value;
    return isCounted && typeof value.numRecords === 'number' ? value.numRecords : undefined;
  } catch {
    return undefined;
  }
}
