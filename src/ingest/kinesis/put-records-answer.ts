/**
 * The answer of PutRecords, as bytes. An entry is the same for all records of a shard but for the 17 digits of the offset, so it
 * is copied from a template, in which the offset moves on by one digit for nearly every record.
 */
import { Buffer } from 'node:buffer';
import type { AppendBatch } from '../../model/record-batch.ts';
import { OFFSET_DIGITS, OFFSET_DIGITS_AT } from '../../model/sequence-number.ts';
import type { AppendResult } from '../../ports/broker.ts';
import type { LiveStream } from '../live-stream.ts';
import { recordErrorType } from './wire-error.ts';

/** The entry of one shard's record, with the offset that it shows now. */
interface Entry {
  readonly bytes: Buffer;
  offset: number;
}

const ENTRY_HEAD = '{"SequenceNumber":"';
const DIGITS_AT = ENTRY_HEAD.length + OFFSET_DIGITS_AT;
const DIGITS_END = DIGITS_AT + OFFSET_DIGITS;
const ZERO = 0x30;
const NINE = 0x39;

/** Some producers look for `"FailedRecordCount":0` as text, without a blank. */
const HEAD = Buffer.from('{"FailedRecordCount":0,"Records":[');
const TAIL = Buffer.from(']}');

const entriesOf = new WeakMap<LiveStream, (Entry | undefined)[]>();

export function putRecordsAnswer(batch: AppendBatch, result: AppendResult, stream: LiveStream): Buffer | string {
  if (result.failures.length > 0) return answerWithFailures(batch, result, stream);
  let entries = entriesOf.get(stream);
  if (entries === undefined) entriesOf.set(stream, (entries = []));
  const { count, shards } = batch;
  let length = HEAD.length + TAIL.length - 1;
  for (let i = 0; i < count; i++) {
    const shard = shards[i] as number;
    const entry = (entries[shard] ??= { bytes: Buffer.from(`${entryText(stream, shard, 0)},`), offset: 0 });
    length += entry.bytes.length;
  }
  const bytes = Buffer.allocUnsafe(length);
  let at = HEAD.copy(bytes);
  for (let i = 0; i < count; i++) {
    const entry = entries[shards[i] as number] as Entry;
    show(entry, result.offsets[i] as number);
    at += entry.bytes.copy(bytes, at);
  }
  // The tail takes the place of the last comma.
  TAIL.copy(bytes, length - TAIL.length);
  return bytes;
}

function show(entry: Entry, offset: number): void {
  const { bytes } = entry;
  let at = DIGITS_END - 1;
  if (offset === entry.offset + 1) {
    for (; bytes[at] === NINE; at--) bytes[at] = ZERO;
    bytes[at] = (bytes[at] as number) + 1;
  } else if (offset !== entry.offset) {
    bytes.write(String(offset).padStart(OFFSET_DIGITS, '0'), DIGITS_AT, 'latin1');
  }
  entry.offset = offset;
}

function entryText(stream: LiveStream, shard: number, offset: number): string {
  const sequenceNumber = stream.sequenceNumber[shard] as (offset: number) => string;
  return `${ENTRY_HEAD}${sequenceNumber(offset)}","ShardId":"${stream.shardIds[shard]}"}`;
}

function answerWithFailures(batch: AppendBatch, { offsets, failures }: AppendResult, stream: LiveStream): string {
  const codes = new Map(failures.map(({ index, code }) => [index, code]));
  const items = Array.from({ length: batch.count }, (_, i) => {
    const shard = batch.shards[i] as number;
    const code = codes.get(i);
    if (code === undefined) return entryText(stream, shard, offsets[i] as number);
    const message = `${stream.shardIds[shard]} in stream ${stream.document.name} could not store the record: ${code}`;
    return JSON.stringify({ ErrorCode: recordErrorType(code), ErrorMessage: message });
  });
  return `{"FailedRecordCount":${failures.length},"Records":[${items.join(',')}]}`;
}
