/** Bytes that all deliveries together may have read and not yet committed. */
export class Budget {
  readonly #bytesMax: number;
  readonly #listeners = new Set<() => void>();
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get exhausted(): boolean {
    return this.#used >= this.#bytesMax;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  free(bytes: number): void {
    const wasExhausted = this.exhausted;
    this.#used -= bytes;
    if (wasExhausted && !this.exhausted) for (const listener of this.#listeners) listener();
  }

  /** Called when bytes are free again; gives the way to unsubscribe. */
  onFree(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
