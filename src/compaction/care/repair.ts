/**
 * What a check found, put right as far as that can be done without a backup: lost files made anew from the stream, and, when an operator
 * says so, those given up that cannot be, and strays removed that nobody touched for a while. Files that are there and not what landed are
 * left alone.
 */
import type { DeliverySpec } from '../../model/delivery.ts';
import { LakewardError } from '../../model/errors.ts';
import { lakePath } from '../../model/lake-path.ts';
import type { LakeFinding, RepairOrder, RepairReport } from '../../ports/lake-care.ts';
import { acceptLoss } from './accept-loss.ts';
import { check } from './check.ts';
import type { CareCall, CareRoom } from './room.ts';

const TOLD_MAX = 1000;

export async function repair(
  room: CareRoom,
  { spec, order }: { readonly spec: DeliverySpec; readonly order: RepairOrder },
  call: CareCall,
): Promise<RepairReport> {
  const { dryRun, straysOlderThanMs, acceptLoss: given } = order;
  const { findings } = await check(room, { spec, order: { kind: 'check', deep: false } }, call);
  const lost = findings.filter(({ problem }) => problem === 'lost');
  const paths = lost.map(({ path }) => path);
  refuseOthers(given?.paths ?? [], paths);
  const cutMs = room.clock.nowMs() - (straysOlderThanMs ?? Number.POSITIVE_INFINITY);
  const strays = findings.filter(({ problem, modifiedMs = Infinity }) => problem === 'stray' && modifiedMs <= cutMs);
  let rebuilt: readonly string[] = [];
  if (!dryRun) {
    if (lost.length > 0) rebuilt = await room.rebuildLost(spec.name, new Set(paths), call);
    for (const { path } of strays) await room.lake.remove(lakePath(path), call);
  }
  const isRebuilt = new Set(rebuilt);
  const wanted = new Set(given?.paths.filter((path) => !isRebuilt.has(path)));
  const would = { paths: [...wanted], rows: rowsOf(lost, wanted), rejectedRows: 0, waitingFiles: 0 };
  const done =
    dryRun || given === undefined ? would : await acceptLoss(room, { spec, paths: wanted, by: given.by }, call);
  if (!dryRun && rebuilt.length + done.paths.length > 0) await room.changed(spec.name);
  const removed = strays.map(({ path }) => path);
  const facts = { delivery: spec.name, dryRun, lost: lost.length, rebuilt, removed, accepted: done.paths };
  room.telemetry.log.info('lake repaired', facts);
  const isAccepted = new Set(done.paths);
  const stays = paths.filter((path) => !isRebuilt.has(path) && !isAccepted.has(path));
  const left = findings.length - lost.length - strays.length;
  return {
    kind: 'repair',
    dryRun,
    ...(given === undefined ? {} : { accepted: done }),
    lost: stays.slice(0, TOLD_MAX),
    lostFiles: stays.length,
    rebuilt: rebuilt.slice(0, TOLD_MAX),
    rebuiltFiles: rebuilt.length,
    strays: removed.slice(0, TOLD_MAX),
    strayFiles: removed.length,
    left,
  };
}

/** Nothing is given up by mistake. */
function refuseOthers(given: readonly string[], lost: readonly string[]): void {
  const other = given.find((path) => !lost.includes(path));
  if (other === undefined) return;
  const how = 'paths are those that lakeward lake check tells as lost';
  throw new LakewardError('argument-invalid', `'${other}' is not a lost file of this delivery; ${how}`);
}

function rowsOf(lost: readonly LakeFinding[], wanted: ReadonlySet<string>): number {
  return lost.reduce((sum, { path, rows = 0 }) => sum + (wanted.has(path) ? rows : 0), 0);
}
