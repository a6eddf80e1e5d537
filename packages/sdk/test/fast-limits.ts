import type { ConsumerLimits } from '../src/index.ts';

/** So that a test sees in a second what takes a minute in production. */
export const FAST: Partial<ConsumerLimits> = {
  leaseMs: 900,
  renewMs: 150,
  discoverMs: 500,
  handoverMs: 2_000,
  recordsMax: 40,
  pollMsMin: 20,
  pollMsMax: 60,
  retryMsMin: 20,
  retryMsMax: 500,
};
