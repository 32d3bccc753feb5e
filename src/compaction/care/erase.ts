/**
 * A data subject's request: every row with one of some values in a field leaves the lake. Passes over all files, in each of which files are
 * written anew without those rows, until a pass finds none: that one is the proof. What replaces a file, and what takes it away at once, is
 * one entry of the landing log. Beside the logs two records stay for ever: that it began, and what came of it; values are in them as hashes.
 */
import { createHash } from 'node:crypto';
import type { LandedFile, LandingLog, SetAsideFile } from '../../landing/landing-log.ts';
import type { DeliverySpec } from '../../model/delivery.ts';
import { LakewardError } from '../../model/errors.ts';
import { type LakePath, lakePath, SYSTEM_FOLDER } from '../../model/lake-path.ts';
import type { EraseOrder, EraseReport } from '../../ports/lake-care.ts';
import { type Erasure, eraseInFile, holdsRows } from './erase-files.ts';
import { eraseInRejected } from './erase-rejected.ts';
import { type EraseTally, NO_TALLY, tallied } from './erase-tally.ts';
import { wantedValues } from './prune.ts';
import type { CareCall, CareRoom } from './room.ts';

/** Rows that land and merges that run meanwhile ask for another pass; more than so many say that it does not end. */
const PASSES_MAX = 8;

export async function erase(
  room: CareRoom,
  { spec, order }: { readonly spec: DeliverySpec; readonly order: EraseOrder },
  call: CareCall,
): Promise<EraseReport> {
  const id = room.clock.uuid();
  const { field, values, dryRun, by } = order;
  const request = { id, delivery: spec.name, by, field, values: await hashes(room, order) };
  if (!dryRun) await record(room, spec, `${id}-begun`, { ...request, beganAt: at(room) });
  const { done, proof } = await inPasses(room, { spec, order }, call);
  const { missing, ...counts } = done;
  const report = {
    kind: 'erase' as const,
    dryRun,
    field,
    values: values.length,
    ...counts,
    missingFiles: missing.length,
  };
  if (dryRun) return report;
  const proved = { files: proof.searchedFiles + proof.prunedFiles, rows: proof.searchedRows, found: proof.waitingRows };
  const audit = await record(room, spec, `${id}-done`, { ...request, endedAt: at(room), ...report, proof: proved });
  room.telemetry.log.info('rows erased', { delivery: spec.name, field, ...counts });
  await room.changed(spec.name);
  return { ...report, proof: proved, audit };
}

type Request = { readonly spec: DeliverySpec; readonly order: EraseOrder };

/** `proof`: the last pass, which found nothing but rows that wait. */
async function inPasses(room: CareRoom, request: Request, call: CareCall) {
  const missing = new Set<string>();
  let done = NO_TALLY;
  for (let pass = 1; pass <= PASSES_MAX; pass++) {
    const proof = await passOver(room, request, { ...call, report: (told) => call.report(named(told, pass)) });
    const fresh = proof.missing.filter((path) => !missing.has(path));
    for (const path of fresh) missing.add(path);
    done = sumOf(done, proof, pass);
    const changed = proof.rewrittenFiles + proof.removedFiles + proof.rejectedFiles + proof.hastenedFiles;
    if (request.order.dryRun || changed + proof.again + fresh.length === 0) return { done, proof };
  }
  throw new LakewardError('lake-unavailable', 'rows to be erased came as fast as they went; erase them again');
}

function named({ share, text }: { share: number; text: string }, pass: number): { share: number; text: string } {
  return { share, text: pass === 1 ? text : `pass ${pass}, ${text}` };
}

/** What was done adds up over the passes; what there is to see is what the last saw. */
function sumOf(before: EraseTally, now: EraseTally, pass: number): EraseTally {
  if (pass === 1) return now;
  return {
    ...now,
    fieldFiles: Math.max(before.fieldFiles, now.fieldFiles),
    matchedFiles: before.matchedFiles + now.matchedFiles,
    matchedRows: before.matchedRows + now.matchedRows,
    rewrittenFiles: before.rewrittenFiles + now.rewrittenFiles,
    removedFiles: before.removedFiles + now.removedFiles,
    rejectedFiles: before.rejectedFiles + now.rejectedFiles,
    rejectedRows: before.rejectedRows + now.rejectedRows,
    hastenedFiles: before.hastenedFiles + now.hastenedFiles,
  };
}

async function passOver(room: CareRoom, { spec, order }: Request, call: CareCall): Promise<EraseTally> {
  const wanted = wantedValues(order.field, order.values);
  let tally = NO_TALLY;
  for (const log of await room.openLogs(spec, call)) {
    // Says when the newest files were published.
    if (!order.dryRun) await log.maintain(call);
    const erasure: Erasure = { spec, wanted, dryRun: order.dryRun, log };
    const { files, rejected } = await filesOf(log, call);
    const all = files.length + rejected.length;
    for (const [i, file] of files.entries()) {
      call.signal.throwIfAborted();
      call.report({ share: i / all, text: file.file.partition });
      tally = tallied(tally, await eraseInFile(room, erasure, file, call));
    }
    for (const [i, file] of rejected.entries()) {
      call.signal.throwIfAborted();
      call.report({ share: (files.length + i) / all, text: 'rejected rows' });
      tally = tallied(tally, await eraseInRejected(room, erasure, file, call));
    }
    tally = tallied(tally, await hasten(room, erasure, call));
  }
  return tally;
}

async function filesOf(log: LandingLog, call: CareCall) {
  const files: LandedFile[] = [];
  const rejected: SetAsideFile[] = [];
  await log.eachFile((file) => files.push(file), {
    signal: call.signal,
    setAside: (file) => rejected.push(file),
    held: (file) => files.push(file),
  });
  return { files, rejected };
}

/** Replaced files that stay for readers of a list: those with such rows go at once. */
async function hasten(room: CareRoom, erasure: Erasure, call: CareCall): Promise<Partial<EraseTally>> {
  const { log, dryRun } = erasure;
  const nowMs = room.clock.nowMs();
  const hastened: LakePath[] = [];
  let tally = NO_TALLY;
  for (const [path, goesMs] of log.leaving()) {
    if (goesMs <= nowMs || path.startsWith('_')) continue;
    const held = await holdsRows(room, erasure, path as LakePath, call);
    tally = tallied(tally, held.tally);
    if (held.matched) hastened.push(path as LakePath);
  }
  const { rawFiles: _raw, ...seen } = tally;
  if (hastened.length === 0 || dryRun) return { ...seen, hastenedFiles: hastened.length };
  const nothing = { removed: [], removedRejected: [], files: [], rejected: [] };
  const outcome = await log.commitDrop({ nonce: log.nonce(), cause: 'erased', ...nothing, hastened }, call);
  return outcome === 'committed' ? { ...seen, hastenedFiles: hastened.length } : { ...seen, again: 1 };
}

/** Salted with the lake's id: whoever has a value can tell whether it was erased, and nobody can read it out. */
async function hashes(room: CareRoom, { field, values }: EraseOrder): Promise<string[]> {
  const lakeId = await room.lakeId();
  return values.map((value) => createHash('sha256').update(`${lakeId}\n${field}\n${value}`).digest('hex'));
}

async function record(room: CareRoom, { name }: DeliverySpec, file: string, content: object): Promise<LakePath> {
  const path = lakePath(`${SYSTEM_FOLDER}/${name}/erasures/${file}.json`);
  await room.lake.create(path, new TextEncoder().encode(`${JSON.stringify({ v: 1, ...content })}\n`));
  return path;
}

function at({ clock }: CareRoom): string {
  return new Date(clock.nowMs()).toISOString();
}
