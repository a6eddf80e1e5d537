export * from './limits.ts';
export * from './server.ts';
export * from './sigv4.ts';
export type { StreamedAnswer } from './exchange.ts';
