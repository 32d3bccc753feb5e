/** A small log on the disk in memory, for tests that damage it: several segments, several shards, every record known. */
import { type EmbeddedBrokerOptions, openEmbeddedBroker } from '../../src/broker/embedded/embedded-broker.ts';
import { manualClock, type ManualClock } from '../../src/clock/manual-clock.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { Broker } from '../../src/ports/broker.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { type PowerCutFileSystem, powerCutFileSystem } from '../faults/power-cut-file-system.ts';
import { textBatch } from './text-batch.ts';

export const LOG_ID = asStreamId('small');
export const LOG_SHARDS = 2;
export const LOG_FOLDER = `/log/${LOG_ID}`;
const OPTIONS: Partial<EmbeddedBrokerOptions> = { reserveBytes: 0, segmentBytes: 700, groupBytes: 100 };

export interface SmallLog {
  readonly disk: PowerCutFileSystem;
  readonly clock: ManualClock;
  /** `shard/offset` → data. */
  readonly records: Map<string, string>;
  open(options?: Partial<EmbeddedBrokerOptions>): Promise<Broker>;
  append(broker: Broker, shard: number, ...data: string[]): Promise<void>;
}

export function smallLog(disk: PowerCutFileSystem = powerCutFileSystem(1)): SmallLog {
  const clock = manualClock();
  const records = new Map<string, string>();
  return {
    disk,
    clock,
    records,
    open: async (options) => {
      const setup = { folder: '/log', clock, telemetry: silentTelemetry(), fileSystem: disk };
      const broker = await openEmbeddedBroker({ ...setup, options: { ...OPTIONS, ...options } });
      await broker.open({ id: LOG_ID, shardCount: LOG_SHARDS, retentionMs: 3_600_000 });
      return broker;
    },
    append: async (broker, shard, ...data) => {
      const batch = textBatch(
        data.map((text) => ({ shard, key: 'k', data: text })),
        clock.nowMs(),
      );
      const { offsets } = await broker.append(LOG_ID, batch);
      data.forEach((text, i) => records.set(`${shard}/${offsets[i]}`, text));
    },
  };
}

/** Content of all files, to begin again from. */
export function snapshot(disk: PowerCutFileSystem): Map<string, Uint8Array> {
  return new Map(disk.paths().map((path) => [path, (disk.peek(path) as Uint8Array).slice()]));
}

export function restored(files: ReadonlyMap<string, Uint8Array>): PowerCutFileSystem {
  const disk = powerCutFileSystem(1);
  for (const [path, content] of files) disk.poke(path, content.slice());
  return disk;
}

export const segmentFiles = (disk: PowerCutFileSystem): string[] =>
  disk
    .paths()
    .filter((path) => path.startsWith(`${LOG_FOLDER}/`) && /\.(log|damaged)$/.test(path))
    .toSorted();
