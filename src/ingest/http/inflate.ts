/**
 * Bodies sent with gzip or zstd. Decompression runs as a stream and stops at the first byte beyond a bound: the size of the
 * output, its ratio to the input, the memory all requests share. One encoding only: stacked ones multiply a bomb.
 */
import { Buffer } from 'node:buffer';
import type { Transform } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { LakewardError } from '../../model/errors.ts';
import { MIB } from '../../model/limits.ts';
import type { Reservation } from '../admission/bytes-in-flight.ts';

/** Real logs stay below 100; a gzip bomb reaches 1,032, a zstd bomb far more. */
const RATIO_MAX = 250;
/** Output up to this is fine whatever the ratio. */
const RATIO_FREE_BYTES = MIB;
/** 2^23 = 8 MiB, what the zstd format asks every decoder to bear. */
const ZSTD_WINDOW_LOG_MAX = 23;
const CHUNK_BYTES = 64 * 1024;

export interface InflateBounds {
  readonly bytesMax: number;
  readonly reservation: Reservation;
}

/** The body without its encoding. Throws `body-invalid`, `body-too-large`, `broker-overloaded`. */
export async function inflate(body: Buffer, encoding: string | undefined, bounds: InflateBounds): Promise<Buffer> {
  const name = (encoding ?? '').trim().toLowerCase();
  if (name === '' || name === 'identity') return body;
  return unpack(decompressor(name), body, { name, ...bounds });
}

/** What a decompressor makes of the bytes, within the bounds. Throws as `inflate` does. */
export async function unpack(
  stream: Transform,
  body: Buffer,
  { name, ...bounds }: InflateBounds & { readonly name: string },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    stream.end(body);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bounds.bytesMax) {
        throw new LakewardError('body-too-large', `a body has at most ${bounds.bytesMax} bytes when decompressed`);
      }
      if (length > RATIO_FREE_BYTES && length > body.length * RATIO_MAX) {
        throw new LakewardError('body-too-large', `a body may not grow more than ${RATIO_MAX} times when decompressed`);
      }
      bounds.reservation.add(chunk.length);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof LakewardError) throw cause;
    throw new LakewardError('body-invalid', `the body is not valid ${name}`, { cause });
  } finally {
    stream.destroy();
  }
  return Buffer.concat(chunks, length);
}

function decompressor(name: string): Transform {
  if (name === 'gzip' || name === 'x-gzip') return createGunzip({ chunkSize: CHUNK_BYTES });
  if (name === 'zstd') {
    const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
    return createZstdDecompress({ chunkSize: CHUNK_BYTES, params });
  }
  throw new LakewardError(
    'body-invalid',
    `content-encoding must be gzip or zstd, one of them, not '${name.slice(0, 40)}'`,
  );
}
