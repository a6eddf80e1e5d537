/** What simulations and tests of tables need: a store in memory, an engine without Parquet, faults, a contract. */
export { MemoryStore } from './memory-store.ts';
export { type Fault, FaultyStore, InjectedFault, type StoreCall } from './faulty-store.ts';
export { JsonEngine, type JsonEngineOptions, readJsonRows } from './json-engine.ts';
export { type ContractOptions, objectStoreContract, type StoreAddress } from './object-store-contract.ts';
