import { simulateDelivery } from './delivery-simulation.ts';
import { registerSimulation } from './registry.ts';

registerSimulation('delivery', (seed) => simulateDelivery(seed));
