/**
 * Avro records inside an engine. The schemas lie in a file that the server keeps up to date; it is read with the first record that
 * needs one. Ids are only ever added, so a newer file serves an older command as well.
 */
import { readFileSync } from 'node:fs';
import type { SchemaText } from '../../model/schema.ts';
import type { RecordBatch } from '../../model/record-batch.ts';
import type { RecordDecoder } from '../../schema/record-frame.ts';
import { isFramed, recordDecoder } from '../../schema/record-frame.ts';

/** Without a file no schema is registered. */
export function avroRecords(schemaFile: string | undefined): RecordDecoder {
  return recordDecoder(() =>
    schemaFile === undefined ? [] : (JSON.parse(readFileSync(schemaFile, 'utf8')) as readonly SchemaText[]),
  );
}

/** The batch with its Avro records as JSON; those that cannot be read stay as they are. */
export function asJson(batch: RecordBatch, decoder: RecordDecoder): RecordBatch {
  const data = batch.data as Buffer;
  const pieces: Buffer[] = [];
  const dataEnds = new Uint32Array(batch.count);
  let framed = false;
  let end = 0;
  for (let i = 0, from = 0; i < batch.count; i++) {
    const to = batch.dataEnds[i] as number;
    let piece = data.subarray(from, to);
    if (isFramed(data, from, to)) {
      const read = decoder.decode(data, from, to);
      if (read.code === undefined) piece = Buffer.from(read.json.subarray(0, read.jsonEnd));
      framed = true;
    }
    pieces.push(piece);
    end += piece.length;
    dataEnds[i] = end;
    from = to;
  }
  return framed ? { ...batch, data: Buffer.concat(pieces, end), dataEnds } : batch;
}
