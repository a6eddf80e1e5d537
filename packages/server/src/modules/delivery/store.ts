/** Definitions and decisions of deliveries in the MetaStore. */
import type { Migration, MetaStore } from '../../ports/meta-store.ts';
import type { DecidedShard } from '../../ports/row-writer.ts';
import type { CreateDelivery } from './api.ts';

export interface Definition extends CreateDelivery {
  readonly id: string;
  readonly versionId: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** Where to begin in shards (by uid) of which the table has no position, or an older one. */
  readonly startOffsets: Readonly<Record<string, number>>;
}

/**
 * Which records a commit to the rejected table holds: written before it, so that a crash between that commit and the
 * one to the table can't change what was decided (D5 in SPEC.md).
 */
export interface Decision {
  readonly id: number;
  readonly shards: readonly DecidedShard[];
}

interface Tables {
  delivery_definitions: { name: string; id: string; body: string };
  delivery_decisions: { delivery_id: string; id: number; body: string };
}

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: [
      'CREATE TABLE delivery_definitions (name text PRIMARY KEY, id text NOT NULL UNIQUE, body text NOT NULL)',
      'CREATE TABLE delivery_decisions (delivery_id text NOT NULL, id bigint NOT NULL, body text NOT NULL, PRIMARY KEY (delivery_id, id))',
    ],
  },
];

export class DeliveryStore {
  readonly #meta: MetaStore;

  private constructor(meta: MetaStore) {
    this.#meta = meta;
  }

  static async open(meta: MetaStore): Promise<DeliveryStore> {
    await meta.migrate('delivery', MIGRATIONS);
    return new DeliveryStore(meta);
  }

  async all(): Promise<Definition[]> {
    const rows = await this.#meta
      .tables<Tables>()
      .selectFrom('delivery_definitions')
      .select('body')
      .orderBy('name')
      .execute();
    return rows.map((row) => JSON.parse(row.body) as Definition);
  }

  async insert(definition: Definition): Promise<void> {
    const { name, id } = definition;
    const values = { name, id, body: JSON.stringify(definition) };
    await this.#meta.tables<Tables>().insertInto('delivery_definitions').values(values).execute();
  }

  async replace(definition: Definition): Promise<void> {
    await this.#meta
      .tables<Tables>()
      .updateTable('delivery_definitions')
      .set({ body: JSON.stringify(definition) })
      .where('id', '=', definition.id)
      .execute();
  }

  async remove(id: string): Promise<void> {
    await this.#meta.transaction<Tables, void>(async (tx) => {
      await tx.deleteFrom('delivery_definitions').where('id', '=', id).execute();
      await tx.deleteFrom('delivery_decisions').where('delivery_id', '=', id).execute();
    });
  }

  /** Oldest first. */
  async decisions(deliveryId: string): Promise<Decision[]> {
    const rows = await this.#meta
      .tables<Tables>()
      .selectFrom('delivery_decisions')
      .select('body')
      .where('delivery_id', '=', deliveryId)
      .orderBy('id')
      .execute();
    return rows.map((row) => JSON.parse(row.body) as Decision);
  }

  /** Durable on return; forgets those that are older than `keepFrom`. */
  async decide(deliveryId: string, decision: Decision, keepFrom: number): Promise<void> {
    await this.#meta.transaction<Tables, void>(async (tx) => {
      const values = { delivery_id: deliveryId, id: decision.id, body: JSON.stringify(decision) };
      await tx.insertInto('delivery_decisions').values(values).execute();
      await tx
        .deleteFrom('delivery_decisions')
        .where('delivery_id', '=', deliveryId)
        .where('id', '<', keepFrom)
        .execute();
    });
  }
}
