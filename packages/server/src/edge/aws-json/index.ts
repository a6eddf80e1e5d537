export * from './authenticate.ts';
export { wireOfRefusal } from './choose-wire.ts';
export * from './dispatcher.ts';
export * from './parity.ts';
export * from './platform-errors.ts';
export * from './service.ts';
export * from './shapes.ts';
export type { Wire, WireName } from './wire.ts';
