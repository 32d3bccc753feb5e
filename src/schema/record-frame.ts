/**
 * How a record says that it is Avro, and with which schema: the frame of Confluent's serializers (0x00, id as 4 bytes big-endian) or
 * Avro's single-object encoding (0xC3 0x01, fingerprint of 8 bytes). JSON begins with neither, so every record tells by itself. Of
 * several schemas with one fingerprint, which differ in what it leaves out, the first registered counts.
 */
import { Buffer } from 'node:buffer';
import { LIMITS } from '../model/limits.ts';
import type { SchemaText } from '../model/schema.ts';
import { AvroDataError } from './avro-data-error.ts';
import type { AvroToJson } from './avro-json.ts';
import { avroToJson } from './avro-json.ts';
import { jsonSink } from './json-sink.ts';
import { resolveKnown } from './resolved-type.ts';

const CONFLUENT_MARK = 0x00;
const SINGLE_MARK = 0xc3;
export const CONFLUENT_HEAD_BYTES = 5;
const SINGLE_HEAD_BYTES = 10;

export function isFramed(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from];
  if (first === CONFLUENT_MARK) return to - from >= CONFLUENT_HEAD_BYTES;
  return first === SINGLE_MARK && bytes[from + 1] === 0x01 && to - from >= SINGLE_HEAD_BYTES;
}

/** What goes before a bare body of the schema. */
export function confluentHead(id: number): Buffer {
  const head = Buffer.alloc(CONFLUENT_HEAD_BYTES);
  head.writeUInt32BE(id, 1);
  return head;
}

export interface UnreadRecord {
  readonly code: 'schema-unknown' | 'not-avro' | 'too-large';
  readonly reason: string;
}
export interface ReadRecord {
  readonly code?: undefined;
  readonly schemaId: number;
  /** The JSON text is `json[0 … jsonEnd)`, until the next call. */
  readonly json: Buffer;
  readonly jsonEnd: number;
}

export interface RecordDecoder {
  /** Of a framed record. */
  decode(bytes: Buffer, from: number, to: number): ReadRecord | UnreadRecord;
}

/** `load` is called with the first record. */
export function recordDecoder(load: () => readonly SchemaText[]): RecordDecoder {
  const sink = jsonSink(LIMITS.recordBytesMax);
  let texts: Map<number, SchemaText> | undefined;
  let ids: Map<string, number> | undefined;
  const decoders = new Map<number, AvroToJson>();

  function known(): Map<number, SchemaText> {
    texts ??= new Map(load().map((schema) => [schema.id, schema]));
    return texts;
  }

  function idOf(bytes: Buffer, from: number): number | undefined {
    if (bytes[from] === CONFLUENT_MARK) return bytes.readUInt32BE(from + 1);
    ids ??= new Map([...known().values()].toReversed().map(({ fingerprint, id }) => [fingerprint, id]));
    return ids.get(bytes.toString('hex', from + 2, from + SINGLE_HEAD_BYTES));
  }

  function decoderOf(id: number): AvroToJson | undefined {
    let decoder = decoders.get(id);
    if (decoder !== undefined) return decoder;
    const schema = known().get(id);
    if (schema === undefined) return undefined;
    decoder = avroToJson(resolveKnown(schema.text), sink);
    decoders.set(id, decoder);
    return decoder;
  }

  return {
    decode(bytes, from, to) {
      const schemaId = idOf(bytes, from);
      const decoder = schemaId === undefined ? undefined : decoderOf(schemaId);
      if (schemaId === undefined || decoder === undefined) {
        const named = schemaId ?? `with the fingerprint ${bytes.toString('hex', from + 2, from + SINGLE_HEAD_BYTES)}`;
        return { code: 'schema-unknown', reason: `no schema ${named} is registered` };
      }
      const start = from + (bytes[from] === CONFLUENT_MARK ? CONFLUENT_HEAD_BYTES : SINGLE_HEAD_BYTES);
      try {
        const end = decoder(bytes, start, to);
        if (end < to) throw new AvroDataError(`${to - end} bytes follow the value`);
        return { schemaId, json: sink.bytes, jsonEnd: sink.used };
      } catch (error) {
        if (!(error instanceof AvroDataError)) throw error;
        return { code: error.code, reason: `with schema ${schemaId}: ${error.message}` };
      }
    },
  };
}
