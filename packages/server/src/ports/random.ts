/** The only source of randomness of the modules; seeded in simulations. */
export interface Random {
  /** Unpredictable bytes, fit for keys in the system's adapter. */
  bytes(length: number): Uint8Array;
  /** RFC 9562 version 4. */
  uuid(): string;
}
