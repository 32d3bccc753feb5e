/**
 * Whether Parquet files have one schema, byte by byte: the same columns in the same order, of the same types. To ask the engine costs as much
 * as opening all files once more. Owns no other look at a file: what is not understood, or differs in any byte, is for the engine to judge.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 'PAR1';
const TAIL_BYTES = 8;
/** Of a footer, whose beginning is the schema; a longer one is for the engine. */
const HEAD_BYTES_MAX = 64 * 1024;
const SCHEMA_FIELD = 2;
/** What follows: the next field, of 64 bits. */
const NUMBER_OF_ROWS = 0x16;
const DEPTH_MAX = 16;

/** False also when that is not known. */
export function haveOneSchema(locals: readonly string[]): boolean {
  let first: Buffer | undefined;
  for (const local of locals) {
    const schema = schemaBytes(local);
    if (schema === undefined) return false;
    first ??= Buffer.from(schema);
    if (!first.equals(schema)) return false;
  }
  return true;
}

const head = Buffer.alloc(HEAD_BYTES_MAX);

/** From the beginning of the footer to the end of the schema; good until the next call. */
function schemaBytes(local: string): Buffer | undefined {
  const file = openSync(local, 'r');
  try {
    const { size } = fstatSync(file);
    if (size < TAIL_BYTES || readSync(file, head, 0, TAIL_BYTES, size - TAIL_BYTES) !== TAIL_BYTES) return undefined;
    const start = size - TAIL_BYTES - head.readUInt32LE(0);
    if (start < 0 || head.toString('latin1', 4, TAIL_BYTES) !== MAGIC) return undefined;
    const length = Math.min(HEAD_BYTES_MAX, size - TAIL_BYTES - start);
    if (readSync(file, head, 0, length, start) !== length) return undefined;
    const end = endOfField(head.subarray(0, length), SCHEMA_FIELD);
    return end === undefined || head[end] !== NUMBER_OF_ROWS ? undefined : head.subarray(0, end);
  } finally {
    closeSync(file);
  }
}

/** Where a field of a struct of Thrift's compact protocol ends; undefined when it is not there, or more bytes are needed. */
function endOfField(bytes: Buffer, wanted: number): number | undefined {
  let at = 0;

  function byte(): number {
    const value = bytes[at++];
    if (value === undefined) throw new RangeError('the bytes end');
    return value;
  }

  function varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const part = byte();
      value += (part & 127) * scale;
      if (part < 128) return value;
    }
  }

  function text(): void {
    const length = varint();
    at += length;
  }

  /** Fields up to the end of the struct; true as soon as the wanted one is over. */
  function fields(depth: number, until?: number): boolean {
    if (depth > DEPTH_MAX) throw new RangeError('too deep');
    for (let id = 0; ; ) {
      const header = byte();
      if (header === 0) return false;
      const delta = header >> 4;
      // Written out in zigzag when it is far from the one before.
      id = delta === 0 ? varint() / 2 : id + delta;
      skip(header & 15, depth);
      if (id === until) return true;
    }
  }

  function skip(type: number, depth: number): void {
    // Of a field, 1 and 2 are the value itself.
    if (type === 3) at += 1;
    else if (type >= 4 && type <= 6) varint();
    else if (type === 7) at += 8;
    else if (type === 8) text();
    else if (type === 9 || type === 10) list(depth);
    else if (type === 12) fields(depth + 1);
    else if (type !== 1 && type !== 2) throw new RangeError(`type ${type}`);
  }

  function list(depth: number): void {
    const header = byte();
    const size = header >> 4 === 15 ? varint() : header >> 4;
    const type = header & 15;
    for (let i = 0; i < size && at <= bytes.length; i++) {
      if (type === 1 || type === 2) at += 1;
      else skip(type, depth);
    }
  }

  try {
    return fields(0, wanted) && at < bytes.length ? at : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
