/**
 * `POST /v1/streams/{stream}/records`: a JSON object, a JSON array, NDJSON or Avro, plain, gzip or zstd. Every record gets an answer of
 * its own. A record that is no JSON object is refused alone, here, where its producer still listens; the others are stored.
 * The stored bytes are the client's. Nothing is answered before it is durable.
 */
import type { Buffer } from 'node:buffer';
import { isAscii, isUtf8 } from 'node:buffer';
import type { RejectCode } from '../../model/data-file.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import type { AppendResult } from '../../ports/broker.ts';
import type { Schemas } from '../../ports/schemas.ts';
import type { Clock } from '../../ports/clock.ts';
import type { BatchWriter, Memory } from '../batch-writer.ts';
import { batchWriter } from '../batch-writer.ts';
import type { IngestMetrics } from '../ingest-metrics.ts';
import { countAppend } from '../ingest-metrics.ts';
import type { Answer, Exchange } from '../server/exchange.ts';
import { headerOf, readBody } from '../server/exchange.ts';
import type { ServerBounds } from '../server-options.ts';
import type { LiveStream } from '../live-stream.ts';
import type { Streams } from '../streams.ts';
import type { AvroBodyOptions, AvroRecord } from './avro-body.ts';
import { SCHEMA_ID_HEADER, avroRecords, isAvroType } from './avro-body.ts';
import { inflate } from './inflate.ts';
import type { KeyRule } from './partition-key.ts';
import { keyRule } from './partition-key.ts';
import { checkNames } from './query-value.ts';
import type { RecordSpans } from './record-spans.ts';
import { arraySpans, firstByte, lineSpans, wholeSpan } from './record-spans.ts';

export interface PostRecordsOptions {
  readonly streams: Streams;
  readonly schemas: Schemas;
  readonly clock: Clock;
  readonly metrics: IngestMetrics;
  readonly bounds: ServerBounds;
}

/** Why one record was refused or not stored. */
interface Refusal {
  readonly index: number;
  readonly code: RejectCode | ErrorCode;
  readonly reason: string;
}

const PARAMETERS = ['partitionKey', 'partitionKeyField'];
const OPEN_BRACKET = 0x5b;
const NDJSON_TYPES = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl']);

/** Throws LakewardError for what concerns the whole request. */
export async function postRecords(name: string, exchange: Exchange, options: PostRecordsOptions): Promise<Answer> {
  const { bounds, clock } = options;
  const { request, reservation } = exchange;
  const asked = options.streams.get(name);
  const parameters = new URLSearchParams(exchange.query);
  checkNames(parameters.keys(), PARAMETERS);
  const rule = keyRule({
    header: headerText(headerOf(request, 'x-partition-key')),
    query: parameters.get('partitionKey') ?? undefined,
    field: parameters.get('partitionKeyField') ?? undefined,
    seed: exchange.requestId.slice(-12),
  });
  const contentType = headerOf(request, 'content-type');
  const isAvro = isAvroType(contentType);
  const isLines = !isAvro && isNdjson(contentType);
  const sent = await readBody(exchange, { bytesMax: bounds.bodyBytesMax, timeoutMs: bounds.requestTimeoutMs, clock });
  const encoding = headerOf(request, 'content-encoding');
  const body = await inflate(sent, encoding, { bytesMax: bounds.inflatedBytesMax, reservation });
  const how = { rule, memory: reservation.memory };
  const { writer, refusals, total } = isAvro
    ? gatherAvro(await avroRecords(body, avroOptions(name, exchange, options)), how)
    : gather(body, spansOf(body, isLines), how);
  const { stream, batch, result } = await options.streams.append(asked, writer, exchange.signal);

  const { metrics } = options;
  countAppend(metrics, batch, result, { protocol: 'http', stream: name });
  for (const { code } of refusals) metrics.failedRecords.add(1, { protocol: 'http', code });
  metrics.acknowledgeSeconds.observe((clock.monotonicMs() - exchange.startedMs) / 1000, { protocol: 'http' });
  const isMinimal = /(^|[,;\s])return=minimal($|[,;\s])/.test(headerOf(request, 'prefer') ?? '');
  return answer(exchange.requestId, { total, shards: batch.shards, refusals, result, stream, isMinimal });
}

function isNdjson(contentType: string | undefined): boolean {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (NDJSON_TYPES.has(type)) return true;
  if (type === 'application/json') return false;
  const accepted = 'application/json (an object or an array), application/x-ndjson or application/avro';
  throw new LakewardError('body-invalid', `content-type must be ${accepted}, not '${type.slice(0, 80)}'`);
}

/** Header values come as Latin-1; keys are UTF-8. */
function headerText(value: string | undefined): string | undefined {
  if (value === undefined || !/[\u0080-\u00ff]/.test(value)) return value;
  const bytes = Uint8Array.from(value, (c) => c.charCodeAt(0));
  return isUtf8(bytes) ? new TextDecoder().decode(bytes) : value;
}

function spansOf(body: Buffer, isLines: boolean): RecordSpans {
  if (isLines) return lineSpans(body, LIMITS.httpRecordsMax);
  if (firstByte(body) === OPEN_BRACKET) return arraySpans(body, LIMITS.httpRecordsMax);
  const spans = wholeSpan(body);
  if (spans.count === 0) throw new LakewardError('body-invalid', 'the body is empty');
  return spans;
}

interface Gathered {
  readonly writer: BatchWriter;
  readonly refusals: Refusal[];
  /** Records of the body. */
  readonly total: number;
}

/** Checks every record and gathers the good ones. */
function gather(body: Buffer, spans: RecordSpans, { rule, memory }: { rule: KeyRule; memory: Memory }): Gathered {
  const { count } = spans;
  const writer = batchWriter({ records: count, keyBytes: rule.bytesMax * count, dataBytes: body.length }, memory);
  const refusals: Refusal[] = [];
  const textOf = textReader(body);
  for (let index = 0; index < count; index++) {
    const start = spans.starts[index] as number;
    const end = spans.ends[index] as number;
    const problem = examine(index);
    if (problem !== undefined) refusals.push({ index, ...problem });

    function examine(i: number): Omit<Refusal, 'index'> | undefined {
      if (end - start > LIMITS.recordBytesMax) return TOO_LARGE;
      if ((spans.depths[i] as number) > LIMITS.jsonDepthMax) return TOO_DEEP;
      const text = textOf(start, end);
      if (text === undefined) return { code: 'not-utf8', reason: 'the record is not UTF-8' };
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return { code: 'not-json', reason: 'the record is not JSON' };
      }
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return { code: 'not-an-object', reason: 'the record is not a JSON object' };
      }
      const key = rule.keyOf(value, i);
      if (key === undefined) return { code: 'argument-invalid', reason: rule.lack };
      if (end - start + key.length > LIMITS.recordBytesMax) return TOO_LARGE;
      writer.addBytes(body.subarray(start, end), key);
      return undefined;
    }
  }
  return { writer, refusals, total: count };
}

function avroOptions(stream: string, { request, reservation }: Exchange, options: PostRecordsOptions): AvroBodyOptions {
  const { inflatedBytesMax } = options.bounds;
  const schemaId = headerOf(request, SCHEMA_ID_HEADER);
  return { schemas: options.schemas, stream, schemaId, inflatedBytesMax, reservation };
}

/** Decoded records, each as it is stored. */
function gatherAvro(records: readonly AvroRecord[], { rule, memory }: { rule: KeyRule; memory: Memory }): Gathered {
  const count = records.length;
  const dataBytes = records.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const writer = batchWriter({ records: count, keyBytes: rule.bytesMax * count, dataBytes }, memory);
  const refusals: Refusal[] = [];
  for (const [index, { bytes, value }] of records.entries()) {
    const key = rule.keyOf(rule.readsRecord ? value() : undefined, index);
    if (key === undefined) refusals.push({ index, code: 'argument-invalid', reason: rule.lack });
    else if (bytes.length + key.length > LIMITS.recordBytesMax) refusals.push({ index, ...TOO_LARGE });
    else writer.addBytes(bytes, key);
  }
  return { writer, refusals, total: count };
}

const TOO_LARGE = {
  code: 'record-too-large',
  reason: `a record with its key has at most ${LIMITS.recordBytesMax} bytes`,
} as const;
const TOO_DEEP = { code: 'too-deep', reason: `JSON is nested at most ${LIMITS.jsonDepthMax} deep` } as const;

/** Text of a part of the body, undefined when that is not UTF-8; checked once for all when all of it is good. */
function textReader(body: Buffer): (start: number, end: number) => string | undefined {
  if (isAscii(body)) return (start, end) => body.toString('latin1', start, end);
  if (isUtf8(body)) return (start, end) => body.toString('utf8', start, end);
  return (start, end) => (isUtf8(body.subarray(start, end)) ? body.toString('utf8', start, end) : undefined);
}

interface Outcome {
  readonly total: number;
  /** Shards of the records handed to the broker. */
  readonly shards: Uint16Array;
  /** By index, ascending. */
  readonly refusals: readonly Refusal[];
  readonly result: AppendResult;
  readonly stream: LiveStream;
  readonly isMinimal: boolean;
}

function answer(requestId: string, { total, shards, refusals, result, stream, isMinimal }: Outcome): Answer {
  const failed = refusals.length + result.failures.length;
  const codes = new Map(result.failures.map(({ index, code }) => [index, code]));
  let text = `{"accepted":${total - failed},"failed":${failed},"records":[`;
  let comma = '';
  // Refused records never reached the broker, so its numbering runs behind ours.
  let stored = 0;
  let refused = 0;
  for (let index = 0; index < total; index++) {
    let item: string;
    if (refusals[refused]?.index === index) {
      item = JSON.stringify(refusals[refused++]);
    } else {
      const at = stored++;
      const code = codes.size === 0 ? undefined : codes.get(at);
      const shard = shards[at] as number;
      if (code !== undefined)
        item = JSON.stringify({ index, code, reason: `${stream.shardIds[shard]} could not store it` });
      else if (isMinimal) continue;
      else {
        const sequenceNumber = (stream.sequenceNumber[shard] as (offset: number) => string)(
          result.offsets[at] as number,
        );
        item = `{"index":${index},"shard":"${stream.shardIds[shard]}","sequenceNumber":"${sequenceNumber}"}`;
      }
    }
    text += comma + item;
    comma = ',';
  }
  const headers = { 'content-type': 'application/json', 'x-request-id': requestId };
  return { status: failed === 0 ? 200 : 207, headers, body: `${text}]}` };
}
