/** What compaction works with; whoever composes the process gives it. */
import type { LandingLog } from '../landing/landing-log.ts';
import type { ColumnStatistics } from '../model/data-file.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import type { LakePath } from '../model/lake-path.ts';
import type { ObjectSettings } from '../model/object-settings.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Converter } from '../ports/converter.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { Telemetry } from '../ports/telemetry.ts';

export interface CompactionRoom {
  readonly lake: LakeStore;
  readonly converter: Converter;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly scratch: CompactionScratch;
  readonly style: FileStyle;
  /** Opens the landing log of a delivery; undefined when nothing has landed. Throws as the log. */
  openLog(delivery: string, call?: CallOptions): Promise<LandingLog | undefined>;
}

/** Local folders for files on their way. */
export interface CompactionScratch {
  /** A new, empty folder; its absolute path. */
  make(): Promise<string>;
  /** Gives the bytes written. */
  writePieces(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number>;
  /** With what is in it; fine when there is none. */
  remove(path: string): Promise<void>;
}

/** How the data files of a delivery are named and kept: as those that land are. */
export interface FileStyle {
  /** What names end with that a delivery gives its files now; others are left alone. */
  extension(spec: DeliverySpec): string;
  /** A name that no other file has; in order of names it comes behind those whose place the file takes. */
  name(spec: DeliverySpec, made: { readonly nonce: string; readonly behind: readonly LakePath[] }): string;
  kept<T extends KeptFile>(spec: DeliverySpec, file: T): T & { readonly object?: ObjectSettings };
}

export interface KeptFile {
  readonly partition: string;
  readonly planVersion: number;
  readonly rows: number;
  readonly columns: readonly ColumnStatistics[];
}
