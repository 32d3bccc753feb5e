/**
 * PutRecords bodies in the plain form that clients send, read without a JSON parser and without a string for each record's members:
 * `StreamName` and `Records` with `Data` and `PartitionKey`, each once, in any order and with any white space; keys of printable
 * ASCII without escapes. Whatever else stands in a body, right or wrong, makes it not plain, and the general way decides: a
 * body that is plain here must come to the same batch there.
 */
import type { Buffer } from 'node:buffer';
import { LIMITS } from '../../model/limits.ts';
import type { BatchWriter, Memory } from '../batch-writer.ts';
import { batchWriter } from '../batch-writer.ts';

export interface PlainPutRecords {
  readonly streamName: string;
  /** Holds at least one record. */
  readonly writer: BatchWriter;
}

/** Where reading stands; `at` is where the next byte is, or beyond the body when that is not plain. */
interface Cursor {
  readonly body: Buffer;
  at: number;
  /** Bytes of the last base64 text: the next is likely as long. */
  textBytes: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const [DATA, PARTITION_KEY, RECORDS, STREAM_NAME] = ['Data"', 'PartitionKey"', 'Records"', 'StreamName"'].map((name) =>
  Uint8Array.from(name, (c) => c.charCodeAt(0)),
) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

/** Undefined when the body is not plain; the memory taken is then lost to the request. */
export function readPlainPutRecords(body: Buffer, memory: Memory): PlainPutRecords | undefined {
  const cursor: Cursor = { body, at: 0, textBytes: 0 };
  let streamName: string | undefined;
  let writer: BatchWriter | undefined;
  if (!take(cursor, OPEN_BRACE)) return undefined;
  do {
    if (!take(cursor, QUOTE)) return undefined;
    if (streamName === undefined && takeName(cursor, STREAM_NAME)) {
      const from = takeText(cursor);
      if (from < 0) return undefined;
      streamName = body.toString('latin1', from, cursor.at - 1);
    } else if (writer === undefined && takeName(cursor, RECORDS)) {
      writer = readRecords(cursor, memory);
      if (writer === undefined) return undefined;
    } else return undefined;
  } while (take(cursor, COMMA));
  if (!take(cursor, CLOSE_BRACE)) return undefined;
  skipBlanks(cursor);
  if (cursor.at !== body.length || streamName === undefined || writer === undefined) return undefined;
  if (!/^[a-zA-Z0-9_.-]{1,128}$/.test(streamName) || writer.bytes() > LIMITS.putRecordsBytesMax) return undefined;
  return { streamName, writer };
}

function readRecords(cursor: Cursor, memory: Memory): BatchWriter | undefined {
  if (!take(cursor, OPEN_BRACKET)) return undefined;
  const { length } = cursor.body;
  const keyBytes = Math.min(length, LIMITS.putRecordsMax * LIMITS.partitionKeyCharsMax);
  const writer = batchWriter({ records: LIMITS.putRecordsMax, keyBytes, dataBytes: (length >> 2) * 3 }, memory);
  let bytes = 0;
  do {
    if (writer.count() === LIMITS.putRecordsMax || !readRecord(cursor, writer)) return undefined;
    if (writer.bytes() - bytes > LIMITS.recordBytesMax) return undefined;
    bytes = writer.bytes();
  } while (take(cursor, COMMA));
  return take(cursor, CLOSE_BRACKET) ? writer : undefined;
}

function readRecord(cursor: Cursor, writer: BatchWriter): boolean {
  let keyFrom = -1;
  let keyTo = -1;
  let hasData = false;
  if (!take(cursor, OPEN_BRACE)) return false;
  do {
    if (!take(cursor, QUOTE)) return false;
    if (!hasData && takeName(cursor, DATA)) {
      if (!takeData(cursor, writer)) return false;
      hasData = true;
    } else if (keyFrom < 0 && takeName(cursor, PARTITION_KEY)) {
      keyFrom = takeText(cursor);
      keyTo = cursor.at - 1;
      if (keyFrom < 0 || keyTo === keyFrom || keyTo - keyFrom > LIMITS.partitionKeyCharsMax) return false;
    } else return false;
  } while (take(cursor, COMMA));
  if (!take(cursor, CLOSE_BRACE) || !hasData || keyFrom < 0) return false;
  writer.addDecoded(cursor.body, keyFrom, keyTo);
  return true;
}

/** Decodes a string of base64. The decoder takes all bytes for base64 only when none of them is a quote or begins an escape. */
function takeData(cursor: Cursor, writer: BatchWriter): boolean {
  if (!take(cursor, QUOTE)) return false;
  const { body, at } = cursor;
  let end = at + cursor.textBytes;
  if (body[end] !== QUOTE || !writer.decode(body.toString('latin1', at, end))) {
    end = body.indexOf(QUOTE, at);
    if (end < 0 || !writer.decode(body.toString('latin1', at, end))) return false;
    cursor.textBytes = end - at;
  }
  cursor.at = end + 1;
  return true;
}

/** Takes a string of printable ASCII without escapes; gives where its text begins (it ends before the cursor), or -1. */
function takeText(cursor: Cursor): number {
  if (!take(cursor, QUOTE)) return -1;
  const { body, at } = cursor;
  for (let end = at; end < body.length; end++) {
    const byte = body[end] as number;
    if (byte === QUOTE) {
      cursor.at = end + 1;
      return at;
    }
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
  }
  return -1;
}

/** Takes the rest of a member's name, with the quote and the colon behind it, if it stands there. */
function takeName(cursor: Cursor, name: Uint8Array): boolean {
  const { body, at } = cursor;
  for (let i = 0; i < name.length; i++) if (body[at + i] !== name[i]) return false;
  cursor.at = at + name.length;
  return take(cursor, COLON);
}

/** Takes one byte, and blanks before it, if it stands there. */
function take(cursor: Cursor, byte: number): boolean {
  if (cursor.body[cursor.at] !== byte) {
    skipBlanks(cursor);
    if (cursor.body[cursor.at] !== byte) return false;
  }
  cursor.at++;
  return true;
}

function skipBlanks(cursor: Cursor): void {
  const { body } = cursor;
  for (; cursor.at < body.length; cursor.at++) {
    const byte = body[cursor.at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
  }
}
