/** Tables in Amazon S3, and in services that speak its protocol and honour conditional puts. */
export { S3Store, type S3StoreOptions } from './s3-store.ts';
