/** What every port method takes last. */
export interface CallOptions {
  /** Aborting rejects the call with the signal's reason; see each port for what may have taken effect. */
  readonly signal?: AbortSignal | undefined;
}
