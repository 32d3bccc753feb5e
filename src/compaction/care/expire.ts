/**
 * Retention of the lake: whole files of partitions whose time ended long enough ago, in entries of the landing log that count the rows as
 * expired; rejected rows by the day they lie under; markers of the hours. A partition that may still get rows is left alone, however old.
 */
import type { LandedFile, LandingLog } from '../../landing/landing-log.ts';
import { isHeld } from '../../landing/paths.ts';
import type { DataFile, RejectedFile } from '../../model/data-file.ts';
import type { DeliverySpec } from '../../model/delivery.ts';
import { LakewardError } from '../../model/errors.ts';
import type { ExpireOrder, ExpireReport } from '../../ports/lake-care.ts';
import { bytesOf } from '../policy.ts';
import type { CareCall, CareRoom } from './room.ts';

/** Files of one entry: landings wait while they are removed. */
const ENTRY_FILES_MAX = 500;
/** Files of one run: paths that left are remembered for a day. */
const RUN_FILES_MAX = 20_000;
const DAY_MS = 86_400_000;
const DAY_FOLDER = /\/(\d{4}-\d\d-\d\d)\/[^/]*$/;

export interface Expiry {
  readonly spec: DeliverySpec;
  readonly order: ExpireOrder;
  readonly nowMs: number;
}

export async function expire(room: CareRoom, expiry: Expiry, call: CareCall): Promise<ExpireReport> {
  const { spec, order, nowMs } = expiry;
  const ageMs = order.olderThanMs ?? spec.retentionMs;
  if (ageMs === undefined) {
    throw new LakewardError('argument-invalid', `delivery '${spec.name}' has no retention; say how old is too old`);
  }
  if (room.ends.ofTime(spec, nowMs) === undefined) {
    const why = `the layout '${spec.layout}' of '${spec.name}' does not begin with the year, so its partitions never end`;
    throw new LakewardError('argument-invalid', why);
  }
  const cutMs = nowMs - ageMs;
  let sum: ExpireReport = { ...NOTHING, dryRun: order.dryRun, cutMs };
  for (const log of await room.openLogs(spec, call)) {
    sum = added(sum, await expireFrom(room, { ...expiry, log, cutMs }, call));
  }
  const { kind: _kind, ...facts } = sum;
  if (!order.dryRun && sum.files + sum.rejectedFiles > 0) {
    room.telemetry.log.info('files past retention removed', { delivery: spec.name, ...facts });
    await room.changed(spec.name);
  }
  return sum;
}

const NOTHING: ExpireReport = {
  kind: 'expire',
  dryRun: true,
  cutMs: 0,
  partitions: 0,
  files: 0,
  rows: 0,
  bytes: 0,
  rejectedFiles: 0,
  rejectedRows: 0,
  markers: 0,
  left: 0,
};

interface Over {
  readonly files: readonly DataFile[];
  readonly rejected: readonly RejectedFile[];
}

type At = Expiry & { readonly log: LandingLog; readonly cutMs: number };

async function expireFrom(room: CareRoom, at: At, call: CareCall): Promise<ExpireReport> {
  const { spec, order, log, cutMs } = at;
  // Says when the newest files were published.
  if (!order.dryRun) await log.maintain(call);
  const over = await filesOver(room, at, call);
  const isOver = (partition: string): boolean => (room.ends.ofPartition(spec, partition) ?? Infinity) <= cutMs;
  if (order.dryRun) return { ...sumOf(over), markers: await log.dropMarkers(isOver, { ...call, dryRun: true }) };
  let sum = NOTHING;
  const all = over.files.length + over.rejected.length;
  const kept = keepOf(room, spec);
  for (const chunk of chunksOf(over)) {
    call.signal.throwIfAborted();
    call.report({ share: (sum.files + sum.rejectedFiles) / all, text: chunk.files[0]?.partition ?? 'rejected rows' });
    const { files: removed, rejected: removedRejected } = chunk;
    const draft = { nonce: log.nonce(), cause: 'expired' as const, removed, removedRejected, files: [], rejected: [] };
    const outcome = await log.commitDrop({ ...draft, ...(removed.some(isSeen) ? kept : {}) }, call);
    sum = added(sum, outcome === 'committed' ? sumOf(chunk) : { ...NOTHING, left: sizeOf(chunk) });
  }
  const partitions = new Set(over.files.map(({ partition }) => partition)).size;
  const taken = Math.min(all, RUN_FILES_MAX);
  return { ...sum, partitions, left: sum.left + all - taken, markers: await log.dropMarkers(isOver, call) };
}

/** Readers of a list may still be at work on it. */
function keepOf({ clock }: CareRoom, { compaction }: DeliverySpec): { readonly keepMs?: number } {
  return compaction?.keepMs === undefined ? {} : { keepMs: clock.nowMs() + compaction.keepMs };
}

async function filesOver({ ends }: CareRoom, { spec, order, log, cutMs }: At, call: CareCall): Promise<Over> {
  const files: DataFile[] = [];
  const rejected: RejectedFile[] = [];
  const look = ({ file, settled, open }: LandedFile): void => {
    if (open || !(settled || order.dryRun)) return;
    if ((ends.ofTime(spec, file.eventMaxMs) ?? Infinity) <= cutMs) files.push(file);
  };
  await log.eachFile(look, {
    signal: call.signal,
    held: look,
    setAside({ file, settled }) {
      if ((settled || order.dryRun) && dayEndMs(file.path) <= cutMs) rejected.push(file);
    },
  });
  return { files: files.sort((a, b) => a.eventMaxMs - b.eventMaxMs), rejected };
}

function dayEndMs(path: string): number {
  const day = DAY_FOLDER.exec(path)?.[1];
  return day === undefined ? Infinity : Date.parse(day) + DAY_MS;
}

/** Files that no reader's list names, held or rejected ones, stay for nobody: an erasure would not find them. */
function isSeen({ path }: DataFile): boolean {
  return !isHeld(path);
}

/** Seen files, held and rejected ones apart. */
function* chunksOf({ files, rejected }: Over): Generator<Over> {
  const most = files.slice(0, RUN_FILES_MAX);
  for (const alike of [most.filter(isSeen), most.filter((file) => !isSeen(file))]) {
    for (let from = 0; from < alike.length; from += ENTRY_FILES_MAX) {
      yield { files: alike.slice(from, from + ENTRY_FILES_MAX), rejected: [] };
    }
  }
  const rest = rejected.slice(0, RUN_FILES_MAX - most.length);
  for (let from = 0; from < rest.length; from += ENTRY_FILES_MAX) {
    yield { files: [], rejected: rest.slice(from, from + ENTRY_FILES_MAX) };
  }
}

function sizeOf({ files, rejected }: Over): number {
  return files.length + rejected.length;
}

function sumOf({ files, rejected }: Over): ExpireReport {
  const rows = (all: readonly { readonly rows: number }[]): number => all.reduce((sum, file) => sum + file.rows, 0);
  return {
    ...NOTHING,
    partitions: new Set(files.map(({ partition }) => partition)).size,
    files: files.length,
    rows: rows(files),
    bytes: bytesOf(files) + bytesOf(rejected),
    rejectedFiles: rejected.length,
    rejectedRows: rows(rejected),
  };
}

function added(a: ExpireReport, b: ExpireReport): ExpireReport {
  return {
    ...a,
    partitions: a.partitions + b.partitions,
    files: a.files + b.files,
    rows: a.rows + b.rows,
    bytes: a.bytes + b.bytes,
    rejectedFiles: a.rejectedFiles + b.rejectedFiles,
    rejectedRows: a.rejectedRows + b.rejectedRows,
    markers: a.markers + b.markers,
    left: a.left + b.left,
  };
}
