/**
 * What every part of a landing log works with. `rules` exists so that a test can leave a rule out and show that its checker notices;
 * a server always runs `PROTOCOL`.
 */
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { valid } from './fold.ts';
import type { LandingPaths } from './paths.ts';
import { repeated } from './retry.ts';
import type { StepHook } from './steps.ts';

export interface LandingRules {
  readonly valid: typeof valid;
  /** Whether an entry read back is the one that was to be created. */
  readonly isOwn: (heldNonce: string, ownNonce: string) => boolean;
  /** Whether the newest entry is published before the next is created. */
  readonly helpsNewest: boolean;
  /** Whether an entry somebody else made is synced before anything is built on it. */
  readonly confirmsNewest: boolean;
}
export const PROTOCOL: LandingRules = {
  valid,
  isOwn: (held, own) => held === own,
  helpsNewest: true,
  confirmsNewest: true,
};

export interface LandingTuning {
  /** Store calls repeated at most this often. */
  readonly tries: number;
  /** A checkpoint is written after this many entries … */
  readonly checkpointEntries: number;
  /** … or this many files since the last one. */
  readonly checkpointFiles: number;
  /** Entries are emptied, and old checkpoints dropped, this long after a checkpoint covers them. */
  readonly emptyAfterMs: number;
  /** Stages older than this that no entry names are swept. */
  readonly sweepAfterMs: number;
  /** Stages are listed at most this often. */
  readonly sweepEveryMs: number;
  /** No copy inside the lake store takes longer: a file that was published so long ago can be replaced. */
  readonly copyMaxMs: number;
  /** Lines of one list of files. */
  readonly partFilesMax: number;
}
export const TUNING: LandingTuning = {
  tries: 6,
  checkpointEntries: 64,
  checkpointFiles: 10_000,
  emptyAfterMs: 3_600_000,
  sweepAfterMs: 24 * 3_600_000,
  sweepEveryMs: 3_600_000,
  copyMaxMs: 15 * 60_000,
  partFilesMax: 4_000,
};

export interface LandingRoom {
  readonly store: LakeStore;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly delivery: string;
  readonly writer: string;
  /** Lake folder of the data files. */
  readonly prefix: string;
  /** Readers go by manifests. */
  readonly manifests: boolean;
  /** Somebody is told of partitions that are complete or were reopened. */
  readonly notices: boolean;
  readonly paths: LandingPaths;
  readonly tuning: LandingTuning;
  readonly rules: LandingRules;
  readonly step: StepHook;
  /** Throws `incarnation-mismatch` unless the lake is the one the log was opened on. */
  checkLake(call?: CallOptions): Promise<void>;
}

/** A store call, repeated while the lake is unavailable. */
export function again<T>(room: LandingRoom, call: () => Promise<T>, options?: CallOptions): Promise<T> {
  return repeated({ clock: room.clock, tries: room.tuning.tries }, call, options);
}
