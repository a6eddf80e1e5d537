/** Horizontal bar charts of block characters, in eighths of a column; whole `#` where those are not understood. */
import type { Format, Terminal } from './terminal.ts';
import { displayWidth, fit, padEnd, padStart } from './width.ts';

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of `value / max` of `width` columns, without padding; anything above 0 shows. */
export function bar(share: { value: number; max: number }, width: number, unicode: boolean): string {
  const portion = share.max > 0 ? Math.min(1, Math.max(0, share.value / share.max)) : 0;
  if (!unicode) return '#'.repeat(portion > 0 ? Math.max(1, Math.round(portion * width)) : 0);
  const eighths = portion > 0 ? Math.max(1, Math.round(portion * width * 8)) : 0;
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What stands behind the bar. */
  readonly text: string;
}

export interface ChartOptions {
  readonly colour?: Format;
  /** The label's columns at most. */
  readonly labelMax?: number;
  readonly barMax?: number;
  /** The value of a full bar; the largest one by default. */
  readonly max?: number;
}

const COLUMNS_WHEN_UNLIMITED = 80;

/** One line for each bar, fitted to the terminal: label, bar, text. */
export function barChart(bars: readonly Bar[], terminal: Terminal, options: ChartOptions = {}): string[] {
  const columns = Math.min(terminal.columns(), COLUMNS_WHEN_UNLIMITED * 2);
  const width = Number.isFinite(terminal.columns()) ? columns : COLUMNS_WHEN_UNLIMITED;
  const textWidth = Math.max(0, ...bars.map((each) => displayWidth(each.text)));
  const labelMax = Math.min(options.labelMax ?? 48, Math.max(8, width - textWidth - 12));
  const labelWidth = Math.min(labelMax, Math.max(0, ...bars.map((each) => displayWidth(each.label))));
  const barWidth = Math.max(4, Math.min(options.barMax ?? 40, width - labelWidth - textWidth - 5));
  const max = options.max ?? Math.max(0, ...bars.map((each) => each.value));
  const ellipsis = terminal.unicode ? '…' : '~';
  return bars.map((each) => {
    const drawn = bar({ value: each.value, max }, barWidth, terminal.unicode);
    const painted = terminal.paint(options.colour ?? 'cyan', drawn);
    const label = padEnd(fit(each.label, labelWidth, ellipsis), labelWidth);
    return `  ${label} ${painted}${' '.repeat(barWidth - displayWidth(drawn))} ${padStart(each.text, textWidth)}`;
  });
}
