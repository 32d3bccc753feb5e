/**
 * Takes whole segments whose youngest record is past retention, oldest first. The new beginning of the log is durable before a file
 * goes, so a crash never brings old records back; on a disk so full that even that cannot be written, segments go one
 * by one, each durably, and the beginning is written after.
 */
import { isFull } from './file-system.ts';
import { removeSegmentFiles } from './recovery-files.ts';
import { roll, storeState } from './segments.ts';
import type { Segment, StreamLog } from './stream-log.ts';

/** Gives the bytes freed. */
export function retain(log: StreamLog, nowMs: number): Promise<number> {
  return log.exclusive(async () => {
    const cutoffMs = nowMs - log.retentionMs;
    const kept = youngest(log.segments, nowMs).findIndex((ms) => ms >= cutoffMs);
    const last = log.segments.at(-1);
    if (kept === -1 && last?.index !== undefined && last.index.count() > 0) {
      await roll(log).catch((error: unknown) => {
        log.log.warn('no new segment could begin, the last one stays', { stream: log.id, error });
      });
    }
    const old = log.segments.slice(0, kept === -1 ? log.segments.length - 1 : kept);
    if (old.length === 0) return 0;
    await Promise.all(log.background);
    return drop(log, old);
  });
}

/**
 * By segment: arrival of its youngest record. One from the future was stamped while the clock was ahead; what came after it is
 * younger in truth, so it counts as old as the next segment whose time has been.
 */
function youngest(segments: readonly Segment[], nowMs: number): number[] {
  const arrivals = segments.map(({ sums }) => sums.maxArrivalMs.reduce((most, ms) => Math.max(most, ms), -Infinity));
  return arrivals.map((ms, i) => {
    if (ms <= nowMs) return ms;
    return arrivals.find((later, j) => j > i && later <= nowMs && later !== -Infinity) ?? ms;
  });
}

async function drop(log: StreamLog, old: readonly Segment[]): Promise<number> {
  const first = log.segments[old.length];
  if (first === undefined) throw new Error('retention leaves a segment');
  log.segments = log.segments.slice(old.length);
  log.retainedFrom = first.base;
  log.expired = log.expired.map((end, shard) =>
    Math.max(end, first.starts[shard] ?? 0, ...old.map(({ sums }) => sums.next[shard] ?? 0)),
  );
  log.damaged = log.damaged.filter(({ shard, to }) => to > (log.expired[shard] ?? 0));
  const stored = await storedState(log);
  for (const segment of old) {
    await removeSegmentFiles(log, segment);
    if (!stored) await log.files.syncFolder(log.folder);
  }
  await log.files.syncFolder(log.folder);
  if (!stored) await storedState(log);
  log.log.info('segments past retention removed', { stream: log.id, segments: old.length });
  return old.reduce((bytes, { end }) => bytes + end, 0);
}

/** False on a disk so full that the state cannot be written. */
async function storedState(log: StreamLog): Promise<boolean> {
  try {
    await storeState(log);
    return true;
  } catch (error) {
    if (!isFull(error)) throw error;
    log.log.warn('state of the stream not stored, the disk is full', { stream: log.id });
    return false;
  }
}
