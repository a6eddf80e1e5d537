/** Who may call: access keys of principals. */
export interface Identity {
  /** The secret of an active access key, or undefined when there is none. In memory: fit for every request. */
  secretOf(accessKeyId: string): AccessKey | undefined;
}

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly principal: Principal;
}

/** The caller of a request, as it stands in grants and audit lines. */
export interface Principal {
  /** 12 digits. */
  readonly accountId: string;
  readonly name: string;
}
