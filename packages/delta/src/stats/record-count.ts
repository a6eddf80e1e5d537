/** `numRecords` of a file's statistics; undefined when they are absent or damaged, lack it, or have no count there. */
export function recordCount(stats: string | null | undefined): number | undefined {
  if (stats === null || stats === undefined) return undefined;
  // Nearly every writer puts it first: no need to parse the rest of a million files' statistics.
  const first = /^\s*\{\s*"numRecords"\s*:\s*(\d{1,15})\s*[,}]/.exec(stats);
  if (first !== null) return Number(first[1]);
  try {
    const value: unknown = JSON.parse(stats);
    if (typeof value !== 'object' || value === null || !('numRecords' in value)) return undefined;
    const count = value.numRecords;
    return Number.isSafeInteger(count) && (count as number) >= 0 ? (count as number) : undefined;
  } catch {
    return undefined;
  }
}
