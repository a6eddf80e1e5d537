export * from './api.ts';
export * from './service.ts';
