/**
 * What the processes of a cluster run stand on: a Kafka of one node, a Redis, and a bucket on an S3 server behind a faulty network. Each
 * can be taken away without warning and comes back at its address: Kafka and S3 with what they had, Redis empty.
 */
import { Redis } from 'ioredis';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaProcess, startKafka } from '../../infra/dev/kafka-server.ts';
import { type RedisProcess, startRedis } from '../../infra/dev/redis-server.ts';
import { seededFaults, startS3Proxy } from '../faults/s3-proxy.ts';
import { startTestS3, type TestS3 } from '../s3/servers.ts';
import type { BucketView } from './cluster-checker.ts';

/** One of the three. */
export interface Service {
  /** SIGKILL, and again after a while. */
  bounce(awayMs: number): Promise<void>;
}

export interface ClusterServices {
  readonly bootstrap: string;
  readonly redisUrl: string;
  /** The `lake` section of the configuration. */
  readonly lake: object;
  readonly env: Readonly<Record<string, string>>;
  readonly kafka: Service;
  readonly s3: Service;
  readonly redis: Service;
  /** Redis forgets everything while it runs. */
  flushRedis(): Promise<void>;
  /** No faults in the network from now on; what was late has arrived. */
  calm(): Promise<void>;
  /** For readers, past the faulty network. */
  readonly view: BucketView;
  readonly s3Server: TestS3;
  close(): Promise<void>;
}

/** Of so many requests to S3 one meets a fault in the network. */
const FAULT_SHARE = 0.01;

export async function startServices(folder: string, seed: number): Promise<ClusterServices> {
  const stops: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const stop of stops.toReversed()) await stop();
  };
  try {
    return { ...(await startAll(folder, { seed, stops })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAll(
  folder: string,
  { seed, stops }: { readonly seed: number; readonly stops: (() => Promise<unknown>)[] },
): Promise<Omit<ClusterServices, 'close'>> {
  const kafkaOptions = {
    folder: join(folder, 'kafka'),
    // Members of a group are dealt with as fast as a run is short.
    properties: { 'group.initial.rebalance.delay.ms': '0' },
  };
  let kafka: KafkaProcess = await startKafka(kafkaOptions);
  stops.push(() => kafka.end('SIGKILL'));
  const redisFolder = join(folder, 'redis');
  let redis: RedisProcess = await startRedis({ folder: redisFolder });
  stops.push(() => redis.end('SIGKILL'));
  const redisUrl = redis.url;
  const s3 = await startTestS3('versitygw');
  stops.push(() => s3.stop());
  const bucket = await s3.bucket();
  const proxy = await startS3Proxy({
    target: s3.endpoint,
    choose: seededFaults(seed, FAULT_SHARE),
    silenceMs: 1500,
    lateMs: 1000,
  });
  stops.push(() => proxy.close());
  const { accessKeyId, secretAccessKey } = s3.credentials;
  return {
    bootstrap: kafka.bootstrap,
    redisUrl,
    lake: { s3: { bucket, endpoint: proxy.endpoint, pathStyle: true } },
    env: s3.env,
    view: { endpoint: s3.endpoint, key: accessKeyId, secret: secretAccessKey, bucket },
    s3Server: s3,
    calm: () => proxy.calm(),
    kafka: {
      async bounce(awayMs) {
        await kafka.end('SIGKILL');
        await sleep(awayMs);
        kafka = await startKafka(kafkaOptions);
      },
    },
    s3: {
      async bounce(awayMs) {
        await s3.kill();
        await sleep(awayMs);
        await s3.restart();
      },
    },
    redis: {
      async bounce(awayMs) {
        await redis.end('SIGKILL');
        await rm(join(redisFolder, 'appendonlydir'), { recursive: true, force: true });
        await sleep(awayMs);
        redis = await startRedis({ folder: redisFolder, port: Number(new URL(redisUrl).port) });
      },
    },
    async flushRedis() {
      const client = new Redis(redisUrl, { maxRetriesPerRequest: 0, retryStrategy: () => null });
      client.on('error', () => {});
      await client.flushall().catch(() => undefined);
      client.disconnect();
    },
  };
}
