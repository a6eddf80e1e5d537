/**
 * A deterministic world for simulations: operations of the simulated disk wait until the scheduler, by its seed, lets
 * them happen, so that one seed is one interleaving.
 */
import { SeededRandom, SimClock } from '../src/adapters/sim/index.ts';
import { SimDisk } from '../src/adapters/sim-disk/index.ts';
import { openSqliteMetaStore } from '../src/adapters/sqlite/index.ts';
import type { MetaStore } from '../src/ports/meta-store.ts';

interface Operation {
  readonly text: string;
  readonly go: () => void;
}

/**
 * Runs a simulation in its world, with metadata that survive its crashes, and gives the trace; an error carries the
 * trace up to it.
 */
export async function simulate(
  world: World,
  run: (meta: MetaStore) => Promise<void>,
): Promise<readonly string[]> {
  const meta = await openSqliteMetaStore(':memory:');
  try {
    await run(meta);
    return world.trace;
  } catch (error) {
    throw Object.assign(error as Error, { trace: world.trace });
  } finally {
    await meta.close();
  }
}

/** More steps than this without an end count as a hang. */
const DRIVE_STEPS_MAX = 200_000;

export class World {
  readonly random: SeededRandom;
  readonly clock = new SimClock();
  readonly disk: SimDisk;
  readonly trace: string[] = [];
  /** Rises with each crash: what belonged to a life before is not heard any more. */
  life = 0;
  #pending: Operation[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.disk = new SimDisk({ random: this.random, gate: (text) => this.gate(text) });
  }

  note(line: string): void {
    this.trace.push(line);
  }

  get pending(): number {
    return this.#pending.length;
  }

  /** Lets all that can run without the scheduler run. */
  async settle(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Lets one waiting operation happen; false when none waits. */
  async step(): Promise<boolean> {
    await this.settle();
    if (this.#pending.length === 0) return false;
    const [operation] = this.#pending.splice(this.random.below(this.#pending.length), 1);
    this.note(`  ${operation!.text}`);
    operation!.go();
    await this.settle();
    return true;
  }

  /** Steps until the work is done; gives its result. */
  async drive<Result>(work: Promise<Result>): Promise<Result> {
    const state = { done: false };
    const mark = () => (state.done = true);
    work.then(mark, mark);
    for (let steps = 0; !state.done; steps++) {
      if (!(await this.step()) && !state.done) this.clock.advance(this.clock.untilNextMs() ?? 1);
      if (steps > DRIVE_STEPS_MAX) throw new Error('it hangs');
    }
    return work;
  }

  /** Ends the process, or the machine with it; operations under way never return. */
  crash(kind: 'kill' | 'power'): void {
    this.note(`crash: ${kind}`);
    this.life++;
    if (kind === 'kill') this.disk.killProcess();
    else this.disk.losePower();
    this.clock.dropTimers();
    for (const operation of this.#pending.splice(0)) operation.go();
  }

  /** The store as the present process sees it: a transaction waits for the scheduler, and a crash before it leaves nothing. */
  metaOf(meta: MetaStore): MetaStore {
    const { life } = this;
    return {
      tables: () => meta.tables(),
      transaction: async (work) => {
        await this.gate('meta: transaction');
        return life === this.life ? meta.transaction(work) : new Promise<never>(() => {});
      },
      migrate: (module, migrations) => meta.migrate(module, migrations),
      close: () => meta.close(),
    };
  }

  /** Resolves when the scheduler lets the operation happen. */
  gate(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pending.push({ text, go: resolve });
    return promise;
  }
}
