/**
 * Ranges of plain text out of encrypted files: fetches the frames a range touches, checks them, cuts. Headers of files that were read
 * lately are kept with their data keys, since a key command may take its time; a file whose frames do not fit a kept header is
 * looked at anew.
 */
import { isLakewardError } from '../../model/errors.ts';
import type { LakePath } from '../../model/lake-path.ts';
import type { CallOptions } from '../../ports/call-options.ts';
import type { LakeStore } from '../../ports/lake-store.ts';
import { damaged, frameCount, framePlace, type Header, HEADER_BYTES_MAX, openFrame, parseHeader } from './envelope.ts';
import type { KeyRing } from './key-ring.ts';

const KEPT_MAX = 256;

interface Opened {
  readonly header: Header;
  readonly dataKey: Uint8Array;
}

type ReadOptions = CallOptions & { readonly offset?: number; readonly length?: number };

export interface DecryptingReader {
  /** As `LakeStore.read`. Throws `key-missing`, `encrypted-file-damaged` beside. */
  read(path: LakePath, options?: ReadOptions): Promise<Uint8Array | undefined>;
}

export function decryptingReader(store: Pick<LakeStore, 'read'>, keys: KeyRing): DecryptingReader {
  const kept = new Map<LakePath, Opened>();

  async function opened(path: LakePath, call: CallOptions | undefined): Promise<Opened | undefined> {
    const bytes = await store.read(path, { ...call, offset: 0, length: HEADER_BYTES_MAX });
    if (bytes === undefined) return undefined;
    const header = parseHeader(bytes, path);
    const dataKey = await keys.unwrap(header.keyId, header.wrappedKey, call);
    if (dataKey === undefined) throw damaged(path, `its data key does not open with the key '${header.keyId}'`);
    if (dataKey.length !== 32) throw damaged(path, `its data key has ${dataKey.length} bytes`);
    kept.delete(path);
    kept.set(path, { header, dataKey });
    const [oldest] = kept.keys();
    if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
    return { header, dataKey };
  }

  async function read(path: LakePath, options?: ReadOptions): Promise<Uint8Array | undefined> {
    const call = options?.signal === undefined ? {} : { signal: options.signal };
    const known = kept.get(path);
    if (known !== undefined) {
      try {
        return await cut(store, { path, ...known }, options);
      } catch (error) {
        if (!isLakewardError(error, 'encrypted-file-damaged')) throw error;
        kept.delete(path);
      }
    }
    const now = await opened(path, call);
    return now === undefined ? undefined : cut(store, { path, ...now }, options);
  }

  return { read };
}

async function cut(
  store: Pick<LakeStore, 'read'>,
  { path, header, dataKey }: Opened & { readonly path: LakePath },
  options: ReadOptions = {},
): Promise<Uint8Array | undefined> {
  const { plainBytes, frameBytes } = header;
  const from = Math.min(options.offset ?? 0, plainBytes);
  const to = Math.min(from + (options.length ?? plainBytes), plainBytes);
  const first = Math.min(Math.floor(from / frameBytes), frameCount(header) - 1);
  const last = Math.max(first, Math.ceil(to / frameBytes) - 1);
  const start = framePlace(header, first).offset;
  const end = framePlace(header, last);
  // One byte more than there may be behind the last frame: what is added to a file is noticed too.
  const more = last === frameCount(header) - 1 ? 1 : 0;
  const length = end.offset + end.length + more - start;
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const sealed = await store.read(path, { ...call, offset: start, length });
  if (sealed === undefined) return undefined;
  if (sealed.length !== length - more) throw damaged(path, 'it is shorter or longer than its header says');
  const frames: Buffer[] = [];
  for (let number = first; number <= last; number += 1) {
    const place = framePlace(header, number);
    const bytes = sealed.subarray(place.offset - start, place.offset - start + place.length);
    frames.push(openFrame(header, dataKey, { number, sealed: bytes, path }));
  }
  const base = first * frameBytes;
  return new Uint8Array(Buffer.concat(frames).subarray(from - base, to - base));
}
