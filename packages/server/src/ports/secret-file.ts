/** One small file that only its owner may read. */
export interface SecretFile {
  /** As users know it, for messages. */
  readonly path: string;
  /** Its text, or `absent`; `loose` when others than the owner may read or write it: then the text is not read. */
  read(): Promise<{ kind: 'text'; text: string } | { kind: 'absent' } | { kind: 'loose'; mode: string }>;
  /** Durable and whole on return, with access for the owner only. Replaces what is there. */
  write(text: string): Promise<void>;
}
