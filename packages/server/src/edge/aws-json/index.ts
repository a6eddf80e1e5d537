export * from './service.ts';
export * from './shapes.ts';
