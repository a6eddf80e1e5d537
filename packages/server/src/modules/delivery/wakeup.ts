/** One waiting loop and whoever has news for it. */
export class Wakeup {
  #promise: PromiseWithResolvers<void> | undefined;
  #pending = false;

  /** Resolves with the next `notify`, or at once when there was one since the last wait. */
  wait(): Promise<void> {
    if (this.#pending) {
      this.#pending = false;
      return Promise.resolve();
    }
    this.#promise ??= Promise.withResolvers<void>();
    return this.#promise.promise;
  }

  notify(): void {
    const waiting = this.#promise;
    this.#promise = undefined;
    if (waiting === undefined) this.#pending = true;
    else waiting.resolve();
  }
}
