/**
 * A lake store that encrypts files on their way in and decrypts them on their way out, around any other. A file is encrypted when its
 * settings say `client`, and its name says so ever after: everything that is read under such a name is decrypted, or refused. Ranges
 * count in the plain file; sizes and checksums of handles and listings are those of the file as it is stored.
 */
import { open, rm, stat } from 'node:fs/promises';
import { LakewardError } from '../../model/errors.ts';
import type { LakePath } from '../../model/lake-path.ts';
import { isEncryptedName } from '../../model/object-settings.ts';
import type { CallOptions } from '../../ports/call-options.ts';
import type { LakeStore } from '../../ports/lake-store.ts';
import { FRAME_BYTES, frameCount, makeHeader, sealFrame } from './envelope.ts';
import type { KeyRing } from './key-ring.ts';
import { decryptingReader } from './read-range.ts';

export function encryptingStore(inner: LakeStore, keys: KeyRing): LakeStore {
  const reader = decryptingReader(inner, keys);

  return {
    ...passedOn(inner),
    async create(path, bytes, options) {
      const encryption = options?.object?.encryption;
      if (encryption?.kind === 'client' && isEncryptedName(path)) {
        options?.signal?.throwIfAborted();
        return inner.create(path, await sealBytes(bytes, encryption.key, keys, options), options);
      }
      refuseSealedName(path);
      return inner.create(path, bytes, options);
    },
    async overwrite(path, bytes, options) {
      refuseSealedName(path);
      return inner.overwrite(path, bytes, options);
    },
    read: (path, options) => (isEncryptedName(path) ? reader.read(path, options) : inner.read(path, options)),
    async stage(file, options) {
      const encryption = file.object?.encryption;
      if (encryption?.kind !== 'client') {
        refuseSealedName(file.final);
        return inner.stage(file, options);
      }
      options?.signal?.throwIfAborted();
      if (!isEncryptedName(file.final)) throw new Error(`the name of the encrypted file ${file.final} does not say so`);
      const local = `${file.local}.sealed`;
      try {
        await sealFile({ from: file.local, to: local, keyId: encryption.key, keys }, options);
        const handle = await inner.stage({ ...file, local }, options);
        await rm(file.local, { force: true });
        return handle;
      } finally {
        await rm(local, { force: true });
      }
    },
  };
}

function passedOn(inner: LakeStore): Pick<LakeStore, 'list' | 'remove' | 'publish' | 'discard' | 'link'> {
  const link = inner.link?.bind(inner);
  return {
    ...(link === undefined
      ? {}
      : { link: async (path: LakePath, local: string) => !isEncryptedName(path) && (await link(path, local)) }),
    list: (prefix, options) => inner.list(prefix, options),
    remove: (path, options) => inner.remove(path, options),
    publish: (handle, options) => inner.publish(handle, options),
    discard: (handle, options) => inner.discard(handle, options),
  };
}

/** A plain file under such a name could never be read again. */
function refuseSealedName(path: LakePath): void {
  if (!isEncryptedName(path)) return;
  throw new LakewardError('argument-invalid', `${path} is the name of an encrypted file, and this one is not`);
}

async function sealBytes(bytes: Uint8Array, keyId: string, keys: KeyRing, call?: CallOptions): Promise<Uint8Array> {
  const dataKey = keys.dataKey();
  const wrappedKey = await keys.wrap(keyId, dataKey, call);
  const header = makeHeader({ plainBytes: bytes.length, frameBytes: FRAME_BYTES, keyId, wrappedKey });
  const frames = Array.from({ length: frameCount(header) }, (_, number) => {
    const plain = bytes.subarray(number * FRAME_BYTES, (number + 1) * FRAME_BYTES);
    return sealFrame(header, dataKey, number, plain);
  });
  return Buffer.concat([header.raw, ...frames]);
}

interface SealJob {
  readonly from: string;
  readonly to: string;
  readonly keyId: string;
  readonly keys: KeyRing;
}

/** Frame by frame, so that a file of any size needs the memory of one. */
async function sealFile({ from, to, keyId, keys }: SealJob, call?: CallOptions): Promise<void> {
  const dataKey = keys.dataKey();
  const wrappedKey = await keys.wrap(keyId, dataKey, call);
  try {
    const { size: plainBytes } = await stat(from);
    const header = makeHeader({ plainBytes, frameBytes: FRAME_BYTES, keyId, wrappedKey });
    await using input = await open(from, 'r');
    await using output = await open(to, 'w');
    await output.appendFile(header.raw);
    const plain = Buffer.alloc(FRAME_BYTES);
    for (let number = 0; number < frameCount(header); number += 1) {
      call?.signal?.throwIfAborted();
      const length = Math.min(FRAME_BYTES, plainBytes - number * FRAME_BYTES);
      const { bytesRead } = await input.read(plain, 0, length, number * FRAME_BYTES);
      if (bytesRead !== length) throw new Error(`${from} became shorter while it was read`);
      await output.appendFile(sealFrame(header, dataKey, number, plain.subarray(0, length)));
    }
  } catch (cause) {
    if (cause instanceof LakewardError || call?.signal?.aborted === true) throw cause;
    const systemCode = (cause as NodeJS.ErrnoException).code;
    throw new LakewardError('lake-unavailable', `the local file ${from} cannot be encrypted`, {
      cause,
      ...(systemCode === undefined ? {} : { details: { systemCode } }),
    });
  }
}
