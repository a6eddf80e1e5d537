export * from './api.ts';
export { createQuery, type QueryLimits, type QueryOptions } from './service.ts';
