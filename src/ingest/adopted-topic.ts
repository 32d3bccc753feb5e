/**
 * Streams that were Kafka topics before: what the topic says of shards and retention the stream takes over, at first and whenever others
 * change it. Hash ranges, by which records put here find their shard, are then split anew among all shards, as Kafka's own clients do it:
 * which shard a key goes to is not kept.
 */
import { LakewardError } from '../model/errors.ts';
import { splitEvenly } from '../model/hash-range.ts';
import { LIMITS } from '../model/limits.ts';
import type { ShardDocument, StreamDocument } from '../model/stream.ts';
import type { Broker, OpenedTopic, OpenReport } from '../ports/broker.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import { storageOf } from './live-stream.ts';
import { changeStream } from './stream-change.ts';

interface TopicRoom {
  readonly broker: Broker;
  readonly catalog: Catalog;
  readonly clock: Clock;
}

/** The stream that a topic becomes, open, not yet in the catalog. */
export async function adopted(
  { broker, clock }: TopicRoom,
  made: StreamDocument,
  topic: OpenedTopic | undefined,
): Promise<StreamDocument> {
  if (topic === undefined) {
    throw new LakewardError('argument-invalid', 'a topic becomes a stream where broker.kafka says of which cluster');
  }
  const document = asTopic({ ...made, topic: topic.identity }, topic, clock.nowMs());
  await broker.open(storageOf(document));
  return document;
}

/** Opens a stream of the catalog and brings it up to its topic; undefined for one that was no topic before. */
export async function openAdopted(room: TopicRoom, name: string): Promise<OpenReport | undefined> {
  const { broker, catalog, clock } = room;
  for (;;) {
    const known = catalog.read().stream.get(name);
    if (known?.topic?.adopted !== true) return undefined;
    const report = await broker.open(storageOf(known));
    const { topic } = report;
    if (topic === undefined || asTopic(known, topic, 0) === known) return report;
    const nowMs = clock.nowMs();
    await changeStream(catalog, name, (now) => (now.id === known.id ? asTopic(now, topic, nowMs) : now));
  }
}

/** Its shards and its retention are changed with the topic, by whom that belongs to. */
export function refuseAdopted({ name, topic }: StreamDocument): void {
  if (topic?.adopted !== true) return;
  const whose = `stream '${name}' has the shards and the retention of topic '${topic.name}'`;
  throw new LakewardError('argument-invalid', `${whose}; change the topic, the stream follows within two minutes`);
}

/** The stream as its topic wants it; the same document when nothing differs. */
function asTopic(document: StreamDocument, topic: OpenedTopic, nowMs: number): StreamDocument {
  const { identity, partitions } = topic;
  if (partitions > LIMITS.shardsMax) {
    const rule = `a stream has 1 to ${LIMITS.shardsMax} shards`;
    throw new LakewardError('argument-invalid', `topic '${identity.name}' has ${partitions} partitions, ${rule}`);
  }
  const retentionMs = retentionOf(topic);
  if (partitions === document.shards.length && retentionMs === document.retentionMs) return document;
  return { ...document, retentionMs, shards: shardsFor(partitions, document.shards, nowMs) };
}

/** Kafka's -1 is for ever. */
function retentionOf({ retentionMs }: OpenedTopic): number {
  const { retentionMsMin, retentionMsMax } = LIMITS;
  return retentionMs < 0 ? retentionMsMax : Math.min(Math.max(retentionMs, retentionMsMin), retentionMsMax);
}

function shardsFor(partitions: number, known: readonly ShardDocument[], nowMs: number): ShardDocument[] {
  return splitEvenly(partitions).map(({ start, end }, index) => ({
    index,
    startingHashKey: String(start),
    endingHashKey: String(end),
    createdMs: known[index]?.createdMs ?? nowMs,
    parents: [],
  }));
}
