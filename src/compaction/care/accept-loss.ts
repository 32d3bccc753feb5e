/**
 * Lost files that an operator gives up: an entry of the landing log takes them out, counted as lost, so that lake and log say the same
 * again. What they held stays told for ever by a record beside the log. A file that may only be late is not given up.
 */
import type { LandedFile, LandingLog, SetAsideFile } from '../../landing/landing-log.ts';
import { isHeld } from '../../landing/paths.ts';
import type { DeliverySpec } from '../../model/delivery.ts';
import { lakePath, SYSTEM_FOLDER } from '../../model/lake-path.ts';
import type { AcceptedLoss } from '../../ports/lake-care.ts';
import type { CareCall, CareRoom } from './room.ts';

export interface LossToAccept {
  readonly spec: DeliverySpec;
  readonly paths: ReadonlySet<string>;
  /** Who decided so, for the record. */
  readonly by: string;
}

const NOTHING: AcceptedLoss = { paths: [], rows: 0, rejectedRows: 0, waitingFiles: 0 };

/** Throws as the log. What another process took meanwhile is left out. */
export async function acceptLoss(room: CareRoom, loss: LossToAccept, call: CareCall): Promise<AcceptedLoss> {
  let sum = NOTHING;
  for (const log of await room.openLogs(loss.spec, call)) {
    // Says when the newest files were published.
    await log.maintain(call);
    const { files, rejected, waitingFiles } = await ofLog(log, loss, call);
    sum = { ...sum, waitingFiles: sum.waitingFiles + waitingFiles };
    if (files.length + rejected.length === 0) continue;
    const audit = await record(room, loss, [...files, ...rejected], call);
    const outcome = await log.commitDrop(
      {
        nonce: log.nonce(),
        cause: 'lost',
        removed: files,
        removedRejected: rejected,
        files: [],
        rejected: [],
        parts: files.filter(({ path }) => !isHeld(path)).map((file) => partOf(room, loss.spec, file)),
      },
      call,
    );
    if (outcome === 'superseded') continue;
    sum = {
      ...sum,
      paths: [...sum.paths, ...files.map(({ path }) => path), ...rejected.map(({ path }) => path)],
      rows: sum.rows + rowsOf(files),
      rejectedRows: sum.rejectedRows + rowsOf(rejected),
      audit,
    };
  }
  return sum;
}

async function ofLog(log: LandingLog, { paths }: LossToAccept, call: CareCall) {
  const files: LandedFile['file'][] = [];
  const rejected: SetAsideFile['file'][] = [];
  let waitingFiles = 0;
  const take = ({ file, settled }: LandedFile): void => {
    if (!paths.has(file.path)) return;
    if (settled) files.push(file);
    else waitingFiles++;
  };
  await log.eachFile(take, {
    signal: call.signal,
    held: take,
    setAside({ file, settled }) {
      if (!paths.has(file.path)) return;
      if (settled) rejected.push(file);
      else waitingFiles++;
    },
  });
  return { files, rejected, waitingFiles };
}

function partOf({ ends }: CareRoom, spec: DeliverySpec, file: LandedFile['file']) {
  const { partition, rows, bytes, eventMinMs } = file;
  const closesAtMs = ends.ofTime(spec, eventMinMs);
  return { partition, rows, bytes, ...(closesAtMs === undefined ? {} : { closesAtMs }) };
}

async function record(
  room: CareRoom,
  { spec, by }: LossToAccept,
  files: readonly { readonly path: string; readonly rows: number }[],
  call: CareCall,
): Promise<string> {
  const id = room.clock.uuid();
  const path = lakePath(`${SYSTEM_FOLDER}/${spec.name}/losses/${id}.json`);
  const list = files.map((file) => ({ path: file.path, rows: file.rows }));
  const at = new Date(room.clock.nowMs()).toISOString();
  const content = { v: 1, id, delivery: spec.name, by, at, rows: rowsOf(files), files: list };
  await room.lake.create(path, new TextEncoder().encode(`${JSON.stringify(content)}\n`), call);
  return path;
}

function rowsOf(files: readonly { readonly rows: number }[]): number {
  return files.reduce((sum, { rows }) => sum + rows, 0);
}
