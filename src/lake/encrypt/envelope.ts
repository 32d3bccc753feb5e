/**
 * The form of an encrypted file, version 1. All numbers are little-endian. Written whole by `seal`, never changed.
 *
 *   4  magic `LWE` and the version, 1
 *   4  h: bytes of the header, with magic and this number
 *   8  bytes of the plain file
 *   4  bytes of plain text in a frame, the last one excepted
 *   2  bytes of the key id, then the key id, UTF-8
 *   2  bytes of the wrapped data key, then the wrapped data key, as the key with that id wraps it
 *      frames: AES-256-GCM under the data key; nonce: the frame's number in 12 bytes, big-endian; additional data: the header;
 *      each frame its ciphertext and the tag of 16 bytes. An empty file has one empty frame.
 *
 * The data key is random and used for this file alone, so numbers are nonces that never repeat. The header is part of every frame's
 * proof, and the length is in the header: a flipped byte anywhere, a missing, added or exchanged frame fails. Frames are found by
 * their number, so any range can be read without the rest.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { LakewardError } from '../../model/errors.ts';

const MAGIC = Buffer.from('LWE\u0001', 'latin1');
const FIXED_BYTES = 20;
const TAG_BYTES = 16;
export const FRAME_BYTES = 65_536;
const FRAME_BYTES_MAX = 16 * 1024 * 1024;
/** Key ids are short, and a wrapped key is at most what a key service answers. */
export const HEADER_BYTES_MAX = 8192;
export const DATA_KEY_BYTES = 32;

export interface Header {
  /** As it is in the file. */
  readonly raw: Uint8Array;
  readonly plainBytes: number;
  readonly frameBytes: number;
  readonly keyId: string;
  readonly wrappedKey: Uint8Array;
}

/** Where a frame lies in the file. */
export interface FramePlace {
  readonly offset: number;
  readonly length: number;
}

export function makeHeader(facts: Omit<Header, 'raw'>): Header {
  const id = Buffer.from(facts.keyId);
  const raw = Buffer.alloc(FIXED_BYTES + 2 + id.length + 2 + facts.wrappedKey.length);
  if (raw.length > HEADER_BYTES_MAX) {
    throw new LakewardError(
      'argument-invalid',
      `the wrapped key has ${facts.wrappedKey.length} bytes; at most ${HEADER_BYTES_MAX - 1024} are accepted`,
    );
  }
  raw.set(MAGIC, 0);
  raw.writeUInt32LE(raw.length, 4);
  raw.writeBigUInt64LE(BigInt(facts.plainBytes), 8);
  raw.writeUInt32LE(facts.frameBytes, 16);
  raw.writeUInt16LE(id.length, FIXED_BYTES);
  raw.set(id, FIXED_BYTES + 2);
  raw.writeUInt16LE(facts.wrappedKey.length, FIXED_BYTES + 2 + id.length);
  raw.set(facts.wrappedKey, FIXED_BYTES + 4 + id.length);
  return { ...facts, raw };
}

/** The header at the begin of `bytes`, which hold it whole. Throws `encrypted-file-damaged`. */
export function parseHeader(bytes: Uint8Array, path: string): Header {
  const held = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wrong = (why: string): LakewardError => damaged(path, why);
  if (held.length < FIXED_BYTES + 4) throw wrong('it is too short');
  if (!held.subarray(0, 4).equals(MAGIC)) throw wrong('it does not begin as an encrypted file of this version does');
  const headerBytes = held.readUInt32LE(4);
  const plainBytes = Number(held.readBigUInt64LE(8));
  const frameBytes = held.readUInt32LE(16);
  const idEnd = FIXED_BYTES + 2 + held.readUInt16LE(FIXED_BYTES);
  const keyEnd = idEnd + 2 + (idEnd + 2 <= held.length ? held.readUInt16LE(idEnd) : held.length);
  const sound =
    headerBytes === keyEnd &&
    keyEnd <= Math.min(held.length, HEADER_BYTES_MAX) &&
    Number.isSafeInteger(plainBytes) &&
    frameBytes > 0 &&
    frameBytes <= FRAME_BYTES_MAX;
  if (!sound) throw wrong('its header does not hold together');
  const raw = Buffer.from(held.subarray(0, headerBytes));
  return {
    raw,
    plainBytes,
    frameBytes,
    keyId: raw.toString('utf8', FIXED_BYTES + 2, idEnd),
    wrappedKey: raw.subarray(idEnd + 2, keyEnd),
  };
}

export function frameCount({ plainBytes, frameBytes }: Pick<Header, 'plainBytes' | 'frameBytes'>): number {
  return Math.max(1, Math.ceil(plainBytes / frameBytes));
}

export function framePlace(header: Header, number: number): FramePlace {
  const { raw, plainBytes, frameBytes } = header;
  const plain = Math.min(frameBytes, plainBytes - number * frameBytes);
  return { offset: raw.length + number * (frameBytes + TAG_BYTES), length: plain + TAG_BYTES };
}

export function sealFrame(header: Header, dataKey: Uint8Array, number: number, plain: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonceOf(number));
  cipher.setAAD(header.raw);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws `encrypted-file-damaged`. */
export function openFrame(
  header: Header,
  dataKey: Uint8Array,
  { number, sealed, path }: { readonly number: number; readonly sealed: Uint8Array; readonly path: string },
): Buffer {
  const { length } = framePlace(header, number);
  if (sealed.length !== length) throw damaged(path, 'its length is not what its header says');
  const decipher = createDecipheriv('aes-256-gcm', dataKey, nonceOf(number), { authTagLength: TAG_BYTES });
  decipher.setAAD(header.raw);
  decipher.setAuthTag(sealed.subarray(length - TAG_BYTES));
  const plain = decipher.update(sealed.subarray(0, length - TAG_BYTES));
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch (cause) {
    throw damaged(path, `frame ${number} was changed, or its key is another one`, cause);
  }
}

export function damaged(path: string, why: string, cause?: unknown): LakewardError {
  return new LakewardError('encrypted-file-damaged', `${path} cannot be decrypted: ${why}`, { cause });
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 8);
  return nonce;
}
