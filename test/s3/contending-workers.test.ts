/** Workers of several processes that commit to one landing log at once on S3: everyone makes progress, each range lands once. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { connectLake, type LakeOnS3 } from './lake.ts';
import { describeOnS3 } from './servers.ts';

const WORKERS = 4;
const ENTRIES = 12;
const clock = systemClock();

await describeOnS3('versitygw', 'four workers of one delivery', (s3) => {
  test('commit at once, each in its shard, and everyone gets through', { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lakeward-contending-'));
    const bucket = await s3().bucket();
    const lakes = Array.from({ length: WORKERS }, () => connectLake(s3()));
    try {
      const rates = [];
      for (const workers of [1, WORKERS]) {
        const delivery = `d${workers}`;
        const logs = await Promise.all(lakes.slice(0, workers).map((lake) => opened(lake, bucket, delivery)));
        const startedMs = clock.monotonicMs();
        await Promise.all(
          logs.map(async (log, shard) => {
            for (let n = 0; n < ENTRIES; n++) {
              const local = join(folder, `${delivery}-${shard}-${n}`);
              await writeFile(local, `${shard} ${n}\n`);
              await commitOne(log, shard, n, local);
            }
          }),
        );
        const whole = clock.monotonicMs() - startedMs;
        rates.push(Math.round((10_000 * workers * ENTRIES) / whole) / 10);
        const [last] = logs;
        await last?.refresh();
        expect(last?.view()).toMatchObject({ entry: workers * ENTRIES, totals: { rows: workers * ENTRIES } });
      }
      console.log(`entries per second: one worker ${rates[0]}, ${WORKERS} workers ${rates[1]}`);
    } finally {
      for (const { connection } of lakes) connection.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

async function opened({ store }: LakeOnS3, bucket: string, delivery: string): Promise<LandingLog> {
  const lake = store(bucket, clock);
  return openLandingLog({
    store: lake,
    clock,
    telemetry: silentTelemetry(),
    delivery,
    prefix: delivery,
    writer: clock.uuid(),
    lakeId: await openLake(lake, { clock }),
    stream: { name: 's', id: asStreamId('s') },
    start: async () => new Map(),
  });
}

async function commitOne(log: LandingLog, shard: number, n: number, local: string): Promise<void> {
  const nonce = log.nonce();
  const handle = await log.stage(nonce, { local, directory: 'd', name: `${nonce}.csv` });
  const file = {
    handle,
    rows: 1,
    partition: '',
    eventMinMs: 0,
    eventMaxMs: 0,
    planVersion: 1,
    closedBecause: 'age' as const,
    columns: [],
  };
  const ranges = new Map([[asShard(shard), { from: asOffset(n), to: asOffset(n + 1) }]]);
  const draft = { nonce, ranges, planVersion: 1, files: [{ ...file, bytes: handle.bytes }], rejected: [] };
  expect(await log.commit({ ...draft, extraRows: 0, lateRows: 0 })).toBe('committed');
}
