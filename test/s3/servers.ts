/**
 * S3 servers for tests: one server a test file, a fresh bucket a test. A server can be killed and started again with what it had, at
 * the same address. Where one is not installed its tests are skipped and say how it comes; under CI they fail.
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { missing, S3_KINDS, type S3Kind } from '../../infra/dev/s3-install.ts';
import { type S3Process, startS3Server } from '../../infra/dev/s3-server.ts';

export interface TestS3 {
  readonly kind: S3Kind;
  /** What it keeps, as it keeps it, and its log. */
  readonly folder: string;
  /** To be used path-style. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** What a process needs in its environment to be let in. */
  readonly env: Readonly<Record<string, string>>;
  /** An AWS client of the test's own, without retries. */
  readonly client: S3Client;
  /** Makes a bucket and gives its name. */
  bucket(): Promise<string>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address after `kill`. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server on a folder of its own, which is gone after `stop`. */
export async function startTestS3(kind: S3Kind): Promise<TestS3> {
  const folder = await mkdtemp(join(tmpdir(), `lakeward-${kind}-`));
  let running: S3Process = await startS3Server(kind, { folder });
  const { endpoint, region, accessKeyId, secretAccessKey } = running;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  let buckets = 0;
  return {
    kind,
    folder,
    endpoint,
    region,
    credentials,
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region },
    client,
    async bucket() {
      const name = `lake-${++buckets}`;
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
    kill: () => running.end('SIGKILL'),
    async restart() {
      await running.end('SIGKILL');
      running = await startS3Server(kind, { folder, port: Number(new URL(endpoint).port) });
    },
    async stop() {
      client.destroy();
      await running.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The servers a suite runs on: those given, or the one that `npm run test:s3 -- <kind>` names. */
export function s3Kinds(...kinds: readonly S3Kind[]): readonly S3Kind[] {
  const named = S3_KINDS.find((kind) => kind === process.env['LAKEWARD_TEST_S3']);
  return named === undefined ? kinds : [named];
}

/** A `describe` whose tests need a kind of server to be installed. */
export async function describeWithS3(kind: S3Kind, name: string, tests: () => void): Promise<void> {
  const lack = await missing(kind);
  const isSkipped = lack !== undefined && process.env['CI'] !== 'true';
  describe.skipIf(isSkipped)(isSkipped ? `${name} (skipped: ${lack})` : name, tests);
}

/** A `describe` with a server that runs from before its first test to after its last. */
export function describeOnS3(kind: S3Kind, name: string, tests: (s3: () => TestS3) => void): Promise<void> {
  return describeWithS3(kind, name, () => {
    let started: TestS3 | undefined;
    beforeAll(async () => {
      started = await startTestS3(kind);
    }, 60_000);
    afterAll(() => started?.stop());
    tests(() => {
      if (started === undefined) throw new Error('the server starts before the tests');
      return started;
    });
  });
}
