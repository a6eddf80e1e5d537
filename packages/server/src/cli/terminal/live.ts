/**
 * Lines that are rewritten in place on a terminal, at most ten times a second. Elsewhere nothing can be rewritten:
 * there a plain line goes out every few seconds.
 */
import type { Terminal } from './terminal.ts';
import { fit } from './width.ts';

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 3000;

export interface Live {
  /** Shows the lines in place of those before, now or when the time has come; `plain` is the one line for elsewhere. */
  show(lines: () => readonly string[], plain?: () => string): void;
  /** Writes lines that stay, above those that are rewritten. */
  print(...lines: readonly string[]): void;
  /** Takes the rewritten lines away. */
  clear(): void;
}

export function liveOn(terminal: Terminal, nowMs: () => number = () => performance.now()): Live {
  let drawn = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  const erase = () => {
    if (drawn > 0) terminal.write(`\u001B[${drawn}A\u001B[J`);
    drawn = 0;
  };
  return {
    show(lines, plain) {
      const due = nowMs() - lastMs >= (terminal.isTty ? REDRAW_MS : PLAIN_LINE_MS);
      if (!due) return;
      if (!terminal.isTty) {
        // The first line would only say that nothing has happened yet.
        if (lastMs !== Number.NEGATIVE_INFINITY && plain !== undefined) terminal.write(`${plain()}\n`);
        lastMs = nowMs();
        return;
      }
      lastMs = nowMs();
      // More lines than the screen has would scroll away and could not be taken back.
      const shown = lines().slice(0, Math.max(1, terminal.rows() - 1));
      const up = drawn > 0 ? `\u001B[${drawn}A` : '';
      const text = shown.map((line) => `${fit(line, terminal.columns() - 1)}\u001B[K\n`).join('');
      terminal.write(`${up}${text}\u001B[J`);
      drawn = shown.length;
    },
    print(...lines) {
      erase();
      lastMs = terminal.isTty ? Number.NEGATIVE_INFINITY : lastMs;
      for (const line of lines) terminal.write(`${line}\n`);
    },
    clear() {
      erase();
      lastMs = Number.NEGATIVE_INFINITY;
    },
  };
}
