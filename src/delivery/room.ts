/** What every delivery of a process shares: the ports it works with and who it is. */
import type { HeldFile } from '../landing/live-files.ts';
import type { LandingLog } from '../landing/landing-log.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import type { LandingTuning } from '../landing/room.ts';
import type { StepHook } from '../landing/steps.ts';
import type { Broker } from '../ports/broker.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { DeliveryShare } from '../ports/processes.ts';
import type { Converter } from '../ports/converter.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { LakeOffers } from '../model/object-settings.ts';
import type { Notifier } from '../ports/notifier.ts';
import type { Scheduler } from '../ports/scheduler.ts';
import type { ShardGroups } from '../ports/shard-groups.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { ScratchFolders } from './scratch.ts';

export interface ReleaseOrder {
  readonly spec: DeliverySpec;
  readonly log: LandingLog;
  /** Those of a partition become one file. */
  readonly held: readonly HeldFile[];
  readonly signal: AbortSignal;
}
/** What another process released meanwhile is left out. Throws as the log, the converter and the lake. */
export type ReleaseHeld = (order: ReleaseOrder) => Promise<void>;

export interface DeliveryRoom {
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly converter: Converter;
  readonly lake: LakeStore;
  /** What a new specification may ask of the lake; without it anything. */
  readonly offers?: LakeOffers;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Jobs of this process. */
  readonly scheduler: Scheduler;
  /** Jobs that one process does for all that share the catalog. Default: `scheduler`. */
  readonly sharedScheduler?: Scheduler;
  readonly scratch: ScratchFolders;
  /** Without it notices wait. */
  readonly notifier?: Notifier;
  /** Whether this process lands; without it deliveries are known here and land in other processes. Default true. */
  readonly delivers?: boolean;
  /** Deals the shards among the processes that land them; without it this one lands all. */
  readonly groups?: ShardGroups;
  /** What other processes say of their work on a delivery, as far as it is known here. */
  readonly elsewhere?: (delivery: string) => Promise<readonly DeliveryShare[]>;
  /** Merges held late rows into files that readers see; without it none are held. */
  readonly releaseHeld?: ReleaseHeld;
  /** Names this process in log entries: who landed what. */
  readonly writer: string;
  /** Identity of the lake; a landing log that was written for another one is not continued. Throws `lake-unavailable` while the lake is away. */
  lakeId(): Promise<string>;
  /** Called after every named step of a landing: where crash tests stop the process. */
  readonly step?: StepHook;
  /** Another pace for the upkeep of landing logs, for the same tests. */
  readonly upkeep?: { readonly everyMs: number; readonly tuning: Partial<LandingTuning> };
}
