/**
 * A Kafka for tests: one a test file, topics of their own a test. It can be killed and started again with what it had, at the same address.
 * Where it is not installed its tests are skipped and say how it comes; under CI they fail.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { missingKafka } from '../../infra/dev/kafka-install.ts';
import { type KafkaProcess, type KafkaStartOptions, startKafka } from '../../infra/dev/kafka-server.ts';

export interface TestKafka {
  readonly bootstrap: string;
  pid(): number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address. */
  restart(): Promise<void>;
}

/** A Java program starts in seconds on an idle machine. */
const START_MS_MAX = 150_000;

/** A `describe` with a Kafka that runs from before its first test to after its last. */
export async function describeOnKafka(
  name: string,
  tests: (kafka: () => TestKafka) => void,
  options: Pick<KafkaStartOptions, 'properties' | 'users' | 'node'> = {},
): Promise<void> {
  const lack = await missingKafka();
  const isSkipped = lack !== undefined && process.env['CI'] !== 'true';
  describe.skipIf(isSkipped)(isSkipped ? `${name} (skipped: ${lack})` : name, () => {
    let folder: string | undefined;
    let running: KafkaProcess | undefined;
    let kafka: TestKafka | undefined;
    beforeAll(async () => {
      const at = (folder = await mkdtemp(join(tmpdir(), 'lakeward-kafka-')));
      running = await startKafka({ ...options, folder: at });
      kafka = {
        bootstrap: running.bootstrap,
        pid: () => running?.pid ?? 0,
        kill: async () => running?.end('SIGKILL'),
        async restart() {
          running = await startKafka({ ...options, folder: at });
        },
      };
    }, START_MS_MAX);
    afterAll(async () => {
      await running?.end('SIGKILL');
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });
    tests(() => {
      if (kafka === undefined) throw new Error('Kafka starts before the tests');
      return kafka;
    });
  });
}
