/**
 * Lists of live files that checkpoints refer to: immutable NDJSON parts, each sorted by path, one line a file
 * (`{"kind":"data"|"rejected","file":{…}}`). A checkpoint writes only the files that are new since the last one, and merges small
 * neighbours, so its cost follows what changed and not what the lake holds; opening a log reads none of them.
 */
import { LakewardError } from '../model/errors.ts';
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { LandingState } from './fold.ts';
import type { LiveFile } from './live-files.ts';
import { again, type LandingRoom } from './room.ts';

export interface PartReference {
  readonly path: LakePath;
  readonly files: number;
  readonly firstPath: string;
  readonly lastPath: string;
}

/** The parts of the next checkpoint, which is of a published entry: those of the last that stay, and new ones, written. */
export async function writeParts(
  room: LandingRoom,
  at: { readonly state: LandingState; readonly parts: readonly PartReference[] },
  call?: CallOptions,
): Promise<readonly PartReference[]> {
  const { state } = at;
  const stay: PartReference[] = [];
  const publishedMs = room.clock.nowMs();
  const lines = [...state.added.values()].map((line): LiveFile => ({ publishedMs, ...line }));
  for (const part of at.parts) {
    if (!holdsAny(part, state.removed)) stay.push(part);
    else lines.push(...(await readPart(room, part, call)).filter(({ file }) => !state.removed.has(file.path)));
  }
  for (let last = stay.at(-1); last !== undefined; last = stay.at(-1)) {
    const together = last.files + lines.length;
    if (lines.length === 0 || last.files > 2 * lines.length || together > room.tuning.partFilesMax) break;
    stay.pop();
    lines.push(...(await readPart(room, last, call)));
  }
  lines.sort(byPath);
  for (let from = 0; from < lines.length; from += room.tuning.partFilesMax) {
    stay.push(await writePart(room, state.n, lines.slice(from, from + room.tuning.partFilesMax), call));
  }
  return stay;
}

export interface FileQuery {
  readonly kind: LiveFile['kind'];
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number;
}

/** The first live files in path order behind `after`, and whether more follow. */
export async function pageOfFiles(
  room: LandingRoom,
  at: { readonly state: LandingState; readonly parts: readonly PartReference[] },
  query: FileQuery,
  call?: CallOptions,
): Promise<{ readonly files: readonly LiveFile[]; readonly more: boolean }> {
  const { state } = at;
  const { prefix, after, limit } = query;
  const wanted = ({ kind, file }: LiveFile): boolean =>
    kind === query.kind && file.path.startsWith(prefix) && (after === undefined || file.path > after);
  let found = [...state.added.values()]
    .filter(wanted)
    .sort(byPath)
    .slice(0, limit + 1);
  for (const part of at.parts) {
    const bound = found.length > limit ? found.at(-1)?.file.path : undefined;
    if (part.lastPath < prefix || (after !== undefined && part.lastPath <= after)) continue;
    if ((bound !== undefined && part.firstPath > bound) || part.firstPath > `${prefix}\u{ffff}`) continue;
    const lines = await readPart(room, part, call);
    const more = lines.filter((line) => wanted(line) && !state.removed.has(line.file.path));
    found = [...found, ...more].sort(byPath).slice(0, limit + 1);
  }
  return { files: found.slice(0, limit), more: found.length > limit };
}

/** Shows every live file, in no order. */
export async function eachFile(
  room: LandingRoom,
  at: { readonly state: LandingState; readonly parts: readonly PartReference[]; readonly partsMs: number },
  visit: (file: LiveFile) => void,
  call?: CallOptions,
): Promise<void> {
  for (const part of at.parts) {
    for (const line of await readPart(room, part, call)) {
      // A checkpoint is of published files; lists of earlier versions do not say more.
      if (!at.state.removed.has(line.file.path)) visit({ publishedMs: at.partsMs, ...line });
    }
  }
  for (const line of at.state.added.values()) visit(line);
}

/** Those of the paths that the parts name. Lines are searched, not parsed: a quote within a text has a backslash before it. */
export async function namedIn(
  room: LandingRoom,
  parts: readonly PartReference[],
  paths: readonly string[],
  call?: CallOptions,
): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  for (const part of parts) {
    const wanted = paths.filter((path) => path >= part.firstPath && path <= part.lastPath);
    if (wanted.length === 0) continue;
    const bytes = Buffer.from(await readBytes(room, part, call));
    for (const path of wanted) if (bytes.includes(`"path":${JSON.stringify(path)}`)) named.add(path);
  }
  return named;
}

export async function readPart(room: LandingRoom, part: PartReference, call?: CallOptions): Promise<LiveFile[]> {
  const bytes = await readBytes(room, part, call);
  const damaged = (why: string, cause?: unknown): LakewardError =>
    new LakewardError('landing-log-damaged', `${part.path}: ${why}`, { cause });
  try {
    const lines = new TextDecoder().decode(bytes).split('\n').filter(Boolean);
    if (lines.length !== part.files) throw damaged(`holds ${lines.length} files instead of ${part.files}`);
    return lines.map((line) => JSON.parse(line) as LiveFile);
  } catch (cause) {
    throw cause instanceof LakewardError ? cause : damaged('is no NDJSON', cause);
  }
}

async function readBytes(room: LandingRoom, { path }: PartReference, call?: CallOptions): Promise<Uint8Array> {
  const bytes = await again(room, () => room.store.read(path, call), call);
  if (bytes !== undefined) return bytes;
  // Dropped since the checkpoint was read: whoever reads again finds a newer one.
  throw new LakewardError('lake-unavailable', `the list of files ${path} is gone; if this lasts, restore it`);
}

async function writePart(
  room: LandingRoom,
  n: number,
  lines: readonly LiveFile[],
  call?: CallOptions,
): Promise<PartReference> {
  const path = room.paths.part(n, room.clock.uuid());
  const bytes = new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  await again(room, () => room.store.overwrite(path, bytes, call), call);
  return {
    path,
    files: lines.length,
    firstPath: lines[0]?.file.path ?? '',
    lastPath: lines.at(-1)?.file.path ?? '',
  };
}

function holdsAny({ firstPath, lastPath }: PartReference, paths: ReadonlySet<string>): boolean {
  for (const path of paths) if (path >= firstPath && path <= lastPath) return true;
  return false;
}

function byPath(a: LiveFile, b: LiveFile): number {
  return a.file.path < b.file.path ? -1 : a.file.path > b.file.path ? 1 : 0;
}
