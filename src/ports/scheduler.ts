/** Named jobs on a cadence. One runner at a time for a name, across all processes that share the scheduler. */
export interface Job {
  readonly name: string;
  readonly everyMs: number;
  /** Up to this share of `everyMs` is added at random, 0 … 1. */
  readonly jitter: number;
  /** A throw is logged and counted; the job comes again at its next turn. */
  run(signal: AbortSignal): Promise<void>;
}

export interface Scheduler {
  /** Adds a job; its first run is one cadence away. Throws for a name that is taken. */
  add(job: Job): void;
  /** Removes a job; a run under way is aborted and awaited. Fine when there is none. */
  remove(name: string): Promise<void>;
  /** Runs a job now; resolves or rejects with that run. When it runs already, waits for it and runs once more. */
  trigger(name: string): Promise<void>;
  /** Aborts and awaits all. Idempotent. */
  close(): Promise<void>;
}
