/**
 * Published files that the lake lost since: made anew from the stream, as long as it has the records and the entry that landed them is not
 * emptied yet. An entry `replace` puts each in the place of the lost one, as after a loss before publishing.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { addedFiles, type Entry, parseEntry } from './entry.ts';
import type { KnownKeys, KeyFile } from './known-keys.ts';
import { repairOf } from './repair.ts';
import { again } from './room.ts';
import { commitBody, refreshed, type Session } from './session.ts';

/** Gives the paths that were lost and are made anew, under other names. Throws `stage-lost` when the rows do not come out as they were. */
export async function rebuildLost(
  session: Session,
  lost: ReadonlySet<string>,
  call?: CallOptions,
): Promise<readonly LakePath[]> {
  const { room } = session;
  const rebuilt: LakePath[] = [];
  const { state } = await refreshed(session, call);
  for (let n = state.n; n >= 0; n--) {
    const path = room.paths.entry(n);
    const bytes = await again(room, () => room.store.read(path, call), call);
    const entry = bytes === undefined ? 'emptied' : parseEntry(bytes, n, path);
    if (entry === 'emptied') break;
    const its = addedFiles(entry).filter((file) => lost.has(file.path));
    if (its.length === 0 || entry.kind !== 'append') continue;
    const { nonce, body } = await repairOf(
      room,
      { entry, lost: its, known: knownBefore(state.known, entry) },
      session.rebuild,
      call,
    );
    // The stream has not got the records any more.
    if (body.kind !== 'replace') continue;
    const handles = addedFiles(body).map(({ staged }) => ({ staged }));
    if ((await commitBody(session, { nonce, body, handles }, call)) === 'committed') {
      rebuilt.push(...its.map((file) => file.path));
    }
  }
  return rebuilt;
}

/** Files of event ids that the entry's rows were compared with, as far as they are still there. */
function knownBefore({ files, retired }: KnownKeys, { n }: Entry): readonly KeyFile[] {
  return [...retired.filter((file) => file.n < n && file.at >= n), ...files.filter((file) => file.n < n)];
}
