import type { Logger, Metrics } from '../../../ports/observe.ts';

/** A logger that drops all lines. */
export const quietLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quietLogger,
};

/** Metrics that count nothing. */
export const quietMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
};
