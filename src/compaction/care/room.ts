/** What the care of a lake works with, beside what compaction has. */
import type { LandingLog, LogReader } from '../../landing/landing-log.ts';
import type { RejectedFile } from '../../model/data-file.ts';
import type { DeliverySpec } from '../../model/delivery.ts';
import type { ObjectSettings } from '../../model/object-settings.ts';
import type { CallOptions } from '../../ports/call-options.ts';
import type { Catalog } from '../../ports/catalog.ts';
import type { CompactionRoom } from '../room.ts';
import type { Comparison } from './prune.ts';

export interface CareRoom extends Omit<CompactionRoom, 'openLog'> {
  readonly catalog: Catalog;
  readonly ends: PartitionEnds;
  /**
   * The landing logs of a delivery: of the stream it reads now, and of those of the same name before, whose files lie in the same folder.
   * Throws as the log.
   */
  openLogs(spec: DeliverySpec, call?: CallOptions): Promise<readonly LandingLog[]>;
  /** The same logs, to be read alone. */
  readLogs(spec: DeliverySpec, call?: CallOptions): Promise<readonly LogReader[]>;
  /** The logs of deliveries that are deleted; their files stayed. */
  readOtherLogs(call?: CallOptions): Promise<readonly LogReader[]>;
  /** Makes published files that the lake lost anew from the stream, where that can be done; gives their paths. */
  rebuildLost(delivery: string, lost: ReadonlySet<string>, call?: CallOptions): Promise<readonly string[]>;
  lakeId(): Promise<string>;
  /** How the bounds of a column of files of this plan compare; undefined where they are not to be compared. */
  comparison(spec: DeliverySpec, planVersion: number, field: string): Comparison | undefined;
  /** Lines of a file of rejected rows, each valid until the next. */
  rejectedLines(file: RejectedFile, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** A rejected record, base64, as text: JSON where it can be read. */
  recordText(data: string): string;
  /** How a file of rejected rows is named and kept. */
  rejectedStyle(
    spec: DeliverySpec,
    made: { readonly nonce: string; readonly atMs: number; readonly rows: number; readonly planVersion: number },
  ): { readonly name: string; readonly object?: ObjectSettings };
  /** Called when the log of a delivery says something else than before: whoever tells of the delivery reads on. */
  changed(delivery: string): Promise<void>;
  /** The wall clock, as far as it is believed; undefined while it is in doubt. */
  trustedNowMs(): number | undefined;
}

/** End of the time that partitions stand for, epoch ms; undefined for a layout without. */
export interface PartitionEnds {
  /** Of the partition that a row of this event time lies in. */
  ofTime(spec: DeliverySpec, eventMs: number): number | undefined;
  ofPartition(spec: DeliverySpec, partition: string): number | undefined;
}

export interface CareCall {
  readonly signal: AbortSignal;
  readonly report: (progress: { readonly share: number; readonly text: string }) => void;
}
