import { CopyObjectCommand, DeleteObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { missingKafka } from '../../infra/dev/kafka-install.ts';
import { missingRedis } from '../../infra/dev/redis-server.ts';
import { missing } from '../../infra/dev/s3-install.ts';
import { runCluster } from './cluster.ts';
import { complaintOf, judge, lakeReader } from './cluster-checker.ts';
import { planFaults, TARGETS } from './cluster-faults.ts';
import type { ClusterServices } from './cluster-services.ts';

const NAME =
  'two ingest and two delivery processes land every acknowledged event exactly once while all around them fails';
const lack =
  (await missingKafka()) ?? (await missingRedis()) ?? (await missing('versitygw')) ?? lakeReader().lack ?? undefined;
const isSkipped = lack !== undefined && process.env['CI'] !== 'true';
const ROUNDS = 20;
const SEED = 20_261_122;

async function firstKey({ s3Server, view }: ClusterServices, prefix: string): Promise<string> {
  for await (const { Contents = [] } of paginateListObjectsV2(
    { client: s3Server.client },
    { Bucket: view.bucket, Prefix: `${prefix}/` },
  )) {
    if (Contents[0]?.Key !== undefined) return Contents[0].Key;
  }
  throw new Error(`nothing below ${prefix}`);
}

test.skipIf(isSkipped)(isSkipped ? `${NAME} (skipped: ${lack})` : NAME, { timeout: 900_000 }, async () => {
  let wasTried = false;
  const report = await runCluster({
    rounds: ROUNDS,
    seed: SEED,
    // A checker that finds nothing wrong must be one that could.
    async afterwards(services, check) {
      const { s3Server, view } = services;
      const Bucket = view.bucket;
      const kept = await firstKey(services, 'hourly');
      await s3Server.client.send(
        new CopyObjectCommand({ Bucket, CopySource: `${Bucket}/${kept}`, Key: `${kept}.again.parquet` }),
      );
      expect(await check()).toMatchObject({ lost: 0, complaints: [expect.stringContaining('hourly: ') as string] });
      await s3Server.client.send(new DeleteObjectCommand({ Bucket, Key: `${kept}.again.parquet` }));
      await s3Server.client.send(new DeleteObjectCommand({ Bucket, Key: await firstKey(services, 'by-product') }));
      const { lost, complaints } = await check();
      expect(lost).toBeGreaterThan(0);
      expect(complaints).toEqual([expect.stringMatching(/^by-product: \d+ lost: /)]);
      wasTried = true;
    },
  });
  expect({ seed: SEED, complaints: report.complaints }).toEqual({ seed: SEED, complaints: [] });
  expect(report).toMatchObject({ lost: 0, doubled: 0 });
  expect(report.acknowledged).toBeGreaterThan(2000);
  expect(report.resent).toBeGreaterThan(0);
  expect(report.rejected).toBeGreaterThan(0);
  expect(report.merged).toBeGreaterThan(0);
  expect(wasTried).toBe(true);
});

test('a plan has every kind of fault in its first rounds, and is the same for a seed', () => {
  const plan = planFaults(SEED, { rounds: ROUNDS, roundMs: 3000 });
  expect(planFaults(SEED, { rounds: ROUNDS, roundMs: 3000 })).toEqual(plan);
  expect(new Set(plan.map(({ target }) => target))).toEqual(new Set(TARGETS));
  expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(['kill', 'step', 'freeze', 'flush', 'bounce']));
});

test('an event that was sent twice may be there twice, once where duplicates are dropped', () => {
  const event = (sent: number, acknowledged: number, isBroken = false): object => ({ sent, acknowledged, isBroken });
  const events = new Map(
    Object.entries({ a: event(1, 1), b: event(2, 1), c: event(2, 0), d: event(2, 2), e: event(2, 2, true) }),
  ) as Parameters<typeof judge>[1]['events'];
  const verdict = (ids: Record<string, number>, dedupe: boolean): ReturnType<typeof judge> =>
    judge({ files: 1, rows: 1, rejected: 0, ids }, { events }, { dedupe });

  expect(verdict({ a: 1, b: 2, d: 2, e: 2 }, false)).toEqual({ lost: [], doubled: [], unknown: [] });
  expect(verdict({ a: 1, b: 1, c: 1, d: 1, e: 2 }, true)).toEqual({ lost: [], doubled: [], unknown: [] });
  expect(verdict({ a: 2, c: 3, d: 1, e: 2, x: 1 }, false)).toEqual({
    lost: ['b', 'd'],
    doubled: ['a', 'c'],
    unknown: ['x'],
  });
  expect(verdict({ a: 1, b: 2, c: 2, e: 1 }, true)).toEqual({ lost: ['d', 'e'], doubled: ['b', 'c'], unknown: [] });
  expect(complaintOf(verdict({ a: 2, b: 1, d: 2, e: 2 }, false))).toBe('1 doubled: a');
  expect(complaintOf(verdict({ a: 1, b: 1, d: 2, e: 2 }, false))).toBeUndefined();
});
