/** The entry point of `@sluice/sdk`. */
export { createConsumer, type Consumer } from './consumer/consumer.ts';
export { ConsumerError, type ConsumerErrorCode } from './consumer/errors.ts';
export { LIMITS, type ConsumerLimits } from './consumer/limits.ts';
export type { ConsumerEvent } from './consumer/events.ts';
export type { ConsumerOptions, FailedBatch, OnError, StartAt } from './consumer/options.ts';
export type { RecordBatch, ShardContext, ShardProcessor, UserRecord } from './consumer/processor.ts';
export type { ConsumerStatus, ShardStatus } from './consumer/status.ts';
export { systemClock, type Clock } from './consumer/clock.ts';
export type { Checkpoint, Lease } from './consumer/core/lease.ts';
export type { LeaseScope, LeaseStore } from './consumer/leases/lease-store.ts';
export { FileLeaseStore } from './consumer/leases/file-lease-store.ts';
export { MemoryLeaseStore } from './consumer/leases/memory-lease-store.ts';
export { DynamoDbLeaseStore, type DynamoDbCalls } from './consumer/leases/dynamodb-lease-store.ts';
export { deaggregate } from './consumer/deaggregate.ts';
