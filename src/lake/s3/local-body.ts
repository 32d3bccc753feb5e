/**
 * A local file as the body of a PUT: measured first (its length and CRC-32 go ahead of it, so that a file that is cut or altered on its
 * way is refused), then sent, small files from memory, larger ones as a stream.
 */
import { createReadStream, type ReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { LakewardError } from '../../model/errors.ts';

/** The largest object one PUT, and one server-side copy, can make. */
export const OBJECT_BYTES_MAX = 5 * 1024 ** 3;
const IN_MEMORY_BYTES_MAX = 1024 * 1024;
const CHUNK_BYTES = 4 * 1024 * 1024;

export interface LocalBody {
  readonly bytes: number;
  /** CRC-32, 8 hex digits. */
  readonly checksum: string;
  readonly body: Uint8Array | ReadStream;
  /** Rejects when the file cannot be read while it is sent. */
  readonly failed: Promise<never>;
  close(): void;
}

/** Throws `file-too-large`, or the disk's failure as `lake-unavailable` with its `systemCode`. */
export async function localBody(local: string): Promise<LocalBody> {
  try {
    const { size } = await stat(local);
    if (size > OBJECT_BYTES_MAX) throw tooLarge(local, size);
    if (size > IN_MEMORY_BYTES_MAX) return streamed(local, size, await checksumOf(local));
    const body = await readFile(local);
    return {
      bytes: body.length,
      checksum: crcHex(crc32(body)),
      body,
      failed: new Promise(() => undefined),
      close: () => undefined,
    };
  } catch (error) {
    throw localFailure(error, local);
  }
}

function streamed(local: string, bytes: number, checksum: string): LocalBody {
  const body = createReadStream(local, { end: bytes - 1, highWaterMark: 256 * 1024 });
  const failed = new Promise<never>((_, reject) => {
    body.once('error', (error) => reject(localFailure(error, local)));
  });
  failed.catch(() => undefined);
  return { bytes, checksum, body, failed, close: () => body.destroy() };
}

async function checksumOf(local: string): Promise<string> {
  const file = await open(local);
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let sum = 0;
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
      if (bytesRead === 0) return crcHex(sum);
      sum = crc32(chunk.subarray(0, bytesRead), sum);
    }
  } finally {
    await file.close();
  }
}

export function crcHex(sum: number): string {
  return sum.toString(16).padStart(8, '0');
}

function tooLarge(local: string, bytes: number): LakewardError {
  return new LakewardError(
    'file-too-large',
    `${local} has ${bytes} bytes; one file of a lake on S3 has at most ${OBJECT_BYTES_MAX} (5 GiB): lower flush.bytes`,
    { details: { bytes, bytesMax: OBJECT_BYTES_MAX } },
  );
}

function localFailure(error: unknown, local: string): unknown {
  if (error instanceof LakewardError) return error;
  const { code } = error as NodeJS.ErrnoException;
  return new LakewardError('lake-unavailable', `the local file ${local} cannot be read (${code ?? String(error)})`, {
    cause: error,
    details: { systemCode: code ?? 'unknown' },
  });
}
