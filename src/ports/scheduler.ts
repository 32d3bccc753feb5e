/** Named jobs on a cadence. One runner at a time for a name, across all processes that share the scheduler. */

/** How far a run is. */
export interface Progress {
  /** 0 … 1. */
  readonly share: number;
  /** For people: what it is at. */
  readonly text: string;
}

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  /** Up to this share of `everyMs` is added at random, 0 … 1. */
  readonly jitter: number;
  /**
   * A throw is logged and counted; the job comes again at its next turn. `report` is cheap and never throws. `asked`: somebody triggered
   * this run, in whatever process.
   */
  run(signal: AbortSignal, report: (progress: Progress) => void, asked: boolean): Promise<void>;
}

export interface Scheduler {
  /** Adds a job of this process; its first run is one cadence away. Throws for a name that is taken here. */
  add(job: Job): void;
  /** Removes a job from this process; a run under way here is aborted and awaited. Fine when there is none. */
  remove(name: string): Promise<void>;
  /**
   * Runs a job now; resolves or rejects with that run. When it runs already, waits for it and runs once more. Throws
   * `schedule-unavailable` when what coordinates the processes does not answer.
   */
  trigger(name: string): Promise<void>;
  /** What the run under way told last, in whatever process it is; undefined when none is under way. Throws `schedule-unavailable`. */
  progress(name: string): Promise<Progress | undefined>;
  /**
   * Aborts the run under way with `run-cancelled`, in whatever process it is, and resolves when it has ended; the job comes again at its
   * next turn. Fine when none is under way. Throws `schedule-unavailable`.
   */
  cancel(name: string): Promise<void>;
  /** Aborts and awaits what runs here. Idempotent. */
  close(): Promise<void>;
}
