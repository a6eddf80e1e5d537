import type { DeltaTable, StructType } from '@sluice/delta';

/** How the catalogue gets at Delta tables; a root is an absolute directory. */
export interface DeltaTables {
  /** Undefined when there is no Delta log at the root. */
  open(root: string): Promise<DeltaTable | undefined>;
  /** Durable on return. Rejects with the library's `exists` when there is a log. */
  create(root: string, table: NewDeltaTable): Promise<DeltaTable>;
}

export interface NewDeltaTable {
  readonly description?: string;
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
}

/** Handles kept open; the one used longest ago goes first, and is opened anew when it is asked for. */
const HANDLES_MAX = 256;

/** One handle per table and process, so that everyone shares its cached snapshot. */
export class TableHandles {
  readonly #tables: DeltaTables;
  readonly #handles = new Map<string, Promise<DeltaTable | undefined>>();

  constructor(tables: DeltaTables) {
    this.#tables = tables;
  }

  open(root: string): Promise<DeltaTable | undefined> {
    const known = this.#handles.get(root);
    if (known) {
      this.#handles.delete(root);
      this.#handles.set(root, known);
      return known;
    }
    return this.#keep(root, this.#tables.open(root));
  }

  async create(root: string, table: NewDeltaTable): Promise<DeltaTable> {
    const created = await this.#tables.create(root, table);
    await this.#keep(root, Promise.resolve(created));
    return created;
  }

  has(root: string): boolean {
    return this.#handles.has(root);
  }

  forget(root: string): void {
    this.#handles.delete(root);
  }

  #keep(root: string, handle: Promise<DeltaTable | undefined>): Promise<DeltaTable | undefined> {
    this.#handles.set(root, handle);
    const oldest = this.#handles.keys().next();
    if (this.#handles.size > HANDLES_MAX && !oldest.done) this.#handles.delete(oldest.value);
    const forget = (): void => {
      if (this.#handles.get(root) === handle) this.#handles.delete(root);
    };
    // Neither a failure nor an absent log is an answer for the next caller.
    handle.then((table) => table === undefined && forget(), forget);
    return handle;
  }
}
