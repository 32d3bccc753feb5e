/**
 * What a check found, put right as far as that can be done without a backup: lost files made anew from the stream, and, when an operator
 * says so, strays removed that nobody touched for a while. Files that are there and not what landed are left alone.
 */
import type { DeliverySpec } from '../../model/delivery.ts';
import { lakePath } from '../../model/lake-path.ts';
import type { RepairOrder, RepairReport } from '../../ports/lake-care.ts';
import { check } from './check.ts';
import type { CareCall, CareRoom } from './room.ts';

const TOLD_MAX = 1000;

export async function repair(
  room: CareRoom,
  { spec, order }: { readonly spec: DeliverySpec; readonly order: RepairOrder },
  call: CareCall,
): Promise<RepairReport> {
  const { dryRun, straysOlderThanMs } = order;
  const { findings } = await check(room, { spec, order: { kind: 'check', deep: false } }, call);
  const lost = findings.filter(({ problem }) => problem === 'lost').map(({ path }) => path);
  const cutMs = room.clock.nowMs() - (straysOlderThanMs ?? Number.POSITIVE_INFINITY);
  const strays = findings.filter(({ problem, modifiedMs = Infinity }) => problem === 'stray' && modifiedMs <= cutMs);
  let rebuilt: readonly string[] = [];
  if (!dryRun) {
    if (lost.length > 0) rebuilt = await room.rebuildLost(spec.name, new Set(lost), call);
    for (const { path } of strays) await room.lake.remove(lakePath(path), call);
    if (rebuilt.length > 0) await room.changed(spec.name);
  }
  const removed = strays.map(({ path }) => path);
  room.telemetry.log.info('lake repaired', { delivery: spec.name, dryRun, lost: lost.length, rebuilt, removed });
  const isRebuilt = new Set(rebuilt);
  const stays = lost.filter((path) => !isRebuilt.has(path));
  const left = findings.length - lost.length - strays.length;
  return {
    kind: 'repair',
    dryRun,
    lost: stays.slice(0, TOLD_MAX),
    lostFiles: stays.length,
    rebuilt: rebuilt.slice(0, TOLD_MAX),
    rebuiltFiles: rebuilt.length,
    strays: removed.slice(0, TOLD_MAX),
    strayFiles: removed.length,
    left,
  };
}
