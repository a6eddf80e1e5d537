export * from './api.ts';
export { createDelivery, type DeliveryOptions } from './service.ts';
export type { DeliveryLimits } from './limits.ts';
export { BatchHandler, type BatchFile, type MakeFile } from './rows/batch-handler.ts';
