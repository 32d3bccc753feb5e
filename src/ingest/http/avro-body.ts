/**
 * Records that come as Avro on plain HTTP: one framed record, one bare record whose schema a header names, or an object container,
 * whose schema is registered under the subject of the stream. All are stored as one frame a record. They are decoded here once, as
 * JSON is parsed here once: their producer still listens. A container that is damaged is refused whole.
 */
import { Buffer } from 'node:buffer';
import { createInflateRaw } from 'node:zlib';
import { LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import type { Schemas } from '../../ports/schemas.ts';
import { AvroDataError } from '../../schema/avro-data-error.ts';
import { isContainer, readContainer } from '../../schema/avro-container.ts';
import { avroToJson } from '../../schema/avro-json.ts';
import { jsonSink } from '../../schema/json-sink.ts';
import type { RecordDecoder } from '../../schema/record-frame.ts';
import { CONFLUENT_HEAD_BYTES, confluentHead, isFramed, recordDecoder } from '../../schema/record-frame.ts';
import { resolveSchema } from '../../schema/resolved-type.ts';
import type { Reservation } from '../admission/bytes-in-flight.ts';
import { withFreshSchemas } from './fresh-schemas.ts';
import { unpack } from './inflate.ts';

/** Carries the id of the schema of a bare record. */
export const SCHEMA_ID_HEADER = 'lakeward-schema-id';

const TYPES = new Set(['application/avro', 'application/vnd.apache.avro', 'avro/binary']);

export function isAvroType(contentType: string | undefined): boolean {
  return TYPES.has((contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '');
}

export interface AvroRecord {
  /** As it is stored. */
  readonly bytes: Buffer;
  /** Its JSON, for keys that are fields. */
  readonly value: () => unknown;
}

export interface AvroBodyOptions {
  readonly schemas: Schemas;
  readonly stream: string;
  readonly schemaId: string | undefined;
  readonly inflatedBytesMax: number;
  readonly reservation: Reservation;
}

/** Throws `body-invalid`, `body-too-large`, `schema-not-found`, and what registering a container's schema throws. */
export async function avroRecords(body: Buffer, options: AvroBodyOptions): Promise<readonly AvroRecord[]> {
  if (isContainer(body)) return containerRecords(body, options);
  return withFreshSchemas(options.schemas, () => oneRecord(body, options));
}

function oneRecord(body: Buffer, { schemas, schemaId }: AvroBodyOptions): readonly AvroRecord[] {
  let bytes = body;
  if (schemaId !== undefined) {
    const id = /^\d{1,10}$/.test(schemaId) ? Number(schemaId) : 0;
    if (schemas.byId(id) === undefined) {
      throw new LakewardError('schema-not-found', `there is no schema of id '${schemaId.slice(0, 20)}'`);
    }
    bytes = Buffer.concat([confluentHead(id), body]);
  } else if (!isFramed(body, 0, body.length)) {
    const told = `an object container, a framed record, or a record with the header ${SCHEMA_ID_HEADER}`;
    throw new LakewardError('body-invalid', `an Avro body is ${told}`);
  }
  const read = decoderFor(schemas).decode(bytes, 0, bytes.length);
  if (read.code === 'schema-unknown') throw new LakewardError('schema-not-found', read.reason);
  if (read.code !== undefined) throw new LakewardError('body-invalid', `the record is not Avro ${read.reason}`);
  const json = read.json.toString('utf8', 0, read.jsonEnd);
  return [{ bytes, value: () => JSON.parse(json) as unknown }];
}

const decoders = new WeakMap<Schemas, { readonly known: number; readonly decoder: RecordDecoder }>();

/** A decoder of every schema there is now. */
export function decoderFor(schemas: Schemas): RecordDecoder {
  const known = schemas.all().length;
  let entry = decoders.get(schemas);
  if (entry?.known !== known) decoders.set(schemas, (entry = { known, decoder: recordDecoder(() => schemas.all()) }));
  return entry.decoder;
}

/** What base64 text holds when it is a record in Avro that can be read: for people, who cannot. */
export function avroView(base64: string, schemas: Schemas): { readonly schemaId?: number; readonly json?: string } {
  // The marks of both frames, as base64 begins them.
  if (!/^(?:AA|wwE)/.test(base64)) return {};
  const bytes = Buffer.from(base64, 'base64');
  const read = isFramed(bytes, 0, bytes.length) ? decoderFor(schemas).decode(bytes, 0, bytes.length) : undefined;
  if (read?.code !== undefined || read === undefined) return {};
  return { schemaId: read.schemaId, json: read.json.toString('utf8', 0, read.jsonEnd) };
}

async function containerRecords(body: Buffer, options: AvroBodyOptions): Promise<readonly AvroRecord[]> {
  const { schemas, stream } = options;
  const container = readContainer(body);
  const schema = parsed(container.schema);
  const type = resolveSchema(schema);
  if (type.kind !== 'record') throw new LakewardError('schema-invalid', 'the schema of a container must be a record');
  const sink = jsonSink(LIMITS.recordBytesMax);
  const decode = avroToJson(type, sink);
  const pieces: Buffer[] = [];
  let bytesLeft = options.inflatedBytesMax;
  for (const block of container.blocks) {
    const data = container.codec === 'null' ? block.bytes : await inflated(block.bytes, bytesLeft, options);
    bytesLeft -= data.length;
    if (pieces.length + block.records > LIMITS.httpRecordsMax) {
      throw new LakewardError('body-too-large', `a body has at most ${LIMITS.httpRecordsMax} records`);
    }
    let at = 0;
    for (let i = 0; i < block.records; i++) {
      const end = endOf(data, at);
      pieces.push(data.subarray(at, end));
      at = end;
    }
    if (at < data.length)
      throw new LakewardError('body-invalid', 'a block of the container holds more than its records');
  }
  const { id } = await schemas.register(`${stream}-value`, schema, { normalize: true });
  const head = confluentHead(id);
  return pieces.map((piece) => ({
    bytes: Buffer.concat([head, piece], CONFLUENT_HEAD_BYTES + piece.length),
    value: () => {
      decode(piece, 0, piece.length);
      return JSON.parse(sink.bytes.toString('utf8', 0, sink.used)) as unknown;
    },
  }));

  function endOf(data: Buffer, at: number): number {
    try {
      return decode(data, at, data.length);
    } catch (error) {
      if (!(error instanceof AvroDataError)) throw error;
      const reason = `record ${pieces.length} of the container cannot be read: ${error.message}`;
      throw new LakewardError('body-invalid', reason, { cause: error });
    }
  }
}

function inflated(bytes: Buffer, bytesMax: number, { reservation }: AvroBodyOptions): Promise<Buffer> {
  return unpack(createInflateRaw(), bytes, { name: 'deflate', bytesMax, reservation });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new LakewardError('schema-invalid', "the container's schema is not valid JSON", { cause });
  }
}
