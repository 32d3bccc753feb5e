/**
 * `npm run bench:kafka [events]`: clickstream events of 500 B through a server's PutRecords into Kafka and from Kafka into hourly Parquet,
 * beside the bare Kafka client and beside Spark, all on one Kafka in one run. CPU of the processes is told apart. Then the same events
 * through our Kafka broker without a server, in this process, as the bare client has them.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka } from '../../infra/dev/kafka-server.ts';
import { kafkaBroker } from '../../src/broker/kafka/kafka-broker.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { AppendBatch } from '../../src/model/record-batch.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { type BareClient, bareClient } from './kafka-bare.ts';
import { eventBatches } from './kafka-events.ts';
import { HOURLY, type Landed, land, landedRow, post } from './landing.ts';
import { runLoad } from './load.ts';
import { cpuOf, treeCpu } from './process-tree.ts';
import { atLeast, atMost, type Bar, report, round, unmeasured } from './report.ts';
import { type ServerProcess, freePort, startServerProcess } from './server-process.ts';
import { landBySpark } from './spark-kafka.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 500;
const SHARDS = 4;
/**
 * Bento 1.20 was measured apart, on the same kind of machine and with events of the same fields: 88 to 93 CPU seconds a GB from files of lines
 * of 505 bytes, which asks less of it than Kafka would.
 */
const BENTO_ROWS_PER_CPU_SECOND = 21_900;
/** Requests under way at any time. */
const CONNECTIONS = 4;
/** Made ahead of a turn of each way to append, so that both see the machine in the same state. */
const TURN_BATCHES = 64;
const READ_BYTES = 8 * 1024 * 1024;

/** Seconds of wall clock and of CPU, summed over turns. */
interface Cost {
  wall: number;
  client: number;
  server: number;
  kafka: number;
}

const none = (): Cost => ({ wall: 0, client: 0, server: 0, kafka: 0 });
const folder = mkdtempSync(join(tmpdir(), 'lakeward-bench-kafka-'));
const kafka = await startKafka({ folder: join(folder, 'kafka') });
const broker = kafkaBroker({
  clock: systemClock(),
  telemetry: silentTelemetry(),
  bootstrap: [kafka.bootstrap],
});

async function metered(cost: Cost, work: () => Promise<unknown>, server?: ServerProcess): Promise<void> {
  const serverCpu = (): number => (server === undefined ? 0 : treeCpu(server.pid));
  const before = { cpu: process.cpuUsage(), server: serverCpu(), kafka: cpuOf(kafka.pid), at: performance.now() };
  await work();
  const { user, system } = process.cpuUsage(before.cpu);
  cost.wall += (performance.now() - before.at) / 1000;
  cost.client += (user + system) / 1e6;
  cost.server += serverCpu() - before.server;
  cost.kafka += cpuOf(kafka.pid) - before.kafka;
}

function costRow({ wall, client, server, kafka: ofKafka }: Cost): Record<string, number> {
  const perMillion = (seconds: number): number => round((seconds / EVENTS) * 1e6);
  return {
    'records/s': Math.round(EVENTS / wall),
    'client CPU s/M': perMillion(client),
    'server CPU s/M': perMillion(server),
    'Kafka CPU s/M': perMillion(ofKafka),
  };
}

/** As many appends at a time as the server has connections. */
async function appendAll(batches: readonly AppendBatch[], append: (batch: AppendBatch) => Promise<unknown>) {
  let next = 0;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (next < batches.length) await append(batches[next++] as AppendBatch);
    }),
  );
}

/** The same events to each of three topics, turn by turn. */
async function appendEvents(server: ServerProcess, port: number, bare: BareClient) {
  const costs = { put: none(), bare: none(), ours: none() };
  const ours = asStreamId('ours');
  const more = eventBatches('clicks', SHARDS);
  for (let left = EVENTS / BATCH; left > 0; left -= TURN_BATCHES) {
    const made = more(Math.min(left, TURN_BATCHES));
    const batches = made.map(({ batch }) => batch);
    const load = {
      port,
      requests: made.map(({ request }) => request),
      requestsMax: made.length,
      recordsPerRequest: BATCH,
      connections: Math.min(made.length, CONNECTIONS),
      seconds: Number.POSITIVE_INFINITY,
      expect: '"FailedRecordCount":0',
    };
    await metered(costs.put, () => runLoad(load), server);
    await metered(costs.bare, () => appendAll(batches, (batch) => bare.append(batch)));
    await metered(costs.ours, () => appendAll(batches, (batch) => broker.append(ours, batch)));
  }
  return costs;
}

async function readOurs(): Promise<void> {
  let positions: ReadonlyMap<ReturnType<typeof asShard>, ReturnType<typeof asOffset>> = new Map(
    Array.from({ length: SHARDS }, (_, shard) => [asShard(shard), asOffset(0)]),
  );
  for (let read = 0; read < EVENTS; ) {
    const { batches, next } = await broker.read(asStreamId('ours'), positions, { maxBytes: READ_BYTES, waitMs: 0 });
    for (const { count } of batches) read += count;
    positions = next;
  }
}

/** Spark on the topic that the server landed. What it lacks is told with the bar. */
async function besideSpark(topic: string, ours: Landed) {
  const name = "times Spark's rows per CPU second from Kafka to hourly Parquet";
  try {
    const at = join(folder, 'spark');
    mkdirSync(at);
    const spark = await landBySpark({ bootstrap: kafka.bootstrap, topic, folder: at, events: EVENTS });
    const rows: Record<string, Record<string, number>> = {
      [`land, Spark ${spark.version}`]: landedRow(spark, EVENTS),
      'its session, before': { 'CPU s': round(spark.startCpu) },
    };
    return { rows, bar: atLeast(name, 4, spark.cpu / ours.cpu) };
  } catch (error) {
    return { rows: {}, bar: unmeasured(name, '>= 4', error instanceof Error ? error.message : String(error)) };
  }
}

function tell(what: string): void {
  process.stderr.write(`${new Date().toISOString()} ${what}\n`);
}

async function topicOf(server: ServerProcess): Promise<string> {
  const answer = await fetch(`${server.url}/v1/streams/clicks`);
  return `lakeward-${((await answer.json()) as { id: string }).id}`;
}

async function measured(server: ServerProcess, port: number): Promise<void> {
  await post(server, '/v1/streams', { name: 'clicks', shards: SHARDS });
  for (const id of ['ours', 'bare']) {
    await broker.open({ id: asStreamId(id), shardCount: SHARDS, retentionMs: 3_600_000 });
  }
  const bare = bareClient(kafka.bootstrap, 'bare', SHARDS);
  try {
    tell('appends');
    const { put, bare: bareAppend, ours } = await appendEvents(server, port, bare);
    const [bareRead, ourRead] = [none(), none()];
    tell('reads');
    await metered(bareRead, () => bare.readAll(EVENTS));
    await metered(ourRead, readOurs);
    tell('lands');
    const fromKafka = cpuOf(kafka.pid);
    const landed = await land(server, HOURLY, EVENTS);
    const kafkaOfLanding = cpuOf(kafka.pid) - fromKafka;
    tell('Spark lands');
    const spark = await besideSpark(await topicOf(server), landed);
    const bars: Bar[] = [
      atMost('CPU of an append in the process, in those of the bare client', 1, ours.client / bareAppend.client),
      // The bare client leaves records where they came; ours are copied together.
      atMost('CPU of a read in the process, in those of the bare client', 1.25, ourRead.client / bareRead.client),
      atMost("Kafka's CPU of PutRecords, in that of the bare client", 1.25, put.kafka / bareAppend.kafka),
      atMost('memory of all processes while landing, MiB', 1024, landed.memory),
      spark.bar,
    ];
    report(
      'kafka',
      {
        'append, PutRecords': costRow(put),
        'append, bare client': costRow(bareAppend),
        'append, our broker in the process': costRow(ours),
        'read, bare client': costRow(bareRead),
        'read, our broker in the process': costRow(ourRead),
        'land, lakeward': { ...landedRow(landed, EVENTS), 'Kafka CPU s/M': round((kafkaOfLanding / EVENTS) * 1e6) },
        ...spark.rows,
        'land, Bento 1.20, from files': { 'rows/CPU s': BENTO_ROWS_PER_CPU_SECOND },
      },
      bars,
    );
  } finally {
    await bare.close();
  }
}

try {
  const port = await freePort();
  const config = join(folder, 'lakeward.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      server: { port },
      data: { folder: join(folder, 'data') },
      lake: { folder: join(folder, 'lake') },
      broker: { kafka: { bootstrap: [kafka.bootstrap] } },
    }),
  );
  const server = await startServerProcess({ config, port });
  try {
    await measured(server, port);
  } finally {
    await server.stop();
  }
} finally {
  await broker.close();
  await kafka.end('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
