/**
 * JSON text as bytes, written piece by piece into one buffer that is used again for every record: what a decoder makes goes on to a
 * scanner of bytes, so it never becomes a string.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { AvroDataError } from './avro-data-error.ts';

export interface JsonSink {
  /** The text written so far is `bytes[0 … used)`. */
  bytes: Buffer;
  used: number;
  /** Forgets what was written. */
  clear(): void;
  byte(byte: number): void;
  /** ASCII only. */
  ascii(text: string): void;
  copy(piece: Buffer): void;
  /** A JSON string of the UTF-8 text `from[start … end)`. */
  text(from: Buffer, start: number, end: number): void;
  base64(from: Buffer, start: number, end: number): void;
}

const QUOTE = 0x22;
const FIRST_BYTES = 4096;

/** Throws `AvroDataError` when more than so many bytes are written. */
export function jsonSink(bytesMax: number): JsonSink {
  const sink: JsonSink = {
    bytes: Buffer.allocUnsafeSlow(FIRST_BYTES),
    used: 0,
    clear() {
      sink.used = 0;
    },
    byte(byte) {
      room(1);
      sink.bytes[sink.used++] = byte;
    },
    ascii(text) {
      room(text.length);
      sink.used += sink.bytes.write(text, sink.used, 'latin1');
    },
    copy(piece) {
      room(piece.length);
      sink.used += piece.copy(sink.bytes, sink.used);
    },
    text(from, start, end) {
      if (needsEscape(from, start, end)) return escaped(from, start, end);
      room(end - start + 2);
      sink.bytes[sink.used++] = QUOTE;
      sink.used += from.copy(sink.bytes, sink.used, start, end);
      sink.bytes[sink.used++] = QUOTE;
    },
    base64(from, start, end) {
      room(Math.ceil((end - start) / 3) * 4 + 2);
      sink.bytes[sink.used++] = QUOTE;
      sink.used += sink.bytes.write(from.toString('base64', start, end), sink.used, 'latin1');
      sink.bytes[sink.used++] = QUOTE;
    },
  };

  function room(bytes: number): void {
    const needed = sink.used + bytes;
    if (needed <= sink.bytes.length) return;
    if (needed > bytesMax) throw new AvroDataError(`as JSON it has more than ${bytesMax} bytes`, 'too-large');
    const larger = Buffer.allocUnsafeSlow(Math.min(bytesMax, Math.max(needed, sink.bytes.length * 2)));
    sink.bytes.copy(larger, 0, 0, sink.used);
    sink.bytes = larger;
  }

  function escaped(from: Buffer, start: number, end: number): void {
    const piece = from.subarray(start, end);
    // What decoding would replace must be seen as what it is.
    if (!isUtf8(piece)) throw new AvroDataError('a string is not valid UTF-8');
    sink.copy(Buffer.from(JSON.stringify(piece.toString())));
  }
  return sink;
}

function needsEscape(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte < 0x20 || byte === QUOTE || byte === 0x5c) return true;
  }
  return false;
}
