export * from './limits.ts';
export * from './server.ts';
export * from './sigv4.ts';
