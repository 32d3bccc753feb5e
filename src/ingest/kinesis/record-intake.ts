/**
 * Records of PutRecord and PutRecords into one batch: base64 decoded once to where the log will read it, sizes held.
 * The records' types have been checked.
 */
import { parseHashKey } from '../../model/hash-range.ts';
import { LIMITS } from '../../model/limits.ts';
import type { BatchWriter, Memory } from '../batch-writer.ts';
import { batchWriter } from '../batch-writer.ts';
import { WireError } from './wire-error.ts';

export interface WireRecord {
  readonly Data: string;
  readonly PartitionKey: string;
  readonly ExplicitHashKey?: string | null;
}

export interface IntakeOptions {
  /** How an error names the data of a record. */
  readonly nameOf: (index: number) => string;
  readonly memory: Memory;
}

/** Throws SerializationException for data that is not base64, InvalidArgumentException for sizes and hash keys. */
export function gatherRecords(records: readonly WireRecord[], { nameOf, memory }: IntakeOptions): BatchWriter {
  let keyBytes = 0;
  let dataBytes = 0;
  for (const { Data, PartitionKey } of records) {
    keyBytes += PartitionKey.length * 3;
    dataBytes += (Data.length >> 2) * 3;
  }
  const writer = batchWriter({ records: records.length, keyBytes, dataBytes }, memory);
  let bytes = 0;
  for (let i = 0; i < records.length; i++) {
    const { Data, PartitionKey, ExplicitHashKey } = records[i] as WireRecord;
    const hashKey = typeof ExplicitHashKey === 'string' ? hashKeyOf(ExplicitHashKey) : undefined;
    if (!writer.addBase64(Data, PartitionKey, hashKey)) {
      throw new WireError('SerializationException', `'${nameOf(i)}' is not base64 text`);
    }
    if (writer.bytes() - bytes > LIMITS.recordBytesMax) {
      throw new WireError(
        'InvalidArgumentException',
        `'${nameOf(i)}' exceeds ${LIMITS.recordBytesMax} bytes with its key.`,
      );
    }
    bytes = writer.bytes();
  }
  if (bytes > LIMITS.putRecordsBytesMax) {
    throw new WireError('InvalidArgumentException', `Records size exceeds ${LIMITS.putRecordsBytesMax} bytes.`);
  }
  return writer;
}

/** The producer chose the place in the hash range, and the partition key no longer does. */
function hashKeyOf(text: string): bigint {
  const hashKey = parseHashKey(text);
  if (hashKey === undefined) {
    throw new WireError('InvalidArgumentException', `Invalid ExplicitHashKey. It must be in 0 to 2^128-1: ${text}`);
  }
  return hashKey;
}
