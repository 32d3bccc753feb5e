/**
 * `node test/bench/contention.ts [seconds]`: how many landings a second one delivery's log takes, by the number of workers that land in it
 * without a pause, each its own shard, in a store whose every call takes 30 to 80 ms, as S3's do. The store is in memory: what is measured
 * is the protocol, and the turns it takes when the next number is gone.
 */
import { systemClock } from '../../src/clock/system-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import { type AppendDraft, type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import { asOffset, asShard, asStreamId } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { seeded } from './clickstream.ts';
import { percentile, report, round } from './report.ts';

const SECONDS = Number(process.argv[2] ?? 15);
const WORKERS = [1, 2, 4, 8, 16, 32];
const FILES = 4;
const ROWS = 1000;
const random = seeded(11);
const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 30 + random() * 50));
const text = new TextEncoder();
const clock = systemClock();

/** Every call takes its time before it is done. */
function distant(near: LakeStore): LakeStore {
  return new Proxy(near, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...given: unknown[]) => {
        await pause();
        return Reflect.apply(member, target, given) as unknown;
      };
    },
  });
}

async function draftOf(log: LandingLog, shard: number): Promise<AppendDraft> {
  const nonce = log.nonce();
  const from = log.view().positions.get(asShard(shard)) ?? asOffset(0);
  const handles = await Promise.all(
    Array.from({ length: FILES }, (_, hour) =>
      log.stage(nonce, { local: nonce, name: `${nonce}-${hour}.parquet`, directory: `d/hour=${hour}` }),
    ),
  );
  const files = handles.map((handle, hour) => ({
    handle,
    rows: ROWS / FILES,
    bytes: handle.bytes,
    partition: `hour=${hour}`,
    eventMinMs: 0,
    eventMaxMs: 1,
    planVersion: 1,
    closedBecause: 'age' as const,
    columns: [],
  }));
  const ranges = new Map([[asShard(shard), { from, to: asOffset(from + ROWS) }]]);
  return { nonce, ranges, planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 };
}

async function landWith(workers: number): Promise<Record<string, number>> {
  const store = distant(memoryStore({ clock, takeLocal: async (local) => text.encode(local) }));
  const lakeId = await openLake(store, { clock });
  const options = {
    store,
    clock,
    telemetry: silentTelemetry(),
    delivery: 'd',
    prefix: 'd',
    lakeId,
    stream: { name: 's', id: asStreamId('s-1') },
    start: async () => new Map(),
  };
  await openLandingLog({ ...options, writer: 'first' });
  const logs = await Promise.all(
    Array.from({ length: workers }, (_, n) => openLandingLog({ ...options, writer: `w${n}` })),
  );
  const commits: number[] = [];
  const started = performance.now();
  await Promise.all(
    logs.map(async (log, shard) => {
      while (performance.now() - started < SECONDS * 1000) {
        const draft = await draftOf(log, shard);
        const from = performance.now();
        if ((await log.commit(draft)) !== 'committed') throw new Error('a landing of a worker alone was superseded');
        commits.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const last = await openLandingLog({ ...options, writer: 'last' });
  if (last.view().totals.rows !== commits.length * ROWS) throw new Error('rows are missing or doubled');
  commits.sort((a, b) => a - b);
  return {
    'landings/s': round(commits.length / seconds),
    'commit p50 ms': round(percentile(commits, 0.5)),
    'commit p99 ms': round(percentile(commits, 0.99)),
  };
}

const figures: Record<string, Record<string, number>> = {};
for (const workers of WORKERS) figures[`${workers} workers`] = await landWith(workers);
report('contention', figures, []);
