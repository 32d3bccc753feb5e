/** The landing log on real S3 servers, every request of every process a turn of a seeded world, or all of them at once. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteObjectCommand, PutObjectCommand, CopyObjectCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import type { S3Connection } from '../../src/lake/s3/s3-client.ts';
import { createS3Store } from '../../src/lake/s3/s3-store.ts';
import { callLimit, limitedStore } from '../../src/lake/wrap/limited-store.ts';
import { retryingStore } from '../../src/lake/wrap/retrying-store.ts';
import { storePace } from '../../src/lake/wrap/store-pace.ts';
import type { LandingRules } from '../../src/landing/room.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { type Actor, type Pace, seededWorld, type World } from '../faults/lake/world.ts';
import { S3_FAULTS, seededFaults, startS3Proxy } from '../faults/s3-proxy.ts';
import { simulate } from '../landing/simulation.ts';
import { connectLake, strangersView } from './lake.ts';
import { racingWorld } from './racing-world.ts';
import { describeOnS3, s3Kinds, type TestS3 } from './servers.ts';

const SEEDS = Number(process.env['LAKEWARD_S3_SEEDS'] ?? 6);

interface Lake {
  readonly s3: TestS3;
  readonly bucket: string;
  /** Where requests go: the server or a proxy. */
  readonly connection: S3Connection;
  readonly local: (content: string) => Promise<string>;
}

async function withLake<T>(s3: TestS3, endpoint: string, use: (lake: Lake) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-s3-landing-'));
  const { connection } = connectLake(s3, { endpoint, requestMs: 3000 });
  let locals = 0;
  try {
    return await use({
      s3,
      bucket: await s3.bucket(),
      connection,
      async local(content) {
        const path = join(folder, `local-${locals++}`);
        await writeFile(path, content);
        return path;
      },
    });
  } finally {
    connection.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Each request is a turn of the world; some meet a server that is killed under them. */
function asTurns(
  connection: S3Connection,
  world: World,
  actor: Actor,
  onTurn: <T>(call: () => Promise<T>) => Promise<T>,
) {
  const send = connection.client.send.bind(connection.client) as (...call: unknown[]) => Promise<unknown>;
  const changes = (command: unknown): boolean =>
    [PutObjectCommand, CopyObjectCommand, DeleteObjectCommand].some((kind) => command instanceof kind);
  const client = Object.create(connection.client, {
    send: {
      value: (command: unknown, bounds: unknown) =>
        world.turn(actor, () => onTurn(() => send(command, bounds)), changes(command)),
    },
  }) as S3Connection['client'];
  return { ...connection, client };
}

async function inTurns(
  lake: Lake,
  seed: number,
  options: { kills: number; rules?: Partial<LandingRules> },
): Promise<void> {
  const pace: Pace = { startMs: Date.now(), breath: () => sleep(1), breathsMax: 5000 };
  const budget = { crashes: 4, powerCuts: 0, failures: 8, late: 4, losses: 0 };
  const world = seededWorld(seed, budget, undefined, pace);
  let kills = options.kills;
  const onTurn = async <T>(call: () => Promise<T>): Promise<T> => {
    if (kills <= 0 || !world.chance(0.02)) return call();
    kills--;
    const result = Promise.allSettled([call()]);
    await sleep(world.random() * 4);
    await lake.s3.kill();
    const [outcome] = await result;
    await lake.s3.restart();
    if (outcome?.status === 'rejected') throw outcome.reason;
    return (outcome as PromiseFulfilledResult<T>).value;
  };
  const prefix = `seed-${seed}/`;
  const place = { bucket: lake.bucket, prefix, clock: world.clock };
  await simulate({
    world,
    workers: 2 + (seed % 2),
    shards: [6, 4],
    lossy: false,
    holds: seed % 2 === 0,
    open: async (actor) => createS3Store({ ...place, connection: asTurns(lake.connection, world, actor, onTurn) }),
    onlooker: async () => strangersView(lake.s3, lake.bucket, prefix),
    local: async (_actor, content) => lake.local(content),
    ...(options.rules === undefined ? {} : { rules: options.rules }),
  });
}

/** The seed that failed, and how. */
async function firstFailure(seeds: number, run: (seed: number) => Promise<void>): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await run(seed);
    } catch (error) {
      return `seed ${seed}: ${String(error instanceof Error ? error.stack : error)}`;
    }
  }
  return undefined;
}

for (const kind of s3Kinds('versitygw')) {
  await describeOnS3(kind, `landing on ${kind}`, (s3) => {
    test('shows every record exactly once through crashes, sleeps, lost and late answers', { timeout: 300_000 }, () =>
      withLake(s3(), s3().endpoint, async (lake) => {
        expect(await firstFailure(SEEDS, (seed) => inTurns(lake, seed, { kills: 0 }))).toBeUndefined();
      }),
    );

    test('does so while the S3 server itself is killed and comes back', { timeout: 300_000 }, () =>
      withLake(s3(), s3().endpoint, async (lake) => {
        expect(await firstFailure(SEEDS, (seed) => inTurns(lake, seed, { kills: 6 }))).toBeUndefined();
      }),
    );

    test('does so through a proxy that throttles, breaks, delays and lies about requests', {
      timeout: 300_000,
    }, async () => {
      const counts = new Map<string, number>();
      const failure = await firstFailure(SEEDS, async (seed) => {
        const choose = seededFaults(seed, 0.15);
        const proxy = await startS3Proxy({ target: s3().endpoint, choose, silenceMs: 30, lateMs: 20 });
        try {
          await withLake(s3(), proxy.endpoint, (lake) => inTurns(lake, seed, { kills: seed % 3 }));
        } finally {
          await proxy.close();
        }
        for (const [kind, times] of proxy.counts) counts.set(kind, (counts.get(kind) ?? 0) + times);
      });
      expect(failure).toBeUndefined();
      expect([...counts.keys()].sort()).toEqual([...S3_FAULTS].sort());
    });

    test(
      'would be noticed, by the log itself or by its readers, if a log took any entry for its own',
      { timeout: 300_000 },
      () =>
        withLake(s3(), s3().endpoint, async (lake) => {
          const run = (seed: number) => inTurns(lake, seed, { kills: 0, rules: { isOwn: () => true } });
          expect(await firstFailure(100, run)).toMatch(/missing|visible twice|does not follow/);
        }),
    );

    test('lets writers race, die and wake as zombies, all at once and through the proxy', {
      timeout: 300_000,
    }, async () => {
      const happened = { deaths: 0, sleeps: 0 };
      const failure = await firstFailure(Math.ceil(SEEDS / 4), async (seed) => {
        const faults = seededFaults(seed, 0.05);
        const proxy = await startS3Proxy({
          target: s3().endpoint,
          choose: (request) => (seed % 2 === 0 && isStormy() ? 'slow-down' : faults(request)),
          silenceMs: 100,
          lateMs: 300,
        });
        const world = racingWorld(seed, { deaths: 6, sleeps: 6 });
        try {
          await withLake(s3(), proxy.endpoint, (lake) => race(lake, world));
        } finally {
          await proxy.close();
        }
        happened.deaths += world.happened.deaths;
        happened.sleeps += world.happened.sleeps;
      });
      expect(failure).toBeUndefined();
      expect(happened.deaths).toBeGreaterThan(0);
      expect(happened.sleeps).toBeGreaterThan(0);
    });
  });
}

/** Every so often the store throttles everybody for a while. */
function isStormy(): boolean {
  return performance.now() % 2000 < 400;
}

/** As a server wraps its store: with its pace, repetitions and bound on calls. */
async function race(lake: Lake, world: World): Promise<void> {
  const { clock } = world;
  const telemetry = silentTelemetry();
  await simulate({
    world,
    workers: 4,
    shards: [20, 15],
    lossy: false,
    tuning: { emptyAfterMs: 300, sweepAfterMs: 1500 },
    async open(actor) {
      const connection = asTurns(lake.connection, world, actor, (call) => call());
      const store = createS3Store({ bucket: lake.bucket, clock, connection });
      const limited = limitedStore(store, callLimit({ total: 64, perPrefix: 48 }));
      return retryingStore(limited, { clock, telemetry, pace: storePace(clock) });
    },
    onlooker: async () => strangersView(lake.s3, lake.bucket, ''),
    local: async (_actor, content) => lake.local(content),
  });
}
