/**
 * A Redis for tests: one a test file. It can be killed and started again at the same address, with what it had or empty. Where it is not
 * installed its tests are skipped and say how it comes; under CI they fail.
 */
import { Redis } from 'ioredis';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { missingRedis, type RedisProcess, startRedis } from '../../infra/dev/redis-server.ts';

export interface TestRedis {
  readonly url: string;
  /** A connection of the test's own. */
  readonly client: Redis;
  pid(): number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address, with what it had unless `empty`. */
  restart(how?: { readonly empty: boolean }): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one on a folder of its own, which is gone after `stop`. */
export async function startTestRedis(settings: readonly string[] = []): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-redis-'));
  let running: RedisProcess = await startRedis({ folder, settings });
  const { url } = running;
  const client = new Redis(url, { maxRetriesPerRequest: null });
  // It connects again by itself.
  client.on('error', () => {});
  return {
    url,
    client,
    pid: () => running.pid,
    kill: () => running.end('SIGKILL'),
    async restart(how) {
      await running.end('SIGKILL');
      if (how?.empty === true) await rm(join(folder, 'appendonlydir'), { recursive: true, force: true });
      running = await startRedis({ folder, settings, port: Number(new URL(url).port) });
    },
    async stop() {
      client.disconnect();
      await running.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A `describe` with a Redis that runs from before its first test to after its last. */
export async function describeOnRedis(name: string, tests: (redis: () => TestRedis) => void): Promise<void> {
  const lack = await missingRedis();
  const isSkipped = lack !== undefined && process.env['CI'] !== 'true';
  describe.skipIf(isSkipped)(isSkipped ? `${name} (skipped: ${lack})` : name, () => {
    let redis: TestRedis | undefined;
    beforeAll(async () => {
      redis = await startTestRedis();
    }, 60_000);
    afterAll(() => redis?.stop());
    tests(() => {
      if (redis === undefined) throw new Error('Redis starts before the tests');
      return redis;
    });
  });
}
