/**
 * Files of event ids: made by an engine with the rows of one landing, kept in the lake by the landing, read by any engine later. Who may
 * delete one is the landing log's business.
 *
 * Little-endian. Head: `LWKEYS` (6 bytes), version u16 = 1, count u32, CRC-32 of the ids u32. Then count × 16 bytes: three u32 of the
 * id's hash (`event-key.ts`), u32 second of arrival (Unix time). Sorted by the first word, but for the few that a full end wraps.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { ConvertedKeys } from '../../ports/converter.ts';
import type { EventKey } from './event-key.ts';
import type { KeyTable } from './key-table.ts';

const MAGIC = 'LWKEYS';
const VERSION = 1;
const HEAD_BYTES = 16;
const KEY_BYTES = 16;
/** 16 MB: a file is read and written whole. */
const KEYS_PER_FILE_MAX = 1_000_000;

if (endianness() !== 'LE') throw new Error('files of event ids need a little-endian machine');

/** A file of event ids cannot be read; the copy here is at fault, not a record. */
export class KeyFileError extends Error {
  constructor(path: string, why: string, cause?: unknown) {
    super(`the file of event ids ${path} ${why}`, { cause });
    this.name = 'KeyFileError';
  }
}

/** Writes the ids of a table into files of a folder. */
export function writeKeyFiles(directory: string, table: KeyTable, keysMax = KEYS_PER_FILE_MAX): ConvertedKeys[] {
  const files: ConvertedKeys[] = [];
  let left = table.size();
  let words = new Uint32Array(0);
  let filled = 0;
  let lastSecond = 0;
  table.each((key, second) => {
    if (filled === 0) words = new Uint32Array((Math.min(left, keysMax) * KEY_BYTES) / 4);
    words[filled++] = key.a;
    words[filled++] = key.b;
    words[filled++] = key.c;
    words[filled++] = second;
    lastSecond = Math.max(lastSecond, second);
    if (filled < words.length) return;
    const content = encode(words);
    const local = join(directory, `event-ids-${files.length}`);
    writeFileSync(local, content);
    const keys = filled / 4;
    const checksum = crc32(content).toString(16).padStart(8, '0');
    files.push({ local, keys, bytes: content.length, checksum, lastArrivalMs: lastSecond * 1000 + 999 });
    left -= keys;
    filled = 0;
    lastSecond = 0;
  });
  return files;
}

function encode(words: Uint32Array): Buffer {
  const body = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt16LE(VERSION, 6);
  head.writeUInt32LE(words.length / 4, 8);
  head.writeUInt32LE(crc32(body), 12);
  return Buffer.concat([head, body]);
}

/** Calls back for every id of a file; `key` is reused. Throws `KeyFileError`. */
export function eachKey(path: string, visit: (key: EventKey, second: number) => void): void {
  const words = readWords(path);
  const key = { a: 0, b: 0, c: 0 };
  for (let at = 0; at < words.length; at += 4) {
    key.a = words[at] as number;
    key.b = words[at + 1] as number;
    key.c = words[at + 2] as number;
    visit(key, words[at + 3] as number);
  }
}

function readWords(path: string): Uint32Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new KeyFileError(path, 'cannot be read', cause);
  }
  if (bytes.length < HEAD_BYTES || bytes.toString('latin1', 0, 6) !== MAGIC)
    throw new KeyFileError(path, 'is no such file');
  if (bytes.readUInt16LE(6) !== VERSION) throw new KeyFileError(path, `has version ${bytes.readUInt16LE(6)}`);
  const body = bytes.subarray(HEAD_BYTES);
  const whole = body.length === bytes.readUInt32LE(8) * KEY_BYTES && crc32(body) === bytes.readUInt32LE(12);
  if (!whole) throw new KeyFileError(path, 'is damaged');
  const aligned = body.byteOffset % 4 === 0 ? body : Buffer.from(body);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, body.length / 4);
}
