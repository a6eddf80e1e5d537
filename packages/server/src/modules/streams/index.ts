export * from './api.ts';
export * from './consumers/index.ts';
export * from './facts/index.ts';
export { parseSequenceNumber, sequenceNumberOf } from './core/sequence-number.ts';
export {
  ON_DEMAND_SHARDS,
  RECORD_BYTES_MAX_LEAST,
  RECORD_BYTES_MAX_MOST,
  RETENTION_HOURS_MAX,
  RETENTION_HOURS_MIN,
  type StreamsLimits,
} from './limits.ts';
export { createStreams, type StreamsOptions } from './service.ts';
export { isSplittable, scalingProblem } from './core/resharding.ts';
export { HASH_KEY_MAX } from './core/routing.ts';
