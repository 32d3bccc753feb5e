/**
 * From the bytes Kafka answers to record batches of one shard: records before the position asked for are cut off (Kafka answers whole
 * batches), control records and records of aborted transactions are passed over, and offsets without a record, as compaction and
 * transactions leave them, end a batch, so that offsets inside one are contiguous. No object is made of a record. Pure but for the
 * bytes: records are moved together where they lie, and the answer is used up.
 */
import { compressionsAlgorithmsByBitmask } from '@platformatic/kafka';
import type { RecordBatch } from '../../model/record-batch.ts';
import { asOffset, type Offset, type ShardIndex } from '../../model/stream.ts';
import type { OffsetGap } from '../../ports/broker.ts';
import { batchBytesAt, damaged, HEAD_BYTES } from './checksum.ts';
import type { FetchedPartition } from './fetch-request.ts';
import { type RecordCursor, recordCursor } from './record-cursor.ts';
import { type AnswerSpace, type Run, runOf } from './record-run.ts';

const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

export interface FetchedShard {
  readonly batches: readonly RecordBatch[];
  readonly gaps: readonly OffsetGap[];
  readonly next: Offset;
}

export function fetchedShard(shard: ShardIndex, from: Offset, answer: FetchedPartition): FetchedShard {
  const { records } = answer;
  const runs: Run[] = [];
  const gaps: OffsetGap[] = [];
  const space: AnswerSpace = { bytes: records, used: 0, read: 0 };
  const aborted = abortedTransactions(answer);
  let next: number = from;

  function passOver(to: number): void {
    const last = gaps.at(-1);
    if (last?.to === next) gaps[gaps.length - 1] = { ...last, to: asOffset(to) };
    else gaps.push({ shard, from: asOffset(next), to: asOffset(to), cause: 'unused' });
    next = to;
  }

  function take(cursor: RecordCursor, firstOffset: number, timeOf: (delta: number) => number): void {
    while (cursor.move()) {
      const offset = firstOffset + cursor.offsetDelta;
      if (offset < next) continue;
      if (offset > next) passOver(offset);
      let run = runs.at(-1);
      if (run?.end() !== offset) runs.push((run = runOf(offset, space)));
      run.add(cursor, timeOf(cursor.timeDelta));
      next = offset + 1;
    }
  }

  for (let at = 0; at + HEAD_BYTES <= records.length; ) {
    const head = headAt(records, at);
    if (at + head.bytes > records.length) break;
    const from = at + HEAD_BYTES;
    at += head.bytes;
    if (head.end <= next) continue;
    const { attributes, firstMs, greatestMs } = head;
    if (!aborted(head) && (attributes & CONTROL) === 0) {
      const timeOf = (attributes & LOG_APPEND_TIME) === 0 ? (delta: number) => firstMs + delta : () => greatestMs;
      const compression = attributes & COMPRESSION;
      if (compression !== 0) space.read = at;
      const plain = compression === 0 ? undefined : plainBytes(records.subarray(from, at), compression);
      const span = plain === undefined ? { from, to: at } : { from: 0, to: plain.length };
      take(recordCursor(plain ?? records, { ...span, count: head.count }), head.firstOffset, timeOf);
    }
    if (next < head.end) passOver(head.end);
  }
  return { batches: runs.map((run) => run.batch(shard)), gaps, next: asOffset(next) };
}

interface Head {
  readonly firstOffset: number;
  /** With the head. */
  readonly bytes: number;
  readonly attributes: number;
  readonly end: number;
  readonly firstMs: number;
  readonly greatestMs: number;
  readonly producerId: bigint;
  readonly count: number;
}

function headAt(records: Buffer, at: number): Head {
  const firstOffset = Number(records.readBigInt64BE(at));
  return {
    firstOffset,
    bytes: batchBytesAt(records, at),
    attributes: records.readInt16BE(at + 21),
    end: firstOffset + records.readInt32BE(at + 23) + 1,
    firstMs: Number(records.readBigInt64BE(at + 27)),
    greatestMs: Number(records.readBigInt64BE(at + 35)),
    producerId: records.readBigInt64BE(at + 43),
    count: records.readInt32BE(at + 57),
  };
}

function plainBytes(bytes: Buffer, compression: number): Buffer {
  const algorithm = compressionsAlgorithmsByBitmask[compression];
  if (algorithm === undefined) throw damaged(`compression ${compression} is not known`);
  return algorithm.decompressSync(bytes);
}

/** Says of batches, in their order, whether their transaction was aborted. */
function abortedTransactions({ abortedTransactions: list }: FetchedPartition): (batch: Head) => boolean {
  const waiting = [...list].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborting = new Set<bigint>();
  return ({ firstOffset, attributes, producerId }) => {
    while (waiting[0] !== undefined && waiting[0].firstOffset <= firstOffset) {
      aborting.add((waiting.shift() as (typeof waiting)[0]).producerId);
    }
    if ((attributes & TRANSACTIONAL) === 0) return false;
    const isAborted = aborting.has(producerId);
    if (isAborted && (attributes & CONTROL) !== 0) aborting.delete(producerId);
    return isAborted;
  };
}
