import { registerSimulation } from './registry.ts';
import { simulateStreams } from './streams-simulation.ts';

registerSimulation('streams', (seed) => simulateStreams(seed));
registerSimulation('streams-subscribed', (seed) =>
  simulateStreams(seed, { encrypted: true, subscribed: true }),
);
registerSimulation('streams-encrypted', (seed) => simulateStreams(seed, { encrypted: true }));
