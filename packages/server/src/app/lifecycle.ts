/**
 * Roles in their order: each is started after those that it needs and stopped before them. A role that can't start
 * stops those that were started; one that doesn't stop within the bound is left to the end of the process, which
 * loses nothing, since nothing acknowledged is in memory only.
 */
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/observe.ts';

export type RoleName =
  | 'metadata'
  | 'identity'
  | 'streams'
  | 'catalog'
  | 'upkeep'
  | 'delivery'
  | 'query'
  | 'mqtt'
  | 'edge';
export type RoleState = 'starting' | 'running' | 'failed' | 'stopping' | 'stopped';

export interface RoleStatus {
  readonly name: RoleName;
  readonly state: RoleState;
}

interface Closable {
  close(): Promise<void> | void;
}

interface Entry {
  readonly name: RoleName;
  state: RoleState;
  role: Closable | undefined;
}

/** How long one role may take to drain. */
const STOP_MS_MAX = 10_000;

export class Lifecycle {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #roles: Entry[] = [];

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Starts a role after all that were started before; rejects with its error once those are stopped. */
  async start<Role extends Closable>(name: RoleName, start: () => Promise<Role> | Role): Promise<Role> {
    const entry: Entry = { name, state: 'starting', role: undefined };
    this.#roles.push(entry);
    try {
      const role = await start();
      entry.role = role;
      entry.state = 'running';
      return role;
    } catch (error) {
      entry.state = 'failed';
      await this.close();
      throw error;
    }
  }

  status(): RoleStatus[] {
    return this.#roles.map(({ name, state }) => ({ name, state }));
  }

  /** Stops the running roles, last first; never rejects. */
  async close(): Promise<void> {
    for (const entry of this.#roles.toReversed()) {
      if (entry.state !== 'running') continue;
      entry.state = 'stopping';
      entry.state = (await this.#stop(entry.name, entry.role!)) ? 'stopped' : 'failed';
    }
  }

  async #stop(name: RoleName, role: Closable): Promise<boolean> {
    const expired = new AbortController();
    try {
      const timedOut = this.#clock.sleep(STOP_MS_MAX, expired.signal).then(
        () => true,
        () => false,
      );
      const closed = Promise.resolve(role.close()).then(() => false);
      if (await Promise.race([closed, timedOut])) {
        this.#logger.warn({ role: name, waitedMs: STOP_MS_MAX }, 'role did not stop in time');
        return false;
      }
      return true;
    } catch (error) {
      this.#logger.error({ role: name, err: error }, 'role failed to stop');
      return false;
    } finally {
      expired.abort();
    }
  }
}
