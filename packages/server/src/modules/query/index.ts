export * from './api.ts';
export { createQuery, DEFAULT_QUERY_LIMITS, type QueryLimits, type QueryOptions } from './service.ts';
export { QueryError } from './errors.ts';
