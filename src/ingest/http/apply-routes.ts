/**
 * `POST /v1/apply`: streams and deliveries as a file wants them. Everything is judged before anything is done; then streams are made, all
 * deliveries change in one version of the catalog, and what is grown, kept longer or given up follows. One cut short is finished by asking again.
 */
import Type from 'typebox';
import type { AppliedChange, ApplyAnswer } from '../../model/applied-change.ts';
import type { DeliverySpec } from '../../model/delivery.ts';
import { LakewardError } from '../../model/errors.ts';
import { MIB } from '../../model/limits.ts';
import type { DeliveryChange } from '../../ports/deliveries.ts';
import type { StreamDocument } from '../../model/stream.ts';
import { scaleTarget } from '../shard-targets.ts';
import { fieldChanges } from './field-changes.ts';
import type { ControlApiOptions, Route } from './route.ts';
import { DRAFT, draftOf, type StreamRequest } from './stream-routes.ts';

const HOUR_MS = 3_600_000;
const BODY_BYTES_MAX = 8 * MIB;
/** Streams, and deliveries, of one request. */
const ITEMS_MAX = 1000;

const REQUEST = Type.Object(
  {
    streams: Type.Optional(Type.Array(DRAFT, { maxItems: ITEMS_MAX })),
    deliveries: Type.Optional(Type.Array(Type.Unknown(), { maxItems: ITEMS_MAX })),
    dryRun: Type.Optional(Type.Boolean()),
    prune: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

export function applyRoutes(options: ControlApiOptions): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/apply',
      bodySchema: REQUEST,
      bodyBytesMax: BODY_BYTES_MAX,
      handle: async ({ body, signal }) => {
        const { streams = [], deliveries = [], dryRun = false, prune = false } = body as Type.Static<typeof REQUEST>;
        const wanted = { streams, deliveries, prune };
        const answer: ApplyAnswer = { dryRun, changes: await apply(options, wanted, { dryRun: true, signal }) };
        if (!dryRun) await apply(options, wanted, { dryRun: false, signal });
        return { body: answer };
      },
    },
  ];
}

interface Wanted {
  readonly streams: readonly StreamRequest[];
  readonly deliveries: readonly unknown[];
  readonly prune: boolean;
}

async function apply(
  { streams, deliveries, closing }: ControlApiOptions,
  wanted: Wanted,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<readonly AppliedChange[]> {
  const { prune } = wanted;
  refuseRepeated(wanted.streams);
  const toMake = wanted.streams.filter(({ name }) => streams.find(name) === undefined);
  if (!dryRun) for (const request of toMake) await streams.ensure(draftOf(request));
  const streamsToMake = toMake.map(({ name }) => name);
  const made = await deliveries.apply(wanted.deliveries, { dryRun, prune, streamsToMake, signal });

  const known = wanted.streams.flatMap((request) => {
    const document = streams.find(request.name)?.document;
    return document === undefined || toMake.includes(request) ? [] : [{ request, document }];
  });
  const spare = prune ? await spareStreams({ streams, deliveries }, wanted, made) : [];
  if (!dryRun) {
    for (const { request, document } of known) {
      const { name, retentionHours, shards } = request;
      if (retentionHours !== undefined) await streams.retain(name, Math.round(retentionHours * HOUR_MS));
      if (shards === undefined || shards === openShards(document)) continue;
      await streams.shards.begin(name, scaleTarget(shards));
      await streams.shards.done(name, AbortSignal.any([signal, closing]));
    }
    for (const name of spare) await streams.remove(name, { force: false });
  }
  return [
    ...toMake.map((request) => {
      const { name, topic, ...made } = draftOf(request);
      // Of a topic the shards and the retention are its own.
      return asChange('stream', name, { after: topic === undefined ? made : { topic } });
    }),
    ...known
      .map(({ request, document }) => asChange('stream', request.name, streamSides(request, document)))
      .filter(({ fields }) => fields.length > 0),
    ...made.map(({ name, before, after }) => asChange('delivery', name, { before, after })),
    ...spare.map((name): AppliedChange => ({ kind: 'stream', name, change: 'remove', fields: [] })),
  ];
}

/** Streams that the file leaves out and no delivery reads that stays. */
async function spareStreams(
  { streams, deliveries }: Pick<ControlApiOptions, 'streams' | 'deliveries'>,
  wanted: Wanted,
  made: readonly DeliveryChange[],
): Promise<readonly string[]> {
  const kept = new Set(wanted.streams.map(({ name }) => name));
  const gone = new Set(made.filter(({ after }) => after === undefined).map(({ name }) => name));
  for (const { spec } of await deliveries.status()) if (!gone.has(spec.name)) kept.add(spec.stream);
  for (const { after } of made) if (after !== undefined) kept.add(after.stream);
  return streams.list().flatMap(({ name }) => (kept.has(name) ? [] : [name]));
}

/** Only what was written is compared: a file need not say how many shards a stream has by now. */
function streamSides({ shards, retentionHours }: StreamRequest, document: StreamDocument): Sides {
  const now = { shards: openShards(document), retentionMs: document.retentionMs };
  const retentionMs = retentionHours === undefined ? now.retentionMs : Math.round(retentionHours * HOUR_MS);
  return { before: now, after: { shards: shards ?? now.shards, retentionMs } };
}

interface Sides {
  readonly before?: object | undefined;
  readonly after?: object | DeliverySpec | undefined;
}

function asChange(kind: AppliedChange['kind'], name: string, { before, after }: Sides): AppliedChange {
  const change = before === undefined ? 'add' : after === undefined ? 'remove' : 'change';
  return { kind, name, change, fields: after === undefined ? [] : fieldChanges(before, after) };
}

function openShards({ shards }: StreamDocument): number {
  return shards.filter(({ closedMs }) => closedMs === undefined).length;
}

function refuseRepeated(requests: readonly StreamRequest[]): void {
  const names = requests.map(({ name }) => name);
  const repeated = names.find((name, i) => names.indexOf(name) < i);
  if (repeated === undefined) return;
  throw new LakewardError('argument-invalid', `stream '${repeated}' is there twice; give each another name`);
}
