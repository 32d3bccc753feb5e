/** Files of rejected rows read line by line, in bounded memory, whether they lie in the lake or in a scratch folder. */
import type { LandingLog } from '../landing/landing-log.ts';
import type { RejectedFile, RejectedRow } from '../model/data-file.ts';
import { LakewardError } from '../model/errors.ts';
import { MIB } from '../model/limits.ts';
import { isEncryptedName } from '../model/object-settings.ts';
import type { LakeStore } from '../ports/lake-store.ts';

const READ_BYTES = MIB;
const NEWLINE = 0x0a;

/** The bytes of a live file of rejected rows. Throws `not-found` when it is gone. */
export async function* lakeChunks(
  lake: LakeStore,
  file: Pick<RejectedFile, 'path' | 'bytes'>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < file.bytes; ) {
    const bytes = await lake.read(file.path, { offset, length: READ_BYTES, signal });
    // An encrypted file holds less than its size in the log says.
    if (bytes?.byteLength === 0 && isEncryptedName(file.path)) return;
    if (bytes === undefined || bytes.byteLength === 0) throw goneFile(file.path);
    yield bytes;
    offset += bytes.byteLength;
  }
}

/** Lines without their ends; valid until the next is asked for. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, end);
      yield begun.length === 0 ? piece : Buffer.concat([...begun, piece]);
      begun = [];
      start = end + 1;
    }
    if (start < chunk.byteLength) begun.push(chunk.subarray(start));
  }
  if (begun.length > 0) yield Buffer.concat(begun);
}

export function parseRow(line: Uint8Array, path: string): RejectedRow {
  try {
    return JSON.parse(new TextDecoder().decode(line)) as RejectedRow;
  } catch (cause) {
    throw new LakewardError('internal', `the rejected rows ${path} hold a line that is no JSON`, { cause });
  }
}

export function goneFile(path: string): LakewardError {
  return new LakewardError('not-found', `the rejected rows ${path} are gone from the lake`);
}

/** Whether the landing log still names the file; a replay takes files away. */
export async function isLive(
  log: Pick<LandingLog, 'rejectedFiles'>,
  { path }: Pick<RejectedFile, 'path'>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  // Listings begin behind a path; nothing lies between a name and the same without its last character.
  const { items } = await log.rejectedFiles({ after: path.slice(0, -1), limit: 1, signal });
  return items[0]?.path === path;
}
