import { registerSimulation } from './registry.ts';
import { simulateStreams } from './streams-simulation.ts';

registerSimulation('streams', (seed) => simulateStreams(seed));
