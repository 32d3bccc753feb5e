/** Walks over the records of one Kafka record batch, uncompressed. Bytes are checked, not trusted: their checksum says nothing of who made them. */
import { damaged } from './checksum.ts';

const UNREADABLE = 'they cannot be taken apart';

/** Its fields tell of the record it is at. */
export interface RecordCursor {
  readonly bytes: Buffer;
  timeDelta: number;
  offsetDelta: number;
  /** Where key and data lie in `bytes`; empty when there is none. */
  keyFrom: number;
  keyTo: number;
  dataFrom: number;
  dataTo: number;
  /** Goes to the next record; false after the last. */
  move(): boolean;
}

/** Where records lie in bytes, and how many. */
export interface RecordSpan {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export function recordCursor(bytes: Buffer, { from, to, count }: RecordSpan): RecordCursor {
  let at = from;
  let left = count;

  /** A zigzag varint. */
  function number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined || scale > Number.MAX_SAFE_INTEGER) throw damaged(UNREADABLE);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 0x80;
    }
  }

  /** Goes over bytes with their length before them; -1 is none. */
  function span(): number {
    const length = Math.max(0, number());
    at += length;
    return length;
  }

  const cursor: RecordCursor = {
    bytes,
    timeDelta: 0,
    offsetDelta: 0,
    keyFrom: 0,
    keyTo: 0,
    dataFrom: 0,
    dataTo: 0,
    move() {
      if (left === 0) return false;
      left--;
      const length = number();
      const end = at + length;
      if (length < 0 || end > to) throw damaged(UNREADABLE);
      // Attributes.
      at++;
      cursor.timeDelta = number();
      cursor.offsetDelta = number();
      const keyBytes = span();
      cursor.keyFrom = at - keyBytes;
      cursor.keyTo = at;
      const dataBytes = span();
      cursor.dataFrom = at - dataBytes;
      cursor.dataTo = at;
      if (at > end) throw damaged(UNREADABLE);
      // Headers are passed over.
      at = end;
      return true;
    },
  };
  return cursor;
}
