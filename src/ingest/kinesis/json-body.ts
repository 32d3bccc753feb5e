/**
 * The body of a Kinesis call: JSON of one object. Parsing time grows with nesting, and nothing here nests, so a body with more
 * brackets than the largest request could hold is refused before it is parsed.
 */
import type { Buffer } from 'node:buffer';
import { isAscii, isUtf8 } from 'node:buffer';
import { WireError } from './wire-error.ts';

/** 500 records, each with a partition key of 256 brackets, and some. */
const BRACKETS_MAX = 150_000;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;

/** Throws a SerializationException for anything but a JSON object. */
export function parseJsonBody(body: Buffer): object {
  if (countUpTo(body, OPEN_BRACKET) + countUpTo(body, OPEN_BRACE) > BRACKETS_MAX)
    throw new WireError('SerializationException');
  let value: unknown;
  if (isAscii(body)) value = parse(body.toString('latin1'));
  else if (isUtf8(body)) value = parse(body.toString('utf8'));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new WireError('SerializationException');
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WireError('SerializationException', '', { cause });
  }
}

function countUpTo(body: Buffer, byte: number): number {
  let count = 0;
  for (let at = body.indexOf(byte); at !== -1 && count <= BRACKETS_MAX; at = body.indexOf(byte, at + 1)) count++;
  return count;
}
