/**
 * Records to append, as the bytes Kafka stores: one record batch (magic 2) a partition, or several when a topic takes no batch as large.
 * The bytes are written straight from the regions of the batches handed in, which may be used for other records afterwards; a set that is
 * sent again is sent as the same bytes under the same sequence number, so that Kafka keeps it once. Pure.
 *
 *   0 base offset i64 · 8 length i32 · 12 leader epoch i32 · 16 magic i8 · 17 CRC-32C u32 of what follows · 21 attributes i16 ·
 *   23 last offset delta i32 · 27 first time i64 · 35 greatest time i64 · 43 producer id i64 · 51 epoch i16 · 53 first sequence i32 ·
 *   57 count i32 · 61 records: length, attributes i8, time delta, offset delta, key, data, no headers; numbers as zigzag varints
 */
import type { AppendBatch } from '../../model/record-batch.ts';
import { HEAD_BYTES, LENGTH_FROM, writeChecksum } from './checksum.ts';

const ATTRIBUTES_AT = 21;

export interface RecordSet {
  readonly partition: number;
  readonly bytes: Buffer;
  readonly count: number;
  /** Its one record is larger than the topic takes. */
  readonly tooLarge: boolean;
}

export interface RecordSets {
  /** Those of one partition in the order to send them. */
  readonly sets: readonly RecordSet[];
  /** By number of the record, counted through all batches: the number of its set. */
  readonly setOf: Uint32Array;
}

interface Growing {
  readonly partition: number;
  readonly firstMs: number;
  greatestMs: number;
  count: number;
  size: number;
}

export function recordSets(batches: readonly AppendBatch[], setBytesMax: number): RecordSets {
  const { plans, setOf } = planned(batches, setBytesMax);
  const sets = plans.map(({ partition, count, size }) => ({
    partition,
    count,
    bytes: Buffer.allocUnsafe(size),
    tooLarge: size > setBytesMax,
  }));
  const cursors = new Uint32Array(plans.length).fill(HEAD_BYTES);
  const written = new Uint32Array(plans.length);
  let record = 0;
  for (const { count, keys, keyEnds, data, dataEnds, arrivalMs } of batches) {
    for (let i = 0; i < count; i++, record++) {
      const nth = setOf[record] as number;
      const bytes = (sets[nth] as RecordSet).bytes;
      const timeDelta = arrivalMs - (plans[nth] as Growing).firstMs;
      const offsetDelta = written[nth] as number;
      written[nth] = offsetDelta + 1;
      const keyFrom = i === 0 ? 0 : (keyEnds[i - 1] as number);
      const keyTo = keyEnds[i] as number;
      const dataFrom = i === 0 ? 0 : (dataEnds[i - 1] as number);
      const dataTo = dataEnds[i] as number;
      let at = cursors[nth] as number;
      at = putVarint(bytes, at, bodyBytes(timeDelta, offsetDelta, keyTo - keyFrom, dataTo - dataFrom));
      bytes[at++] = 0;
      at = putVarint(bytes, at, timeDelta);
      at = putVarint(bytes, at, offsetDelta);
      at = putVarint(bytes, at, keyTo - keyFrom);
      bytes.set(keys.subarray(keyFrom, keyTo), at);
      at = putVarint(bytes, at + keyTo - keyFrom, dataTo - dataFrom);
      bytes.set(data.subarray(dataFrom, dataTo), at);
      at += dataTo - dataFrom;
      bytes[at++] = 0;
      cursors[nth] = at;
    }
  }
  for (const [nth, plan] of plans.entries()) putHead((sets[nth] as RecordSet).bytes, plan);
  return { sets, setOf };
}

/** Names the producer and the place of a set in what it sent to the partition. */
export function stamp(
  { bytes }: RecordSet,
  producer: { readonly producerId: bigint; readonly producerEpoch: number },
  sequence: number,
): void {
  bytes.writeBigInt64BE(producer.producerId, 43);
  bytes.writeInt16BE(producer.producerEpoch, 51);
  bytes.writeInt32BE(sequence, 53);
  writeChecksum(bytes);
}

/** Which set each record goes to, and how large the sets become. */
function planned(batches: readonly AppendBatch[], setBytesMax: number): { plans: Growing[]; setOf: Uint32Array } {
  const setOf = new Uint32Array(batches.reduce((sum, { count }) => sum + count, 0));
  const plans: Growing[] = [];
  /** By partition: number of the set that grows. */
  const open = new Map<number, number>();
  let record = 0;
  for (const { count, shards, keyEnds, dataEnds, arrivalMs } of batches) {
    for (let i = 0; i < count; i++, record++) {
      const partition = shards[i] as number;
      const keyBytes = (keyEnds[i] as number) - (i === 0 ? 0 : (keyEnds[i - 1] as number));
      const dataBytes = (dataEnds[i] as number) - (i === 0 ? 0 : (dataEnds[i - 1] as number));
      let nth = open.get(partition);
      let plan = nth === undefined ? undefined : (plans[nth] as Growing);
      let size =
        plan === undefined ? 0 : recordBytes(bodyBytes(arrivalMs - plan.firstMs, plan.count, keyBytes, dataBytes));
      if (nth === undefined || plan === undefined || plan.size + size > setBytesMax) {
        nth = plans.length;
        plan = { partition, firstMs: arrivalMs, greatestMs: arrivalMs, count: 0, size: HEAD_BYTES };
        plans.push(plan);
        open.set(partition, nth);
        size = recordBytes(bodyBytes(0, 0, keyBytes, dataBytes));
      }
      plan.count++;
      plan.size += size;
      if (arrivalMs > plan.greatestMs) plan.greatestMs = arrivalMs;
      setOf[record] = nth;
    }
  }
  return { plans, setOf };
}

function putHead(bytes: Buffer, { firstMs, greatestMs, count }: Growing): void {
  bytes.writeBigInt64BE(0n, 0);
  bytes.writeInt32BE(bytes.length - LENGTH_FROM, 8);
  bytes.writeInt32BE(-1, 12);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(0, ATTRIBUTES_AT);
  bytes.writeInt32BE(count - 1, 23);
  bytes.writeBigInt64BE(BigInt(firstMs), 27);
  bytes.writeBigInt64BE(BigInt(greatestMs), 35);
  bytes.writeInt32BE(count, 57);
}

function recordBytes(body: number): number {
  return varintBytes(body) + body;
}

function bodyBytes(timeDelta: number, offsetDelta: number, keyBytes: number, dataBytes: number): number {
  const numbers = varintBytes(timeDelta) + varintBytes(offsetDelta) + varintBytes(keyBytes) + varintBytes(dataBytes);
  return 2 + numbers + keyBytes + dataBytes;
}

/** Numbers beyond 2^31 are differences of times far apart, so arithmetic here is that of doubles. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintBytes(value: number): number {
  let rest = zigzag(value);
  let length = 1;
  for (; rest >= 0x80; length++) rest = Math.floor(rest / 0x80);
  return length;
}

function putVarint(bytes: Buffer, from: number, value: number): number {
  let rest = zigzag(value);
  let at = from;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at++] = rest;
  return at;
}
