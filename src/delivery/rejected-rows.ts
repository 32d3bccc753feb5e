/**
 * Rejected rows out of their NDJSON files, page by page. A cursor names the file and the byte to go on at, so that no page reads what
 * an earlier one gave; a page ends at its limit of rows or once it holds enough bytes. A replay may take a file away between two pages:
 * then the list goes on with what the log names in its place, from its beginning.
 */
import type { RejectedFile, RejectedRow } from '../model/data-file.ts';
import { LakewardError } from '../model/errors.ts';
import { MIB } from '../model/limits.ts';
import { isEncryptedName } from '../model/object-settings.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Page } from '../ports/deliveries.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import type { LandingLog } from '../landing/landing-log.ts';
import { goneFile, isLive, parseRow } from './rejected-lines.ts';

const READ_BYTES = MIB;
const PAGE_BYTES_MAX = 8 * MIB;
const NEWLINE = 0x0a;
const FILES_LISTED = 100;
/** Byte within a file, the path of the file before it (listings go on behind a path), and the file. */
const CURSOR = /^(\d{1,15}):([^|]*)(?:\|(.*))?$/;

export interface RejectedQuery extends CallOptions {
  readonly lake: LakeStore;
  readonly log: Pick<LandingLog, 'rejectedFiles'>;
  readonly after: string | undefined;
  readonly limit: number;
}

export async function rejectedRows(query: RejectedQuery): Promise<Page<RejectedRow>> {
  const items: RejectedRow[] = [];
  const start = CURSOR.exec(query.after ?? '0:');
  if (start === null) {
    throw new LakewardError('argument-invalid', `'after' is no cursor of this list: '${query.after}'`);
  }
  let offset = Number(start[1]);
  let before = start[2] ?? '';
  let bytes = 0;
  for await (const file of filesBehind(query, before)) {
    if (start[3] !== undefined && before === start[2] && file.path !== start[3]) offset = 0;
    while (offset < file.bytes) {
      const lines = await wholeLines(query, file, offset);
      if (lines === 'replayed' || lines.length === 0) break;
      for (const line of lines) {
        if (items.length >= query.limit || bytes >= PAGE_BYTES_MAX) {
          return { items, next: `${offset}:${before}|${file.path}` };
        }
        items.push(parseRow(line, file.path));
        offset += line.byteLength + 1;
        bytes += line.byteLength;
      }
    }
    before = file.path;
    offset = 0;
  }
  return { items };
}

async function* filesBehind({ log, signal }: RejectedQuery, path: string): AsyncGenerator<RejectedFile> {
  let after = path === '' ? undefined : path;
  do {
    const page = await log.rejectedFiles({ after, limit: FILES_LISTED, signal });
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}

/**
 * The lines that begin at `offset` and end within one read; a line longer than a read is read whole. None behind the end of an
 * encrypted file, whose size in the log is larger than what it holds.
 */
async function wholeLines(
  query: RejectedQuery,
  file: RejectedFile,
  offset: number,
): Promise<Uint8Array[] | 'replayed'> {
  for (let length = READ_BYTES; ; length *= 4) {
    const bytes = await query.lake.read(file.path, { offset, length, signal: query.signal });
    if (bytes?.byteLength === 0 && isEncryptedName(file.path)) return [];
    if (bytes === undefined || bytes.byteLength === 0) {
      if (await isLive(query.log, file, query.signal)) throw goneFile(file.path);
      return 'replayed';
    }
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      lines.push(bytes.subarray(start, end));
      start = end + 1;
    }
    const atEnd = bytes.byteLength < length || offset + bytes.byteLength >= file.bytes;
    if (atEnd && start < bytes.byteLength) lines.push(bytes.subarray(start));
    if (lines.length > 0) return lines;
  }
}
