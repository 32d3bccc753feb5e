/**
 * CRC-32C as Kafka keeps it in the head of every record batch, made when batches are written and compared when they are read: what was
 * changed on a disk or on the way, below TCP's weak sum, never lands. Bytes before the sum (offset, length, leader epoch) are not under it:
 * Kafka changes them.
 */
import { crc32c, Writer } from '@platformatic/kafka';
import { LakewardError } from '../../model/errors.ts';

/** The head of a batch up to its records; record-sets.ts tells what lies where. */
export const HEAD_BYTES = 61;
/** Bytes before those that the length counts. */
export const LENGTH_FROM = 12;
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CRC_AT = 17;
const CRC_FROM = 21;

export function writeChecksum(batch: Buffer): void {
  batch.writeUInt32BE(checksumOf(batch), CRC_AT);
}

/** Bytes of the whole batch that begins there. Throws `records-damaged` when that cannot be one that is read here. */
export function batchBytesAt(records: Buffer, at: number): number {
  const magic = records.readInt8(at + MAGIC_AT);
  if (magic !== 2) throw damaged(`they are of format ${magic}, which is not read (Kafka before 0.11)`);
  const bytes = records.readInt32BE(at + LENGTH_AT) + LENGTH_FROM;
  if (bytes < HEAD_BYTES) throw damaged(`a batch is told to have ${bytes} bytes`);
  return bytes;
}

/** Throws `records-damaged` unless every whole batch is what its writer sent. */
export function verifyBatches(records: Buffer): void {
  for (let at = 0; at + HEAD_BYTES <= records.length; ) {
    const end = at + batchBytesAt(records, at);
    if (end > records.length) return;
    const batch = records.subarray(at, end);
    if (checksumOf(batch) !== batch.readUInt32BE(CRC_AT)) {
      throw damaged(`their checksum does not match, from offset ${batch.readBigInt64BE(0)} on`);
    }
    at = end;
  }
}

export function damaged(why: string): LakewardError {
  return new LakewardError('records-damaged', `records of Kafka cannot be used: ${why}`);
}

/** By the client's own kind of buffer, which it does not copy first. */
function checksumOf(batch: Buffer): number {
  return crc32c(Writer.create().append(batch.subarray(CRC_FROM)).dynamicBuffer) >>> 0;
}
