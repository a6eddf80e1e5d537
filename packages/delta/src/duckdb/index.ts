export { DuckDbEngine, type DuckDbEngineOptions } from './engine.ts';
