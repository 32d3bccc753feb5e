/** What processes that share a lake tell each other of themselves, for whoever asks any of them how things are. Nothing is decided by it. */
import type { DeliveryState, DeliveryTrouble } from '../model/delivery.ts';

/** What a process does for one delivery. */
export interface DeliveryShare {
  readonly delivery: string;
  readonly state: DeliveryState;
  readonly trouble?: DeliveryTrouble;
  /** Shards it lands. */
  readonly shards: readonly number[];
  /** Waiting in those shards. */
  readonly records: number;
  readonly oldestArrivalMs?: number;
  /** The newest landing it knows of, its own or another's. */
  readonly lastLandedMs?: number;
}

export interface ProcessReport {
  /** Of this run; a restarted process has another. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly url: string;
  readonly roles: readonly string[];
  readonly version: string;
  readonly startedMs: number;
  /** The newest version of the catalog it knows. */
  readonly catalogVersion: number;
  /** How long ago that was known to be the newest of all. */
  readonly catalogAgeMs: number;
  readonly memoryBytes: number;
  /** Empty without the role `deliver`. */
  readonly deliveries: readonly DeliveryShare[];
}

/** A process as another one sees it. */
export interface KnownProcess extends ProcessReport {
  /** Since its last report, by the clock of the lake's store. */
  readonly heardAgoMs: number;
  /** It missed several reports: it has died, hangs, or cannot reach the lake. */
  readonly silent: boolean;
}
