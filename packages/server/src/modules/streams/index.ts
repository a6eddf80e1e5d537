export * from './api.ts';
export { parseSequenceNumber, sequenceNumberOf } from './core/sequence-number.ts';
export { RETENTION_HOURS_MAX, RETENTION_HOURS_MIN, type StreamsLimits } from './limits.ts';
export { createStreams, type StreamsOptions } from './service.ts';
export { HASH_KEY_MAX } from './core/routing.ts';
