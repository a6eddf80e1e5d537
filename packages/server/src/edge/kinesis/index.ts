export { createKinesisService, type KinesisOptions } from './service.ts';
