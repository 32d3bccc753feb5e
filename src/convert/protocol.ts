/**
 * What the server and an engine process say to each other. To the engine: frames of one type byte, a 32-bit length (little-endian)
 * and a body. Commands (JSON) come on its pipe; record batches (binary) lie in files of its scratch folder, a few MiB each, and a frame
 * on the pipe names each file; the engine removes it and says so, and few are ahead of it. A pipe takes some 200 KB at a turn of the server's event loop, which under load is
 * one turn every few milliseconds: landing would wait for the loop instead of the engine. From the engine, on its standard output:
 * one JSON message a line. Both sides are of one version, started together: nothing here is kept.
 *
 * Body of a batch: shard u32, count u32, first offset f64, bytes of keys u32, bytes of data u32, arrivals f64 × count,
 * key ends u32 × count, data ends u32 × count, keys, data.
 */
import type { ColumnPlan, Transform } from '../model/column-plan.ts';
import type { EventTime } from '../model/delivery.ts';
import type { ConvertJob, ConvertResult, DropJob, DropResult, MergeJob, MergeResult } from '../ports/converter.ts';
import type { CheckedTransform } from './engine/transform-check.ts';

export const FRAME = { command: 1, batch: 2, feed: 3 } as const;

/** Name of a feed file in the engine's folder; the body of a feed frame is its number. */
export function feedFile(number: number): string {
  return `feed-${number}`;
}
/** Whether the engine runs SQL of an operator for it. */
export function runsUserSql(command: Command): boolean {
  if (command.kind === 'check') return true;
  return (command.kind === 'convert' || command.kind === 'prove') && command.job.plan.transform !== undefined;
}
export const FRAME_HEAD_BYTES = 5;
export const BATCH_HEAD_BYTES = 24;
/** File descriptor of the pipe in the engine. */
export const INPUT_FD = 3;
export const OUTPUT_FD = 1;

export interface EngineOptions {
  readonly memoryBytes: number;
  /** Test aids: texts on which the engine dies, hangs or fails when a record holds them. */
  readonly crashMarker?: string;
  readonly hangMarker?: string;
  readonly failMarker?: string;
}

/** Shard and offset of a record the engine has died on before. */
export type RecordPlace = readonly [shard: number, offset: number];

/** `schemas`: path of the file of registered schemas, when there are any. */
export type Command =
  | {
      readonly kind: 'convert';
      readonly job: ConvertJob;
      readonly deadly: readonly RecordPlace[];
      readonly schemas?: string;
    }
  /** Does the job on records without values: what fails then is no record's fault. */
  | { readonly kind: 'prove'; readonly job: ConvertJob }
  | { readonly kind: 'merge'; readonly job: MergeJob }
  | { readonly kind: 'drop'; readonly job: DropJob }
  /** Judges SQL of an operator; see `engine/transform-check.ts`. */
  | { readonly kind: 'check'; readonly transform: Transform; readonly plan?: ColumnPlan }
  | {
      readonly kind: 'infer';
      readonly eventTime: EventTime;
      readonly fields: readonly string[];
      readonly schemas?: string;
    }
  /** All batches of the command were sent: finish and answer. */
  | { readonly kind: 'end' };

/** `ConvertResult` with its map as entries. */
export type ConvertAnswer = Omit<ConvertResult, 'eventHighMs'> & {
  readonly eventHighMs: readonly (readonly [number, number])[];
};

export type Message =
  | { readonly kind: 'ready' }
  /** Work goes on: sent often enough that silence means a hang. `bytes`: of the step that begins, which is one silent query. */
  | { readonly kind: 'alive'; readonly bytes?: number }
  /** A feed file was read and is gone. */
  | { readonly kind: 'taken' }
  /** `rssBytes`: without the ids of events that it remembers. */
  | { readonly kind: 'converted'; readonly result: ConvertAnswer; readonly rssBytes: number }
  | { readonly kind: 'merged'; readonly result: MergeResult; readonly rssBytes: number }
  | { readonly kind: 'dropped'; readonly result: DropResult; readonly rssBytes: number }
  | { readonly kind: 'inferred'; readonly plan: ColumnPlan; readonly rssBytes: number }
  | { readonly kind: 'checked'; readonly checked: CheckedTransform; readonly rssBytes: number }
  | { readonly kind: 'proved'; readonly rssBytes: number }
  /** The command failed, the engine lives. `lack`: what there was too little of for so many rows; `broken`: it is of no further use. */
  | { readonly kind: 'failed'; readonly message: string; readonly lack?: Lack; readonly broken: boolean };

/**
 * `other`: disk, file descriptors, partitions. What fewer records do not bring back: `keys`, a local file of event ids; `columns`, types that
 * all files to be merged could have.
 */
export type Lack = 'memory' | 'other' | 'keys' | 'columns';
