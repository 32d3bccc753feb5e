/**
 * Files of event ids in the lake, in a folder readers do not look into. A landing writes its own under its nonce before its entry
 * names them; they are whole and durable then and never change, so nothing is published. One that no entry came to name is swept
 * as a stray stage is: its nonce is condemned first. One that is not remembered any more is removed before a checkpoint forgets it.
 */
import { crc32 } from 'node:zlib';
import { LakewardError } from '../model/errors.ts';
import type { ObjectSettings } from '../model/object-settings.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { inParallel } from './bounded-parallel.ts';
import type { LandingState } from './fold.ts';
import type { KeyFile } from './known-keys.ts';
import { again, type LandingRoom } from './room.ts';

export interface KeysToWrite {
  /** `<nonce>-<number>`, and what encrypted names end with. */
  readonly name: string;
  readonly content: Uint8Array;
  readonly object?: ObjectSettings | undefined;
}

/** Makes a file of a nonce that no entry has named yet. */
export async function writeKeyFile(
  room: LandingRoom,
  { name, content, object }: KeysToWrite,
  call?: CallOptions,
): Promise<void> {
  // A second try finds the first one's file: the name says who wrote it and what.
  await again(room, () => room.store.create(room.paths.keys(name), content, { ...call, object }), call);
  await room.step('keys-written');
}

/** Throws `lake-unavailable` when the file is gone or another. */
export async function readKeyFile(room: LandingRoom, file: KeyFile, call?: CallOptions): Promise<Uint8Array> {
  const path = room.paths.keys(file.name);
  const bytes = await again(room, () => room.store.read(path, call), call);
  if (bytes !== undefined && bytes.length === file.bytes && checksumOf(bytes) === file.checksum) return bytes;
  // Dropped since the log was read: whoever reads the log again does not ask for it.
  throw new LakewardError(
    'lake-unavailable',
    `the file of event ids ${path} is ${bytes === undefined ? 'gone' : 'damaged'}; if this lasts, restore it, or turn dedupe of '${room.delivery}' off until its next landing, which forgets all ids`,
  );
}

export function checksumOf(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

/** The state without the files that were let go before entry `before`, which nobody can need any more: they are removed. */
export async function dropRetiredKeys(
  room: LandingRoom,
  state: LandingState,
  before: number,
  call?: CallOptions,
): Promise<LandingState> {
  const { known } = state;
  const gone = known.retired.filter(({ at }) => at < before);
  if (gone.length === 0) return state;
  await inParallel(gone, ({ name }) => again(room, () => room.store.remove(room.paths.keys(name), call), call));
  await room.step('keys-dropped');
  return { ...state, known: { ...known, retired: known.retired.filter(({ at }) => at >= before) } };
}

/** Whether an entry up to the state's names the file at this path. */
export function namedKeys({ known }: LandingState, room: LandingRoom): (path: string) => boolean {
  const named = new Set([...known.files, ...known.retired].map(({ name }) => room.paths.keys(name) as string));
  return (path) => named.has(path);
}

/** The nonce in the path of a file of event ids. */
export function nonceOfKeys(folder: string, path: string): string {
  return path.slice(folder.length).replace(/-\d+(?:\.lwenc)?$/, '');
}
