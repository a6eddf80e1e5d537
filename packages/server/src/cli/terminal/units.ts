/** Numbers as people read them. */
const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** 1234567 → `1,234,567` */
export function count(value: number | bigint): string {
  return COUNT.format(value);
}

/** `1 row`, `2 rows` */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Powers of 1000: 1530000 → `1.53 MB` */
export function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < SIZES.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const digits = unit === 0 || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)} ${SIZES[unit] ?? 'PB'}`;
}

/** `0 ms`, `850 ms`, `3.2 s`, `2 min 5 s`, `3 h 12 min`, `5 d 2 h` */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return both([Math.floor(seconds / 60), 'min'], [seconds % 60, 's']);
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return both([Math.floor(minutes / 60), 'h'], [minutes % 60, 'min']);
  const hours = Math.round(minutes / 60);
  return both([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

/** `5 s ago`, `now` */
export function ago(ms: number): string {
  if (ms < 1000) return 'now';
  return `${duration(ms < 60_000 ? Math.floor(ms / 1000) * 1000 : ms).replace('.0 s', ' s')} ago`;
}

function both([large, largeUnit]: [number, string], [small, smallUnit]: [number, string]): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
