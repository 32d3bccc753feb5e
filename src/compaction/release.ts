/**
 * Held late rows come to be seen: those of a partition are merged into one file, which one entry of the landing log puts in their place. A
 * partition whose files do not let themselves be merged is told and left as it is; it does not keep the others.
 */
import type { LandingLog } from '../landing/landing-log.ts';
import type { HeldFile } from '../landing/live-files.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { isLakewardError } from '../model/errors.ts';
import { styleOf } from './care/erase-files.ts';
import { mergeGroup } from './execute.ts';
import { bytesOf, type CandidateFile } from './policy.ts';
import type { CompactionRoom } from './room.ts';
import { isOfGroup } from './run.ts';

export interface ReleaseOrder {
  readonly spec: DeliverySpec;
  readonly log: LandingLog;
  readonly held: readonly HeldFile[];
  readonly signal: AbortSignal;
}

type ReleaseRoom = Omit<CompactionRoom, 'openLog'>;

/** Throws as the log, the converter and the lake. */
export async function releaseHeld(room: ReleaseRoom, { spec, log, held, signal }: ReleaseOrder): Promise<void> {
  const telemetry = room.telemetry.log.child({ room: 'compaction', delivery: spec.name });
  // A delivery may have changed its format since.
  const groups = Map.groupBy(held, ({ file }) => {
    const { format, compression } = styleOf(spec, file.path) ?? spec;
    return `${file.partition} ${format} ${compression}`;
  });
  for (const group of groups.values()) {
    signal.throwIfAborted();
    const [{ file, closesAtMs = 0 }] = group as [HeldFile];
    const { partition } = file;
    const files = group.map(candidateOf);
    const style = styleOf(spec, file.path) ?? spec;
    const rule = { sort: spec.compaction?.sort ?? ('time' as const), readers: 'listing' as const };
    const order = { room, spec: style, rule, log, signal, released: { closesAtMs } };
    try {
      const { filesBefore, rows } = await mergeGroup(order, { partition, files, bytes: bytesOf(files) });
      if (filesBefore > 0) telemetry.info('late rows released', { partition, files: filesBefore, rows });
    } catch (error) {
      if (signal.aborted || !isLakewardError(error) || !isOfGroup(error)) throw error;
      telemetry.error('late rows cannot be released', { partition, files: files.length, reason: error.message });
    }
  }
}

function candidateOf({ file, publishedMs = Number.POSITIVE_INFINITY }: HeldFile): CandidateFile {
  const { path, partition, rows, bytes, eventMinMs, eventMaxMs, planVersion, checksum } = file;
  const facts = { path, partition, rows, bytes, eventMinMs, eventMaxMs, planVersion, checksum };
  // A copy of it that comes late is seen by nobody, and removed.
  return { ...facts, publishedMs, settled: true, open: false };
}
