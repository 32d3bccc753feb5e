/**
 * `GET /v1/streams/{stream}/records`: the records of all shards in storage order, from a place or from where a cursor left off. A
 * reader may ask the server to wait for the first record, which the broker does without polling. The cursor holds all positions, so
 * the server remembers nothing.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { LakewardError } from '../../model/errors.ts';
import { LIMITS, MIB } from '../../model/limits.ts';
import type { RecordBatch } from '../../model/record-batch.ts';
import type { Offset, Positions, ShardIndex } from '../../model/stream.ts';
import { asOffset } from '../../model/stream.ts';
import type { LocateAt } from '../../ports/broker.ts';
import type { RecordDecoder } from '../../schema/record-frame.ts';
import { isFramed } from '../../schema/record-frame.ts';
import { decoderFor } from './avro-body.ts';
import type { LiveStream } from '../live-stream.ts';
import { shardsOf } from '../streams.ts';
import type { Call, ControlApiOptions } from './route.ts';
import { checkNames, namesOf, integerIn, textIn } from './query-value.ts';

const PARAMETERS = ['from', 'cursor', 'limit', 'waitMs'];
const READ_BYTES_MAX = 4 * MIB;
const WAIT_MS_MAX = 30_000;
const LIMIT_DEFAULT = 1000;

/** JSON text of the answer. Throws `stream-not-found`, `argument-invalid`. */
export async function readRecords(call: Call, options: ControlApiOptions): Promise<string> {
  const { broker, streams, metrics, closing } = options;
  const name = call.parameters['stream'] ?? '';
  const stream = streams.get(name);
  checkNames(namesOf(call.query), PARAMETERS);
  const limit = integerIn(call.query, { name: 'limit', fallback: LIMIT_DEFAULT, min: 1, max: LIMITS.getRecordsMax });
  const waitMs = integerIn(call.query, { name: 'waitMs', fallback: 0, min: 0, max: WAIT_MS_MAX });
  const positions = await startOf(call, stream, options);
  const page: Page = { items: [], next: new Map(positions) };
  const signal = AbortSignal.any([call.signal, closing]);
  try {
    const read = await broker.read(stream.document.id, positions, { maxBytes: READ_BYTES_MAX, waitMs, signal });
    const decoder = decoderFor(options.schemas);
    if (take(page, read.batches, { stream, limit, decoder })) page.next = new Map(read.next);
  } catch (error) {
    // A server that closes answers waiting readers with what there is: nothing, and where to go on.
    if (!closing.aborted) throw error;
  }
  metrics.readRecords.add(page.items.length, { protocol: 'http', stream: name });
  return `{"records":[${page.items.join(',')}],"cursor":"${formatCursor(stream, page.next)}"}`;
}

interface Page {
  readonly items: string[];
  next: Map<ShardIndex, Offset>;
}

/** Adds records up to the limit; true when all were taken. */
function take(
  page: Page,
  batches: readonly RecordBatch[],
  { stream, limit, decoder }: { stream: LiveStream; limit: number; decoder: RecordDecoder },
): boolean {
  for (const batch of batches) {
    const sequenceNumber = stream.sequenceNumber[batch.shard] as (offset: number) => string;
    const shard = stream.shardIds[batch.shard];
    let [keyStart, dataStart] = [0, 0];
    for (let i = 0; i < batch.count; i++) {
      if (page.items.length === limit) return false;
      const keyEnd = batch.keyEnds[i] as number;
      const dataEnd = batch.dataEnds[i] as number;
      const key = viewOf(batch.keys, keyStart, keyEnd).toString();
      const data = viewOf(batch.data, dataStart, dataEnd);
      page.items.push(
        JSON.stringify({
          shard,
          sequenceNumber: sequenceNumber(batch.firstOffset + i),
          partitionKey: key,
          arrival: new Date(batch.arrivals[i] as number).toISOString(),
          ...shown(data, decoder),
        }),
      );
      page.next.set(batch.shard, asOffset(batch.firstOffset + i + 1));
      [keyStart, dataStart] = [keyEnd, dataEnd];
    }
  }
  return true;
}

/** Bytes as text where they are text; what is Avro of a known schema also as JSON. */
function shown(data: Buffer, decoder: RecordDecoder): object {
  const read = isFramed(data, 0, data.length) ? decoder.decode(data, 0, data.length) : undefined;
  if (read?.code === undefined && read !== undefined) {
    const json = read.json.toString('utf8', 0, read.jsonEnd);
    return { dataBase64: data.toString('base64'), schemaId: read.schemaId, json };
  }
  return isUtf8(data) ? { data: data.toString() } : { dataBase64: data.toString('base64') };
}

function viewOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
}

async function startOf(call: Call, stream: LiveStream, { broker, clock }: ControlApiOptions): Promise<Positions> {
  const { id } = stream.document;
  const locate = async (at: LocateAt, known?: Positions): Promise<Positions> =>
    new Map(
      await Promise.all(
        shardsOf(stream.document).map(
          async (shard) => [shard, known?.get(shard) ?? (await broker.locate(id, shard, at))] as const,
        ),
      ),
    );
  const cursor = textIn(call.query, 'cursor');
  // A shard that the cursor does not know came into being after it: it is read from its beginning.
  if (cursor !== undefined) return locate('earliest', parseCursor(cursor, stream));
  const from = textIn(call.query, 'from') ?? 'latest';
  if (from === 'earliest' || from === 'latest') return locate(from);
  const atMs = /^\d{4}-\d\d-\d\d/.test(from) ? Date.parse(from) : Number.NaN;
  if (Number.isNaN(atMs)) {
    throw new LakewardError('argument-invalid', 'from must be earliest, latest or a time such as 2026-11-22T10:00:00Z');
  }
  if (atMs > clock.nowMs()) throw new LakewardError('argument-invalid', `from must not lie in the future (${from})`);
  return locate({ atMs });
}

function formatCursor({ document }: LiveStream, positions: Positions): string {
  return Buffer.from(JSON.stringify([document.id, ...[...positions].flat()])).toString('base64url');
}

function parseCursor(text: string, { document }: LiveStream): Positions {
  const refuse = (): never => {
    throw new LakewardError('argument-invalid', 'the cursor is not one of this stream; start with from=');
  };
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return refuse();
  }
  if (!Array.isArray(content) || content[0] !== document.id || content.length % 2 !== 1) return refuse();
  const numbers = content.slice(1) as unknown[];
  const shards = new Set<number>(shardsOf(document));
  const positions = new Map<ShardIndex, Offset>();
  for (let i = 0; i < numbers.length; i += 2) {
    const [shard, offset] = [numbers[i], numbers[i + 1]];
    if (!shards.has(shard as number) || !Number.isSafeInteger(offset) || (offset as number) < 0) return refuse();
    positions.set(shard as ShardIndex, asOffset(offset as number));
  }
  return positions;
}
