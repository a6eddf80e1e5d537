export * from './api.ts';
export * from './limits.ts';
