/** Erasing in data files: each file that holds one of the values is written anew without those rows, or goes as a whole. */
import type { DraftFile } from '../../landing/draft.ts';
import type { LandedFile, LandingLog } from '../../landing/landing-log.ts';
import { isHeld } from '../../landing/paths.ts';
import type { DataFile } from '../../model/data-file.ts';
import type { Compression, DeliverySpec } from '../../model/delivery.ts';
import { isMergeable } from '../../model/delivery.ts';
import { LakewardError } from '../../model/errors.ts';
import type { LakePath } from '../../model/lake-path.ts';
import { isEncryptedName } from '../../model/object-settings.ts';
import type { DropResult } from '../../ports/converter.ts';
import { fetchFile } from '../fetch-file.ts';
import { mayHold, type WantedValues } from './prune.ts';
import { found, type EraseTally } from './erase-tally.ts';
import type { CareCall, CareRoom } from './room.ts';

export interface Erasure {
  readonly spec: DeliverySpec;
  readonly wanted: WantedValues;
  readonly dryRun: boolean;
  readonly log: LandingLog;
}

const NAME = /\.(parquet|csv|ndjson)(\.gz|\.zst)?(?:\.lwenc)?$/;
const CODECS: Readonly<Record<string, Compression>> = { '.gz': 'gzip', '.zst': 'zstd' };

/** The specification as it was for files of this name, as far as the name tells; undefined for raw files. */
export function styleOf(spec: DeliverySpec, path: string): DeliverySpec | undefined {
  const [, format, codec] = NAME.exec(path) ?? [];
  if (format !== 'parquet' && format !== 'csv' && format !== 'ndjson') return undefined;
  if (format !== 'parquet') return { ...spec, format, compression: CODECS[codec ?? ''] ?? 'none' };
  return spec.format === 'parquet' ? spec : { ...spec, format, compression: 'zstd' };
}

export async function eraseInFile(
  room: CareRoom,
  erasure: Erasure,
  { file, settled }: LandedFile,
  call: CareCall,
): Promise<Partial<EraseTally>> {
  const { spec, wanted, dryRun, log } = erasure;
  if (!mayHold(file, wanted, room.comparison(spec, file.planVersion, wanted.field)))
    return { prunedFiles: 1, ...found(true) };
  const rewrite = !dryRun && settled;
  return scanned(room, { ...erasure, file, rewrite }, call, async (result, style) => {
    const { rows, matched, hasField } = result;
    const seen = { ...found(hasField), searchedFiles: 1, searchedRows: rows };
    if (matched === 0) return seen;
    const hit = { ...seen, matchedFiles: 1, matchedRows: matched };
    if (dryRun) return hit;
    if (!settled) return { ...seen, waitingFiles: 1, waitingRows: matched };
    const nonce = log.nonce();
    const files = await staged(room, { ...erasure, style, file, nonce, result }, call);
    const draft = { nonce, cause: 'erased' as const, removed: [file], removedRejected: [], files, rejected: [] };
    if ((await log.commitDrop(draft, call)) === 'superseded') return { ...seen, again: 1 };
    return files.length === 0 ? { ...hit, removedFiles: 1 } : { ...hit, rewrittenFiles: 1 };
  });
}

/** A file that a merge replaced and that stays for readers of a list: told whether it must go at once. */
export async function holdsRows(
  room: CareRoom,
  erasure: Erasure,
  path: LakePath,
  call: CareCall,
): Promise<{ readonly matched: boolean; readonly tally: Partial<EraseTally> }> {
  let matched = false;
  const tally = await scanned(room, { ...erasure, file: { path, bytes: 0 }, rewrite: false }, call, async (result) => {
    matched = result.matched > 0;
    return { searchedFiles: 1, searchedRows: result.rows };
  });
  // Gone by now is what is wanted.
  return { matched, tally: { ...tally, missing: [] } };
}

type Scan = Erasure & {
  readonly file: Pick<DataFile, 'path' | 'bytes'> & { readonly checksum?: string };
  readonly rewrite: boolean;
};

async function scanned(
  room: CareRoom,
  { spec, wanted, file, rewrite }: Scan,
  call: CareCall,
  use: (result: DropResult, style: DeliverySpec) => Promise<Partial<EraseTally>>,
): Promise<Partial<EraseTally>> {
  const style = styleOf(spec, file.path);
  if (style === undefined || !isMergeable(style.format)) return { rawFiles: 1 };
  const { format, compression, parquet } = style;
  const folders = [await room.scratch.make(), await room.scratch.make()] as const;
  try {
    const local = `${folders[0]}/in`;
    const known = file.checksum === undefined ? { path: file.path } : file;
    if (!(await fetchFile(room, { ...known, local }, call.signal))) return { missing: [file.path] };
    const { bytes } = file;
    const facts = { format, compression, local, bytes, rewrite, directory: folders[1] };
    const options = parquet === undefined ? {} : { parquet };
    const job = { ...facts, ...options, field: wanted.field, values: wanted.list };
    return await use(await room.converter.dropRows(job, call), style);
  } finally {
    for (const folder of folders) await room.scratch.remove(folder);
  }
}

type Kept = Erasure & {
  readonly style: DeliverySpec;
  readonly file: DataFile;
  readonly nonce: string;
  readonly result: DropResult;
};

async function staged(room: CareRoom, at: Kept, call: CareCall): Promise<DraftFile[]> {
  const { spec, style, file, nonce, result, log } = at;
  if (result.kept === undefined) return [];
  const { local, columns, digest } = result.kept;
  const name = room.style.name(style, { nonce, behind: [file.path] });
  if (isEncryptedName(file.path) && !isEncryptedName(name)) {
    const why = `${file.path} is encrypted, and what is left of it would not be: let '${spec.name}' encrypt until it is erased`;
    throw new LakewardError('argument-invalid', why);
  }
  const { partition, planVersion, eventMinMs, eventMaxMs, closedBecause } = file;
  const facts = { partition, planVersion, rows: digest.rows, columns };
  const { object, ...kept } = room.style.kept(style, facts);
  const directory = file.path.slice(0, file.path.lastIndexOf('/'));
  // What is held is read again soon.
  const { storageClass: _class, ...hidden } = object ?? {};
  const settings = isHeld(file.path) && object !== undefined ? hidden : object;
  const handle = await log.stage(nonce, { local, name, directory, object: settings }, call);
  return [{ ...kept, bytes: handle.bytes, eventMinMs, eventMaxMs, closedBecause, handle }];
}
