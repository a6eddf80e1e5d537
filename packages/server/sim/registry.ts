/** The simulations that the runner knows; each file `*.sim.ts` beside it registers its own. */

/** Runs one seed to its end and gives a trace of what happened; throws when the oracle is broken. */
export type Simulation = (seed: number) => Promise<readonly string[]>;

const simulations = new Map<string, Simulation>();

export function registerSimulation(name: string, run: Simulation): void {
  if (simulations.has(name)) throw new Error(`two simulations are named ${name}`);
  simulations.set(name, run);
}

export function registered(): ReadonlyMap<string, Simulation> {
  return simulations;
}
