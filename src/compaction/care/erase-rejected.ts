/** Erasing in rejected rows: the record as it came is looked into; the lines that stay are what they were. */
import type { SetAsideFile } from '../../landing/landing-log.ts';
import { summed } from '../../landing/reject-counts.ts';
import type { RejectCount, RejectedRow } from '../../model/data-file.ts';
import type { DraftRejected } from '../../landing/draft.ts';
import type { Erasure } from './erase-files.ts';
import type { EraseTally } from './erase-tally.ts';
import type { CareCall, CareRoom } from './room.ts';

const NEWLINE = new Uint8Array([0x0a]);

export async function eraseInRejected(
  room: CareRoom,
  erasure: Erasure,
  { file, settled }: SetAsideFile,
  call: CareCall,
): Promise<Partial<EraseTally>> {
  const { spec, wanted, dryRun, log } = erasure;
  const values = new Set(wanted.list);
  const keys = wanted.field.split('.');
  const kept: RejectCount[] = [];
  const counts = { matched: 0, rows: 0, unreadable: 0 };
  async function* stay(): AsyncGenerator<Uint8Array> {
    for await (const line of room.rejectedLines(file, call.signal)) {
      counts.rows++;
      const row = JSON.parse(new TextDecoder().decode(line)) as RejectedRow;
      const held = valueIn(room.recordText(row.data), keys);
      if (held === null) counts.unreadable++;
      else if (held !== undefined && values.has(held)) {
        counts.matched++;
        continue;
      }
      kept.push({ code: row.code, rows: 1, ...(row.column === null ? {} : { column: row.column }) });
      yield line.slice();
      yield NEWLINE;
    }
  }
  const folder = await room.scratch.make();
  try {
    const local = `${folder}/kept`;
    const bytes = await room.scratch.writePieces(local, stay());
    const { matched } = counts;
    const seen = { searchedFiles: 1, searchedRows: counts.rows, unreadableRejects: counts.unreadable };
    if (matched === 0) return seen;
    const hit = { ...seen, rejectedFiles: 1, rejectedRows: matched };
    if (dryRun) return hit;
    if (!settled) return { ...seen, waitingFiles: 1, waitingRows: matched };
    const nonce = log.nonce();
    const rows = counts.rows - matched;
    const rejected: DraftRejected[] = [];
    if (rows > 0) {
      const made = { nonce, atMs: room.clock.nowMs(), rows, planVersion: log.view().planVersion };
      const { name, object } = room.rejectedStyle(spec, made);
      const directory = file.path.slice(0, file.path.lastIndexOf('/'));
      const handle = await log.stage(nonce, { local, name, directory, object }, call);
      rejected.push({ rows, bytes, reasons: summed(kept), handle });
    }
    const draft = { nonce, cause: 'erased' as const, removed: [], removedRejected: [file], files: [], rejected };
    return (await log.commitDrop(draft, call)) === 'superseded' ? { ...seen, again: 1 } : hit;
  } finally {
    await room.scratch.remove(folder);
  }
}

/** The value at a path as text; undefined where there is none, null when the text is no JSON. */
function valueIn(text: string, keys: readonly string[]): string | null | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}
