import type { Action } from './actions.ts';
import { fileKey } from './actions.ts';

/**
 * What changes in the order of their versions come to (protocol: "Action Reconciliation"): the last of each kind, file,
 * application and domain. Removals stay, of files and of domains; what commits say of themselves and of row changes is
 * left out.
 */
export class ReconciledActions {
  readonly #files = new Map<string, Action>();
  readonly #txns = new Map<string, Action>();
  readonly #domains = new Map<string, Action>();
  #metaData: Action | undefined;
  #protocol: Action | undefined;

  /** The actions of the next version. */
  take(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.remove) this.#setFile(fileKey(action.remove), { remove: action.remove });
    }
    for (const action of actions) {
      if (action.add) this.#setFile(fileKey(action.add), { add: action.add });
      if (action.txn) this.#txns.set(action.txn.appId, { txn: action.txn });
      if (action.domainMetadata) {
        this.#domains.set(action.domainMetadata.domain, { domainMetadata: action.domainMetadata });
      }
      if (action.metaData) this.#metaData = { metaData: action.metaData };
      if (action.protocol) this.#protocol = { protocol: action.protocol };
    }
  }

  actions(): Action[] {
    return [
      ...(this.#protocol === undefined ? [] : [this.#protocol]),
      ...(this.#metaData === undefined ? [] : [this.#metaData]),
      ...this.#txns.values(),
      ...this.#domains.values(),
      ...this.#files.values(),
    ];
  }

  #setFile(key: string, action: Action): void {
    // Not in its old place: the order is that in which the log added files.
    this.#files.delete(key);
    this.#files.set(key, action);
  }
}
