/** Streams in the control API: list, create, describe, change, delete, and reading all shards of one (`stream tail`). */
import Type from 'typebox';
import { LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import type { StreamDocument } from '../../model/stream.ts';
import { asShard, formatShardId } from '../../model/stream.ts';
import type { Broker } from '../../ports/broker.ts';
import type { Target } from '../shard-targets.ts';
import { mergeTarget, scaleTarget, splitTarget } from '../shard-targets.ts';
import type { StreamDraft } from '../streams.ts';
import { shardsOf } from '../streams.ts';
import type { ControlApiOptions, Route } from './route.ts';
import { readRecords } from './read-records.ts';

const HOUR_MS = 3_600_000;

const RETENTION_HOURS = Type.Number({
  minimum: LIMITS.retentionMsMin / HOUR_MS,
  maximum: LIMITS.retentionMsMax / HOUR_MS,
});

export const DRAFT = Type.Object(
  {
    name: Type.String(),
    topic: Type.Optional(Type.String({ minLength: 1, maxLength: 249 })),
    shards: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.shardsMax })),
    retentionHours: Type.Optional(RETENTION_HOURS),
  },
  { additionalProperties: false },
);

const UPDATE = Type.Object({ retentionHours: RETENTION_HOURS }, { additionalProperties: false });

const SHARD = Type.String();
const SHARDS = Type.Union([
  Type.Object({ split: SHARD, at: Type.Optional(Type.String()) }, { additionalProperties: false }),
  Type.Object({ merge: Type.Array(SHARD, { minItems: 2, maxItems: 2 }) }, { additionalProperties: false }),
  Type.Object({ count: Type.Integer({ minimum: 1, maximum: LIMITS.shardsMax }) }, { additionalProperties: false }),
]);

/** A stream as a client asks for it. */
export type StreamRequest = Type.Static<typeof DRAFT>;

export interface StreamView {
  readonly name: string;
  readonly id: string;
  readonly createdMs: number;
  readonly retentionHours: number;
  /** Whether its shards are being changed. */
  readonly updating: boolean;
  /** The Kafka topic that keeps it. */
  readonly topic?: string;
  readonly shards: readonly object[];
  /** Kept now. */
  readonly records: number;
  readonly bytes: number;
}

export function streamRoutes(options: ControlApiOptions): Route[] {
  const { streams, broker } = options;
  return [
    {
      method: 'GET',
      path: '/v1/streams',
      handle: async () => ({ body: { streams: await streamViews(options) } }),
    },
    {
      method: 'POST',
      path: '/v1/streams',
      bodySchema: DRAFT,
      handle: async ({ body }) => {
        const document = await streams.create(draftOf(body as StreamRequest));
        return { status: 201, body: await streamView(document, broker) };
      },
    },
    {
      method: 'GET',
      path: '/v1/streams/:stream',
      handle: async ({ parameters }) => ({
        body: await streamView(streams.get(parameters['stream'] ?? '').document, broker),
      }),
    },
    {
      method: 'DELETE',
      path: '/v1/streams/:stream',
      handle: async ({ parameters, query }) => {
        await streams.remove(parameters['stream'] ?? '', { force: query['force'] === 'true' });
        return { body: {} };
      },
    },
    {
      method: 'PUT',
      path: '/v1/streams/:stream',
      bodySchema: UPDATE,
      handle: async ({ parameters, body }) => {
        const { retentionHours } = body as Type.Static<typeof UPDATE>;
        const retentionMs = Math.round(retentionHours * HOUR_MS);
        return { body: await streamView(await streams.retain(parameters['stream'] ?? '', retentionMs), broker) };
      },
    },
    {
      method: 'POST',
      path: '/v1/streams/:stream/shards',
      bodySchema: SHARDS,
      handle: async ({ parameters, body, signal }) => {
        const name = parameters['stream'] ?? '';
        await streams.shards.begin(name, targetIn(body as Type.Static<typeof SHARDS>));
        const ended = AbortSignal.any([signal, options.closing]);
        return { body: await streamView(await streams.shards.done(name, ended), broker) };
      },
    },
    {
      method: 'GET',
      path: '/v1/streams/:stream/records',
      handle: async (call) => ({ body: await readRecords(call, options) }),
    },
  ];
}

/** With every default in place. */
export function draftOf({ name, topic, shards, retentionHours }: StreamRequest): StreamDraft {
  if (topic !== undefined && (shards !== undefined || retentionHours !== undefined)) {
    throw new LakewardError('argument-invalid', 'a stream made of a topic has its shards and retention');
  }
  const retentionMs = retentionHours === undefined ? LIMITS.retentionMsDefault : retentionHours * HOUR_MS;
  return { name, shards: shards ?? 1, retentionMs: Math.round(retentionMs), ...(topic !== undefined && { topic }) };
}

function targetIn(order: Type.Static<typeof SHARDS>): Target {
  if ('split' in order) return splitTarget(order.split, order.at);
  if ('count' in order) return scaleTarget(order.count);
  const [one = '', other = ''] = order.merge;
  return mergeTarget(one, other);
}

/** All streams by name. */
export function streamViews({ streams, broker }: ControlApiOptions): Promise<StreamView[]> {
  return Promise.all(streams.list().map((document) => streamView(document, broker)));
}

async function streamView(document: StreamDocument, broker: Broker): Promise<StreamView> {
  const { name, id, createdMs, retentionMs } = document;
  const earliest = new Map(
    await Promise.all(
      shardsOf(document).map(async (shard) => [shard, await broker.locate(id, shard, 'earliest')] as const),
    ),
  );
  const { records, bytes } = await broker.pending(id, earliest, { minBytes: 0, minRecords: 0, waitMs: 0 });
  const shards = document.shards.map(({ index, startingHashKey, endingHashKey, parents, closedMs }) => ({
    id: formatShardId(asShard(index)),
    startingHashKey,
    endingHashKey,
    parents: parents.map(formatShardId),
    closed: closedMs !== undefined,
  }));
  const topic = document.topic && { topic: document.topic.name };
  const updating = document.reshard !== undefined;
  return { name, id, createdMs, retentionHours: retentionMs / HOUR_MS, updating, ...topic, shards, records, bytes };
}
