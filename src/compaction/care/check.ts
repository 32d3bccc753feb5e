/**
 * Whether lake and landing log say the same: every live file is there with its size (and, deep, its bytes and rows), and every file below the
 * delivery's folders is one the log names. The log is read before and after the listing, so what lands, is merged or leaves meanwhile is
 * no finding; stages lie elsewhere. Changes nothing.
 */
import type { LandedFile, LogReader, SetAsideFile } from '../../landing/landing-log.ts';
import type { DeliverySpec } from '../../model/delivery.ts';
import { isLakewardError } from '../../model/errors.ts';
import { type LakePath, REJECTED_FOLDER } from '../../model/lake-path.ts';
import type { CheckOrder, CheckReport, LakeFinding } from '../../ports/lake-care.ts';
import type { ListedFile } from '../../ports/lake-store.ts';
import { fetchFile } from '../fetch-file.ts';
import { styleOf } from './erase-files.ts';
import type { CareCall, CareRoom } from './room.ts';

/** Findings told one by one. */
const FINDINGS_MAX = 1000;
/** A file of the newest entry is published within seconds. */
const LOOKS_MAX = 5;
const LOOK_AGAIN_MS = 1000;
const DAY_MS = 86_400_000;

export interface Checked {
  readonly report: CheckReport;
  /** All of them. */
  readonly findings: readonly LakeFinding[];
}

export async function check(
  room: CareRoom,
  { spec, order }: { readonly spec: DeliverySpec; readonly order: CheckOrder },
  call: CareCall,
): Promise<Checked> {
  const logs = await room.readLogs(spec, call);
  const before = await liveOf(logs, call);
  const strays: ListedFile[] = [];
  const findings: LakeFinding[] = [];
  const seen = new Set<string>();
  for await (const listed of filesBelow(room, foldersOf(spec, logs), call)) {
    const live = before.files.get(listed.path);
    if (live === undefined) strays.push(listed);
    else if (live.file.bytes !== listed.bytes) {
      findings.push({
        ...factsOf(live),
        problem: 'size',
        found: `${listed.bytes} bytes instead of ${live.file.bytes}`,
      });
    }
    seen.add(listed.path);
  }
  const absent = [...before.files.values()].filter(({ file }) => !seen.has(file.path));
  const [lost, after] = await stillAbsent(room, { logs, absent }, call);
  const expired = lost.filter((live) => isExpired(room, spec, live)).length;
  for (const live of lost) {
    if (!isExpired(room, spec, live)) findings.push({ ...factsOf(live), problem: 'lost', found: 'nothing' });
  }
  const unnamed = strays.filter(
    ({ path }) => ![before, after].some((all) => all.files.has(path) || all.leaving.has(path)),
  );
  // A delivery that is deleted may have had the same folder.
  const others = unnamed.length === 0 ? after : await liveOf(await room.readOtherLogs(call), call);
  for (const { path, bytes, modifiedMs } of unnamed) {
    if (others.files.has(path)) continue;
    findings.push({ problem: 'stray', path, bytes, modifiedMs });
  }
  if (order.deep) await lookInto(room, { spec, files: after.files, findings }, call);
  const live = [...after.files.values()];
  const rejectedFiles = live.filter((one) => !isData(one)).length;
  const report: CheckReport = {
    kind: 'check',
    deep: order.deep,
    files: live.length - rejectedFiles,
    rejectedFiles,
    rows: live.reduce((sum, { file }) => sum + file.rows, 0),
    bytes: live.reduce((sum, { file }) => sum + file.bytes, 0),
    expiredByBucket: expired,
    findings: findings.slice(0, FINDINGS_MAX),
    findingsInAll: findings.length,
  };
  return { report, findings };
}

type Live = LandedFile | SetAsideFile;
const isData = (live: Live): live is LandedFile => 'open' in live;
type LiveByPath = ReadonlyMap<string, Live>;

async function liveOf(
  logs: readonly LogReader[],
  { signal }: CareCall,
): Promise<{ readonly files: LiveByPath; readonly leaving: ReadonlySet<string> }> {
  const files = new Map<string, Live>();
  const leaving = new Set<string>();
  const add = (live: Live): void => void files.set(live.file.path, live);
  for (const log of logs) {
    await log.eachFile(add, { signal, setAside: add, held: add });
    for (const path of log.leaving().keys()) leaving.add(path);
  }
  return { files, leaving };
}

/** Those that the log still names and the lake has not. Files of the newest entry may be on their way: they are waited for. */
async function stillAbsent(
  room: CareRoom,
  { logs, absent }: { readonly logs: readonly LogReader[]; readonly absent: readonly Live[] },
  call: CareCall,
): Promise<readonly [readonly Live[], Awaited<ReturnType<typeof liveOf>>]> {
  let left = absent;
  for (let looks = 1; ; looks++) {
    const after = await liveOf(logs, call);
    const lost: Live[] = [];
    for (const live of left.filter(({ file }) => after.files.has(file.path))) {
      const { path } = live.file;
      const isThere = (await room.lake.read(path, { signal: call.signal, offset: 0, length: 1 })) !== undefined;
      if (!isThere) lost.push(live);
    }
    left = lost;
    const settled = left.every(({ file }) => Number.isFinite(after.files.get(file.path)?.publishedMs));
    if (settled || looks === LOOKS_MAX) return [left, after];
    await room.clock.sleep(LOOK_AGAIN_MS, call.signal);
  }
}

function factsOf({ file }: Live): Pick<LakeFinding, 'path' | 'rows' | 'bytes'> {
  return { path: file.path, rows: file.rows, bytes: file.bytes };
}

/** Everywhere files of the delivery lie, whether readers look there or not. */
function foldersOf(spec: DeliverySpec, logs: readonly LogReader[]): readonly string[] {
  return [`${spec.prefix}/`, `${REJECTED_FOLDER}/${spec.name}/`, ...logs.map(({ heldFolder }) => heldFolder)];
}

async function* filesBelow(
  { lake }: CareRoom,
  folders: readonly string[],
  { signal }: CareCall,
): AsyncGenerator<ListedFile> {
  for (const prefix of folders) {
    for (let after: LakePath | undefined; ; ) {
      const page = await lake.list(prefix, { signal, ...(after === undefined ? {} : { after }) });
      yield* page.files;
      if (page.next === undefined) break;
      after = page.next;
    }
  }
}

/** A rule of the bucket takes files without a word to the log. */
function isExpired({ clock }: CareRoom, { lifecycle = [] }: DeliverySpec, live: Live): boolean {
  const ageMs = clock.nowMs() - live.publishedMs;
  return lifecycle.some((step) => 'expire' in step && ageMs >= step.afterDays * DAY_MS);
}

interface Depth {
  readonly spec: DeliverySpec;
  readonly files: LiveByPath;
  readonly findings: LakeFinding[];
}

/** Every file that has no finding yet is read whole. An engine may fail for reasons of its own: only twice it is the file's fault. */
async function lookInto(room: CareRoom, { spec, files, findings }: Depth, call: CareCall): Promise<void> {
  const known = new Set(findings.map(({ path }) => path));
  let looked = 0;
  for (const live of files.values()) {
    call.signal.throwIfAborted();
    call.report({ share: looked++ / files.size, text: live.file.path });
    if (known.has(live.file.path)) continue;
    const first = await contentProblem(room, spec, live, call);
    const found = first && (await contentProblem(room, spec, live, call));
    if (found !== undefined) findings.push({ ...factsOf(live), problem: 'content', found });
  }
}

async function contentProblem(
  room: CareRoom,
  spec: DeliverySpec,
  live: Live,
  call: CareCall,
): Promise<string | undefined> {
  const { file } = live;
  const folders = [await room.scratch.make(), await room.scratch.make()] as const;
  try {
    const local = `${folders[0]}/file`;
    // Gone meanwhile, by an entry: the next check tells if it was not.
    if (!(await fetchFile(room, { ...file, local }, call.signal))) return undefined;
    const rows = isData(live) ? await rowsIn(room, { spec, live, local, directory: folders[1] }, call) : file.rows;
    return rows === file.rows ? undefined : `${rows} rows instead of ${file.rows}`;
  } catch (error) {
    const isItsOwn =
      isLakewardError(error, 'landing-log-damaged') ||
      isLakewardError(error, 'encrypted-file-damaged') ||
      (isLakewardError(error, 'convert-failed') && error.details?.['resource'] !== true);
    if (isItsOwn && !call.signal.aborted) return (error as Error).message;
    throw error;
  } finally {
    for (const folder of folders) await room.scratch.remove(folder);
  }
}

interface FileHere {
  readonly spec: DeliverySpec;
  readonly live: LandedFile;
  readonly local: string;
  readonly directory: string;
}

/** As the engine counts them; of raw files nobody can. */
async function rowsIn(room: CareRoom, { spec, live, local, directory }: FileHere, call: CareCall): Promise<number> {
  const { file } = live;
  const { format, compression } = styleOf(spec, file.path) ?? { format: 'raw' as const };
  if (format === 'raw' || compression === undefined) return file.rows;
  const job = { format, compression, local, bytes: file.bytes, directory, field: '', values: [], rewrite: false };
  return (await room.converter.dropRows(job, call)).rows;
}
