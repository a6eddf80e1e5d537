/** Tables in Amazon S3, and in services that speak its protocol and honour conditional puts. */
export type { RetryLimits } from './retrying.ts';
export { S3Store, type S3StoreOptions } from './s3-store.ts';
export type { UploadLimits } from './upload.ts';
