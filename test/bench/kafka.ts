/**
 * `npm run bench:kafka`: what appending to Kafka and reading from it costs in CPU here, beside the client library by itself doing the
 * same: batches of 500 × 500 B to 4 partitions, all replicas, idempotent, and everything read back in answers of 8 MiB.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Consumer, Producer } from '@platformatic/kafka';
import { startKafka } from '../../infra/dev/kafka-server.ts';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { AppendBatch } from '../../src/model/record-batch.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { seeded } from './clickstream.ts';
import { atMost, report, round } from './report.ts';

const RECORDS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 500;
const RECORD_BYTES = 500;
const SHARDS = 4;
/** Appends under way at any time. */
const WRITERS = 16;
const READ_BYTES = 8 * 1024 * 1024;

const random = seeded(7);
const batches = Array.from({ length: 16 }, aBatch);

function aBatch(): AppendBatch {
  const keys = Array.from({ length: BATCH }, () => Buffer.from(`device-${Math.floor(random() * 1_000_000)}`));
  let end = 0;
  return {
    count: BATCH,
    shards: Uint16Array.from({ length: BATCH }, () => Math.floor(random() * SHARDS)),
    keys: Buffer.concat(keys),
    keyEnds: Uint32Array.from(keys, ({ length }) => (end += length)),
    data: Uint8Array.from({ length: BATCH * RECORD_BYTES }, () => 97 + Math.floor(random() * 26)),
    dataEnds: Uint32Array.from({ length: BATCH }, (_, i) => (i + 1) * RECORD_BYTES),
    arrivalMs: Date.now(),
  };
}

type Cost = Readonly<Record<'cpuSecondsPerMillion' | 'recordsPerSecond', number>>;

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const from = process.cpuUsage();
  const fromMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(from);
  return {
    cpuSecondsPerMillion: round((user + system) / RECORDS),
    recordsPerSecond: Math.round((RECORDS / (performance.now() - fromMs)) * 1000),
  };
}

/** Hands out every batch once, to as many writers as there are. */
async function byWriters(write: (batch: AppendBatch) => Promise<unknown>): Promise<void> {
  let left = RECORDS / BATCH;
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (left-- > 0) await write(batches[left % batches.length] as AppendBatch);
    }),
  );
}

const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-kafka-'));
const kafka = await startKafka({ folder });
const bootstrap = [kafka.bootstrap];
const clock = systemClock();
const broker = kafkaBroker({ clock, telemetry: silentTelemetry(), bootstrap });
const producer = new Producer({ clientId: 'bare', bootstrapBrokers: bootstrap, idempotent: true });
const consumer = new Consumer({ clientId: 'bare', bootstrapBrokers: bootstrap, groupId: 'bare' });
const [ours, bare] = [asStreamId('ours'), asStreamId('bare')];

function bareWrite({ shards, keys, keyEnds, data, dataEnds }: AppendBatch): Promise<unknown> {
  const [allKeys, allData] = [Buffer.from(keys.buffer, keys.byteOffset, keys.length), Buffer.from(data.buffer)];
  const messages = Array.from({ length: BATCH }, (_, i) => ({
    topic: bare,
    partition: shards[i] ?? 0,
    key: allKeys.subarray(i === 0 ? 0 : keyEnds[i - 1], keyEnds[i]),
    value: allData.subarray(i === 0 ? 0 : dataEnds[i - 1], dataEnds[i]),
  }));
  return producer.send({ messages });
}

async function bareRead(): Promise<void> {
  const { topics } = await consumer.metadata({ topics: [bare] });
  const topic = topics.get(bare);
  const offsets = Array.from({ length: SHARDS }, () => 0n);
  for (let read = 0; read < RECORDS; ) {
    const { responses } = await consumer.fetch({
      node: topic?.partitions[0]?.leader ?? 1,
      maxBytes: READ_BYTES,
      minBytes: 0,
      maxWaitTime: 0,
      topics: [
        {
          topicId: topic?.id ?? '',
          partitions: offsets.map((fetchOffset, partition) => ({
            partition,
            fetchOffset,
            currentLeaderEpoch: -1,
            lastFetchedEpoch: -1,
            partitionMaxBytes: READ_BYTES / SHARDS,
          })),
        },
      ],
    });
    for (const { partitionIndex, records } of responses.flatMap(({ partitions }) => partitions)) {
      for (const batch of records ?? []) {
        read += batch.records.length;
        offsets[partitionIndex] = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      }
    }
  }
}

async function ourRead(): Promise<void> {
  let positions: ReadonlyMap<ReturnType<typeof asShard>, ReturnType<typeof asOffset>> = new Map(
    Array.from({ length: SHARDS }, (_, shard) => [asShard(shard), asOffset(0)]),
  );
  for (let read = 0; read < RECORDS; ) {
    const { batches: got, next } = await broker.read(ours, positions, { maxBytes: READ_BYTES, waitMs: 0 });
    for (const { count } of got) read += count;
    positions = next;
  }
}

try {
  for (const id of [ours, bare]) await broker.open({ id, shardCount: SHARDS, retentionMs: 3_600_000 });
  const results = {
    'append, bare client': await costOf(() => byWriters(bareWrite)),
    'append, lakeward': await costOf(() => byWriters((batch) => broker.append(ours, batch))),
    'read, bare client': await costOf(bareRead),
    'read, lakeward': await costOf(ourRead),
  };
  const ratio = (what: 'append' | 'read'): number =>
    round(results[`${what}, lakeward`].cpuSecondsPerMillion / results[`${what}, bare client`].cpuSecondsPerMillion);
  report('kafka', results, [
    atMost('CPU of an append, in those of the bare client', 1, ratio('append')),
    // The bare client leaves records where they came; ours are copied together.
    atMost('CPU of a read, in those of the bare client', 1.25, ratio('read')),
  ]);
} finally {
  await Promise.allSettled([broker.close(), producer.close(), consumer.close(true)]);
  await kafka.end('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
