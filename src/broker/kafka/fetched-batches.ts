/**
 * From what Kafka answers to record batches of one shard: records before the position asked for are cut off (Kafka answers whole
 * batches), control records and records of aborted transactions are passed over, and offsets without a record, as compaction and
 * transactions leave them, end a batch, so that offsets inside one are contiguous. Pure.
 */
import type { KafkaRecord, RecordsBatch } from '@platformatic/kafka';
import type { RecordBatch } from '../../model/record-batch.ts';
import { asOffset, type Offset, type ShardIndex } from '../../model/stream.ts';
import type { OffsetGap } from '../../ports/broker.ts';
import type { FetchedPartition } from './kafka-client.ts';

const CONTROL = 0x20;
const TRANSACTIONAL = 0x10;
const LOG_APPEND_TIME = 0x08;

export interface FetchedShard {
  readonly batches: readonly RecordBatch[];
  readonly gaps: readonly OffsetGap[];
  readonly next: Offset;
}

interface Run {
  readonly firstOffset: number;
  readonly records: KafkaRecord[];
  readonly arrivals: number[];
}

export function fetchedShard(shard: ShardIndex, from: Offset, answer: FetchedPartition): FetchedShard {
  const runs: Run[] = [];
  const gaps: OffsetGap[] = [];
  const aborted = abortedTransactions(answer);
  let next: number = from;

  function passOver(to: number): void {
    const last = gaps.at(-1);
    if (last?.to === next) gaps[gaps.length - 1] = { ...last, to: asOffset(to) };
    else gaps.push({ shard, from: asOffset(next), to: asOffset(to), cause: 'unused' });
    next = to;
  }

  function take(batch: RecordsBatch, record: KafkaRecord): void {
    const offset = Number(batch.firstOffset) + record.offsetDelta;
    if (offset < next) return;
    if (offset > next) passOver(offset);
    let run = runs.at(-1);
    if (run === undefined || run.firstOffset + run.records.length !== offset) {
      run = { firstOffset: offset, records: [], arrivals: [] };
      runs.push(run);
    }
    run.records.push(record);
    const appended = (batch.attributes & LOG_APPEND_TIME) !== 0;
    run.arrivals.push(Number(appended ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta));
    next = offset + 1;
  }

  for (const batch of answer.records ?? []) {
    const end = Number(batch.firstOffset) + batch.lastOffsetDelta + 1;
    if (end <= next) continue;
    if (!aborted(batch) && (batch.attributes & CONTROL) === 0) for (const record of batch.records) take(batch, record);
    if (next < end) passOver(end);
  }
  return { batches: runs.map((run) => toBatch(shard, run)), gaps, next: asOffset(next) };
}

/** Says of batches, in their order, whether their transaction was aborted. */
function abortedTransactions({ abortedTransactions: list }: FetchedPartition): (batch: RecordsBatch) => boolean {
  const waiting = [...(list ?? [])].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborting = new Set<bigint>();
  return (batch) => {
    while (waiting[0] !== undefined && waiting[0].firstOffset <= batch.firstOffset) {
      aborting.add((waiting.shift() as (typeof waiting)[0]).producerId);
    }
    if ((batch.attributes & TRANSACTIONAL) === 0) return false;
    const isAborted = aborting.has(batch.producerId);
    if (isAborted && (batch.attributes & CONTROL) !== 0) aborting.delete(batch.producerId);
    return isAborted;
  };
}

function toBatch(shard: ShardIndex, { firstOffset, records, arrivals }: Run): RecordBatch {
  const keyEnds = new Uint32Array(records.length);
  const dataEnds = new Uint32Array(records.length);
  let keyEnd = 0;
  let dataEnd = 0;
  for (const [i, { key, value }] of records.entries()) {
    keyEnds[i] = keyEnd += key?.length ?? 0;
    dataEnds[i] = dataEnd += value?.length ?? 0;
  }
  const keys = Buffer.allocUnsafe(keyEnd);
  const data = Buffer.allocUnsafe(dataEnd);
  for (const [i, { key, value }] of records.entries()) {
    key?.copy(keys, i === 0 ? 0 : keyEnds[i - 1]);
    value?.copy(data, i === 0 ? 0 : dataEnds[i - 1]);
  }
  return {
    shard,
    firstOffset: asOffset(firstOffset),
    count: records.length,
    keys,
    keyEnds,
    data,
    dataEnds,
    arrivals: Float64Array.from(arrivals),
  };
}
