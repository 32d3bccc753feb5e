/**
 * Avro object container files (the specification's section of that name): a header with schema and codec, then blocks of records, each
 * closed by the header's mark. Owns the form of the file; what a block holds is decompressed and decoded by others.
 */
import type { Buffer } from 'node:buffer';
import { LakewardError } from '../model/errors.ts';

export interface AvroContainer {
  /** JSON text, not yet judged. */
  readonly schema: string;
  readonly codec: 'null' | 'deflate';
  readonly blocks: readonly ContainerBlock[];
}
export interface ContainerBlock {
  readonly records: number;
  readonly bytes: Buffer;
}

const MAGIC = [0x4f, 0x62, 0x6a, 0x01];
const MARK_BYTES = 16;
const META_MAX = 1000;
const LONG_FACTOR_MAX = 2 ** 42;

export function isContainer(body: Uint8Array): boolean {
  return MAGIC.every((byte, i) => body[i] === byte);
}

/** Throws `body-invalid`. */
export function readContainer(body: Buffer): AvroContainer {
  const cursor: Cursor = { body, at: MAGIC.length };
  const meta = metaAt(cursor);
  const mark = take(cursor, MARK_BYTES);
  const codec = meta.get('avro.codec')?.toString() ?? 'null';
  if (codec !== 'null' && codec !== 'deflate') {
    throw invalid(`its codec is '${codec.slice(0, 40)}'; null and deflate are accepted`);
  }
  const schema = meta.get('avro.schema')?.toString();
  if (schema === undefined) throw invalid('its header has no avro.schema');
  const blocks: ContainerBlock[] = [];
  while (cursor.at < body.length) {
    const records = countAt(cursor);
    const bytes = take(cursor, countAt(cursor));
    if (!take(cursor, MARK_BYTES).equals(mark)) throw invalid(`a block ends without the mark (at byte ${cursor.at})`);
    blocks.push({ records, bytes });
  }
  return { schema, codec, blocks };
}

interface Cursor {
  readonly body: Buffer;
  at: number;
}

function metaAt(cursor: Cursor): Map<string, Buffer> {
  const meta = new Map<string, Buffer>();
  for (let count = longAt(cursor); count !== 0; count = longAt(cursor)) {
    if (count < 0) longAt(cursor);
    for (let left = Math.abs(count); left > 0; left--) {
      if (meta.size >= META_MAX) throw invalid(`its header has more than ${META_MAX} entries`);
      meta.set(take(cursor, countAt(cursor)).toString(), take(cursor, countAt(cursor)));
    }
  }
  return meta;
}

function countAt(cursor: Cursor): number {
  const value = longAt(cursor);
  if (value < 0) throw invalid(`a length below 0 (at byte ${cursor.at})`);
  return value;
}

function longAt(cursor: Cursor): number {
  let folded = 0;
  for (let factor = 1; factor <= LONG_FACTOR_MAX; factor *= 128) {
    const byte = take(cursor, 1)[0] as number;
    folded += (byte & 0x7f) * factor;
    if (byte < 0x80) return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
  }
  throw invalid(`a length out of range (at byte ${cursor.at})`);
}

function take(cursor: Cursor, length: number): Buffer {
  const { body, at } = cursor;
  if (length > body.length - at) throw invalid('it ends too early');
  cursor.at = at + length;
  return body.subarray(at, cursor.at);
}

function invalid(reason: string): LakewardError {
  return new LakewardError('body-invalid', `the Avro container cannot be read: ${reason}`);
}
