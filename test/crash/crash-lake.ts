/**
 * The lake of a crash run: a folder, or a bucket on a real S3 server reached through a proxy with faults, the server itself killed at
 * times. Whatever it is, a stranger gets to see it as a folder: of a bucket, every object a LIST shows, as a GET gives it.
 */
import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Kind } from '../../infra/dev/s3-install.ts';
import { seededFaults, startS3Proxy } from '../faults/s3-proxy.ts';
import { startTestS3, type TestS3 } from '../s3/servers.ts';

export interface CrashLake {
  /** The `lake` section of the configuration. */
  readonly config: object;
  /** What a server needs in its environment to be let in. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes the store fail for a part of this time, as chance wants it. Resolves when it is back; says whether it was killed. */
  disturb(random: () => number): Promise<boolean>;
  /** No faults from now on, until `stir`; what was late has arrived. */
  calm(): Promise<void>;
  stir(): void;
  /** The lake as a folder. */
  view(): Promise<string>;
  close(): Promise<void>;
}

/** Of so many requests one meets a fault in the network. */
const FAULT_SHARE = 0.02;
const KILL_SHARE = 0.4;
/** A disturbed store is killed within this time, and away for as long at most. */
const KILL_MS_MAX = 900;

export function folderLake(folder: string): CrashLake {
  return {
    config: { folder },
    env: {},
    disturb: async () => false,
    calm: async () => undefined,
    stir: () => undefined,
    view: async () => folder,
    close: async () => undefined,
  };
}

/** `scratch`: for the copies that are looked at. */
export async function bucketLake(
  kind: S3Kind,
  { seed, scratch }: { seed: number; scratch: string },
): Promise<CrashLake> {
  const s3 = await startTestS3(kind);
  const choose = seededFaults(seed, FAULT_SHARE);
  const proxy = await startS3Proxy({ target: s3.endpoint, choose, silenceMs: 1500, lateMs: 1000 });
  const bucket = await s3.bucket();
  let seen: string | undefined;
  return {
    config: { s3: { bucket, endpoint: proxy.endpoint, pathStyle: true } },
    env: s3.env,
    async disturb(random) {
      if (random() >= KILL_SHARE) return false;
      await sleep(random() * KILL_MS_MAX);
      await s3.kill();
      await sleep(random() * KILL_MS_MAX);
      await s3.restart();
      return true;
    },
    calm: () => proxy.calm(),
    stir: () => proxy.stir(),
    async view() {
      if (seen !== undefined) rmSync(seen, { recursive: true });
      seen = mkdtempSync(join(scratch, 'view-'));
      await copyBucket(s3, bucket, seen);
      return seen;
    },
    async close() {
      await proxy.close();
      await s3.stop();
    },
  };
}

async function copyBucket({ client }: TestS3, Bucket: string, folder: string): Promise<void> {
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
    for (const { Key = '' } of Contents) {
      if (Key.startsWith('_lakeward/')) continue;
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      const path = join(folder, Key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, (await Body?.transformToByteArray()) ?? '');
    }
  }
}
