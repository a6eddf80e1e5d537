export * from './authenticate.ts';
export * from './dispatcher.ts';
export * from './parity.ts';
export * from './platform-errors.ts';
export * from './service.ts';
export * from './shapes.ts';
