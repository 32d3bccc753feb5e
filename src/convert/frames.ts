/**
 * Record batches as frames between server and engine, both directions of the layout in `protocol.ts`. Large batches are cut, so
 * that an engine never holds more than one frame; regions are handed on without copying.
 */
import { endianness } from 'node:os';
import { MIB } from '../model/limits.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import { asOffset, asShard } from '../model/stream.ts';
import type { Command } from './protocol.ts';
import { BATCH_HEAD_BYTES, FRAME, FRAME_HEAD_BYTES } from './protocol.ts';

/** A frame holds more only for a single record. */
const FRAME_BYTES_MAX = 8 * MIB;

if (endianness() !== 'LE') throw new Error('frames need a little-endian machine');

export function commandFrame(command: Command): Buffer {
  const body = Buffer.from(JSON.stringify(command));
  return Buffer.concat([head(FRAME.command, body.length), body]);
}

/** Says that the feed file of this number is there to read. */
export function feedFrame(number: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32LE(number);
  return Buffer.concat([head(FRAME.feed, body.length), body]);
}

/** The pieces of a batch's frames, in order. */
export function* batchFrames(batch: RecordBatch): Generator<Uint8Array> {
  for (let from = 0; from < batch.count; ) {
    let to = from + 1;
    const start = startOf(batch.dataEnds, from) + startOf(batch.keyEnds, from);
    while (
      to < batch.count &&
      (batch.dataEnds[to] as number) + (batch.keyEnds[to] as number) - start <= FRAME_BYTES_MAX
    )
      to++;
    yield* encode(from === 0 && to === batch.count ? batch : sliceBatch(batch, from, to));
    from = to;
  }
}

/** Records [from, to) of a batch, over the same bytes. */
export function sliceBatch(batch: RecordBatch, from: number, to: number): RecordBatch {
  const keyStart = startOf(batch.keyEnds, from);
  const dataStart = startOf(batch.dataEnds, from);
  return {
    shard: batch.shard,
    firstOffset: asOffset(batch.firstOffset + from),
    count: to - from,
    arrivals: batch.arrivals.subarray(from, to),
    keyEnds: batch.keyEnds.slice(from, to).map((end) => end - keyStart),
    dataEnds: batch.dataEnds.slice(from, to).map((end) => end - dataStart),
    keys: batch.keys.subarray(keyStart, startOf(batch.keyEnds, to)),
    data: batch.data.subarray(dataStart, startOf(batch.dataEnds, to)),
  };
}

function startOf(ends: Uint32Array, index: number): number {
  return index === 0 ? 0 : (ends[index - 1] as number);
}

function* encode(batch: RecordBatch): Generator<Uint8Array> {
  const { count } = batch;
  const keys = batch.keys.subarray(0, startOf(batch.keyEnds, count));
  const data = batch.data.subarray(0, startOf(batch.dataEnds, count));
  const body = Buffer.alloc(BATCH_HEAD_BYTES);
  body.writeUInt32LE(batch.shard, 0);
  body.writeUInt32LE(count, 4);
  body.writeDoubleLE(batch.firstOffset, 8);
  body.writeUInt32LE(keys.length, 16);
  body.writeUInt32LE(data.length, 20);
  yield Buffer.concat([head(FRAME.batch, BATCH_HEAD_BYTES + count * 16 + keys.length + data.length), body]);
  yield bytesOf(batch.arrivals, count * 8);
  yield bytesOf(batch.keyEnds, count * 4);
  yield bytesOf(batch.dataEnds, count * 4);
  if (keys.length > 0) yield keys;
  if (data.length > 0) yield data;
}

function bytesOf(array: Float64Array | Uint32Array, length: number): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, length);
}

function head(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt32LE(length, 1);
  return bytes;
}

/** A batch over the bytes of a frame's body, which must stay as they are while it is in use. */
export function decodeBatch(body: Buffer): RecordBatch {
  const count = body.readUInt32LE(4);
  const keysLength = body.readUInt32LE(16);
  const dataLength = body.readUInt32LE(20);
  const arrivalsAt = BATCH_HEAD_BYTES;
  const keyEndsAt = arrivalsAt + count * 8;
  const dataEndsAt = keyEndsAt + count * 4;
  const keysAt = dataEndsAt + count * 4;
  return {
    shard: asShard(body.readUInt32LE(0)),
    firstOffset: asOffset(body.readDoubleLE(8)),
    count,
    // The frame lies in a buffer of its own beginning at an aligned address: views need no copy.
    arrivals: new Float64Array(body.buffer, body.byteOffset + arrivalsAt, count),
    keyEnds: new Uint32Array(body.buffer, body.byteOffset + keyEndsAt, count),
    dataEnds: new Uint32Array(body.buffer, body.byteOffset + dataEndsAt, count),
    keys: body.subarray(keysAt, keysAt + keysLength),
    data: body.subarray(keysAt + keysLength, keysAt + keysLength + dataLength),
  };
}
