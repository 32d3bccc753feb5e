/**
 * Several processes land the same stream through the landing log in a seeded world of crashes, sleeps, lost and late answers. While
 * it runs and at its end the lake is judged by what a listing shows, never by the log's own words.
 */
import { openLake } from '../../src/landing/lake-identity.ts';
import { type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { LostFiles } from '../../src/landing/repair.ts';
import type { LandingRules, LandingTuning } from '../../src/landing/room.ts';
import { isLakewardError } from '../../src/model/errors.ts';
import type { LakePath } from '../../src/model/lake-path.ts';
import type { DataFile, RejectedFile } from '../../src/model/data-file.ts';
import { asOffset, asShard, asStreamId, type Offset, type ShardIndex } from '../../src/model/stream.ts';
import type { LakeStore, StageHandle } from '../../src/ports/lake-store.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { judgeEvents, knownFiles, type Resends, type Sieve, sieveOf } from './simulated-ids.ts';
import type { Actor, World } from '../faults/lake/world.ts';

export interface Simulation {
  readonly world: World;
  readonly workers: number;
  /** Records of each shard. */
  readonly shards: readonly number[];
  readonly rules?: Partial<LandingRules>;
  readonly tuning?: Partial<LandingTuning>;
  /** Whether the store may have lost a stage; without that, nobody may conclude that one is lost. */
  readonly lossy: boolean;
  /** Whether records tell of events by id, some of them again, and duplicates are dropped. */
  readonly resends?: Resends | undefined;
  /** Whether late rows may be held. */
  readonly holds?: boolean;
  /** The lake as one process sees it. */
  open(actor: Actor): Promise<LakeStore>;
  /** The lake as an onlooker sees it, without faults. */
  onlooker(): Promise<Pick<LakeStore, 'list' | 'read'>>;
  /** Makes a local file with this content for a process. */
  local(actor: Actor, content: string): Promise<string>;
}

const TUNING = {
  tries: 4,
  checkpointEntries: 3,
  checkpointFiles: 8,
  emptyAfterMs: 2_000,
  sweepAfterMs: 8_000,
  sweepEveryMs: 0,
  partFilesMax: 4,
  copyMaxMs: 200,
};

/** Runs until every record has landed, then judges. Throws what is wrong. */
export async function simulate(simulation: Simulation): Promise<void> {
  const { world } = simulation;
  const running = new Set<string>();
  const failures: unknown[] = [];
  const start = (name: string): void => {
    const actor = world.actor(name);
    alive.set(name, actor);
    running.add(name);
    work(simulation, actor).then(
      () => running.delete(name),
      (error: unknown) => failures.push(error),
    );
  };
  const alive = new Map<string, Actor>();
  for (let i = 0; i < simulation.workers; i++) start(`w${i}`);
  await world.run(() => {
    if (failures.length > 0) throw failures[0];
    for (const name of running) if (alive.get(name)?.alive === false) start(name);
    return running.size === 0;
  });
  await world.calm();
  // One more process, undisturbed: whatever was left half done is finished by opening.
  start('last');
  await world.run(() => {
    if (failures.length > 0) throw failures[0];
    return running.size === 0;
  });
  await judge(simulation);
}

async function work(simulation: Simulation, actor: Actor): Promise<void> {
  const { world, shards } = simulation;
  for (;;) {
    try {
      const store = await simulation.open(actor);
      const log = await openLog(simulation, actor, store);
      while (!shards.every((total, shard) => (log.view().positions.get(asShard(shard)) ?? 0) >= total)) {
        await landOnce(simulation, actor, log);
        if (world.chance(0.3)) await replayOnce(simulation, actor, { log, store });
        if (world.chance(0.3)) await mergeOnce(simulation, actor, { log, store });
        if (simulation.holds === true && world.chance(0.2)) await releaseOnce(simulation, actor, { log, store });
        if (world.chance(0.5)) await log.maintain();
      }
      for (let left = 2; left > 0; left--) {
        await replayOnce(simulation, actor, { log, store });
        await mergeOnce(simulation, actor, { log, store });
      }
      await releaseOnce(simulation, actor, { log, store });
      // What stays for a while is gone at the end.
      while (actor.name === 'last' && world.clock.nowMs() <= (keptUntilMs.get(world) ?? 0)) await log.maintain();
      if (actor.name === 'last') await log.maintain();
      return;
    } catch (error) {
      // As a delivery does: open anew, which recovers.
      if (!isLakewardError(error, 'lake-unavailable')) throw error;
    }
  }
}

async function openLog(simulation: Simulation, actor: Actor, store: LakeStore): Promise<LandingLog> {
  const { world, rules } = simulation;
  return openLandingLog({
    store,
    clock: world.clock,
    telemetry: silentTelemetry(),
    delivery: 'd',
    prefix: 'd',
    writer: actor.name,
    lakeId: await openLake(store, { clock: world.clock }),
    stream: { name: 's', id: asStreamId('s-1') },
    start: async () => new Map(),
    rebuild: (lost) => rebuild(simulation, actor, lost),
    step: () => world.turn(actor, () => undefined),
    tuning: { ...TUNING, ...simulation.tuning },
    ...(rules === undefined ? {} : { rules }),
  });
}

interface Made {
  readonly files: { readonly key: string; readonly ids: readonly string[] }[];
  readonly ranges: Map<ShardIndex, { from: Offset; to: Offset }>;
}

/** The watermark of every landing, and when partitions end: the first is closed by the first landing. */
const WATERMARK_MS = 500;
const endOf = (key: string): number => (key === 'hour=0' ? 400 : 1000);

/** Record `shard:offset` lies in partition offset % 3, of which the last is of rejected rows. */
function makeRange(ranges: Made['ranges'], sieve?: Sieve): Made {
  const parts = new Map<string, string[]>();
  for (const [shard, { from, to }] of ranges) {
    for (let offset = from as number; offset < to; offset++) {
      const key = offset % 3 === 2 ? 'rejected' : `hour=${offset % 3}`;
      const record = `${shard}:${offset}`;
      if (key !== 'rejected' && sieve?.landing([record]).length === 0) continue;
      parts.set(key, [...(parts.get(key) ?? []), record]);
    }
  }
  return { ranges, files: [...parts].map(([key, ids]) => ({ key, ids })) };
}

async function stageAll(
  simulation: Simulation,
  actor: Actor,
  stage: LostFiles['stage'],
  given: { nonce: string; files: Made['files']; folder?: (key: string) => string | undefined },
): Promise<Pick<Parameters<LandingLog['commit']>[0], 'files' | 'rejected'>> {
  const staged = await Promise.all(
    given.files.map(async ({ key, ids }) => {
      const directory = given.folder?.(key) ?? (key === 'rejected' ? '_rejected/d' : `d/${key}`);
      const local = await simulation.local(actor, JSON.stringify(ids));
      const handle = await stage({ local, name: `${given.nonce}-${key}.json`, directory });
      return { key, ids, handle };
    }),
  );
  const common = ({ ids, handle }: { ids: readonly string[]; handle: StageHandle }) => ({
    rows: ids.length,
    bytes: handle.bytes,
    handle,
  });
  return {
    files: staged
      .filter(({ key }) => key !== 'rejected')
      .map((file) => ({
        ...common(file),
        partition: file.key,
        eventMinMs: 0,
        eventMaxMs: 1,
        planVersion: 1,
        closedBecause: 'age' as const,
        columns: [],
        closesAtMs: endOf(file.key),
      })),
    rejected: staged
      .filter(({ key }) => key === 'rejected')
      .map((file) => ({ ...common(file), reasons: [{ code: 'not-json' as const, rows: file.ids.length }] })),
  };
}

async function landOnce(simulation: Simulation, actor: Actor, log: LandingLog): Promise<void> {
  const { world, shards } = simulation;
  const ranges: Made['ranges'] = new Map();
  for (const [shard, total] of shards.entries()) {
    const from = log.view().positions.get(asShard(shard)) ?? asOffset(0);
    const to = Math.min(total, from + 1 + Math.floor(world.random() * 4));
    if (to > from && world.chance(0.7)) ranges.set(asShard(shard), { from, to: asOffset(to) });
  }
  const nonce = log.nonce();
  const { known } = log.view();
  const sieve = await sieveFor(simulation, log);
  const { files } = makeRange(ranges, sieve);
  const { watermarkMs = 0 } = log.view();
  const holds = simulation.holds === true && world.chance(0.7);
  const folder = (key: string): string | undefined =>
    holds && key !== 'rejected' && endOf(key) <= watermarkMs ? `${log.heldFolder}d/${key}` : undefined;
  const staged = await stageAll(simulation, actor, (file) => log.stage(nonce, file), { nonce, files, folder });
  const keys = await writeKeys(log, sieve?.keys(nonce, known.last));
  const counts = { extraRows: 0, lateRows: 0, watermarkMs: WATERMARK_MS };
  const draft = { nonce, ranges, planVersion: 1, ...staged, ...counts, ...keys };
  try {
    await log.commit(draft);
  } catch (error) {
    if (!isLakewardError(error, 'lake-unavailable') || world.chance(0.5)) throw error;
    await log.commit(draft);
  }
}

async function sieveFor({ resends }: Simulation, log: LandingLog, ofReplay = false): Promise<Sieve | undefined> {
  if (resends === undefined) return undefined;
  return sieveOf(resends, knownFiles(resends, log.view().known), (file) => log.readKeys(file), ofReplay);
}

async function writeKeys(
  log: LandingLog,
  keys: ReturnType<Sieve['keys']> | undefined,
): Promise<{ dedupe?: ReturnType<Sieve['keys']>['dedupe'] }> {
  for (const file of keys?.write ?? []) await log.writeKeys(file);
  return keys === undefined ? {} : { dedupe: keys.dedupe };
}

/** Takes some files of rejected rows; most of their rows land, some stay rejected. */
async function replayOnce(
  simulation: Simulation,
  actor: Actor,
  { log, store }: { log: LandingLog; store: LakeStore },
): Promise<void> {
  const { world } = simulation;
  const { known } = log.view();
  const sieve = await sieveFor(simulation, log, true);
  const removed: RejectedFile[] = [];
  const ids: string[] = [];
  for (const file of (await log.rejectedFiles({ limit: 10 })).items) {
    if (world.chance(0.4)) continue;
    const bytes = await store.read(file.path);
    // Another process has replayed it.
    if (bytes === undefined) return;
    removed.push(file);
    ids.push(...idsOf(bytes));
  }
  const landed = ids.filter(() => world.chance(0.7));
  if (landed.length === 0) return;
  const nonce = log.nonce();
  const kept = ids.filter((id) => !landed.includes(id));
  const parts = [
    { key: 'hour=9', ids: sieve === undefined ? landed : sieve.landing(landed) },
    { key: 'rejected', ids: kept },
  ];
  const files = parts.filter((part) => part.ids.length > 0);
  const staged = await stageAll(simulation, actor, (file) => log.stage(nonce, file), { nonce, files });
  const replayed = [{ code: 'not-json' as const, rows: landed.length }];
  const keys = await writeKeys(log, sieve?.keys(nonce, known.last));
  await log.commitReplay({ nonce, planVersion: 1, removed, replayed, ...staged, extraRows: 0, lateRows: 0, ...keys });
}

/** Until when replaced files may stay. */
const keptUntilMs = new WeakMap<World, number>();

/** Merges some files of a partition. */
async function mergeOnce(
  simulation: Simulation,
  actor: Actor,
  { log, store }: { log: LandingLog; store: LakeStore },
): Promise<void> {
  const { world } = simulation;
  const partition = `hour=${[0, 1, 9][Math.floor(world.random() * 3)]}`;
  const removed: DataFile[] = [];
  await log.eachFile(({ file, settled }) => {
    if (settled && file.partition === partition && world.chance(0.7)) removed.push(file);
  });
  if (removed.length < 2) return;
  const keepMs = world.chance(0.4) ? world.clock.nowMs() + Math.floor(world.random() * 1000) : undefined;
  if (keepMs !== undefined) keptUntilMs.set(world, Math.max(keepMs, keptUntilMs.get(world) ?? 0));
  const how = keepMs === undefined ? {} : { keepMs };
  await mergeFiles(simulation, actor, { log, store }, { partition, removed, how });
}

/** Merges all held files of a partition into one that readers see. */
async function releaseOnce(
  simulation: Simulation,
  actor: Actor,
  at: { log: LandingLog; store: LakeStore },
): Promise<void> {
  const parts = Map.groupBy(at.log.view().held, ({ file }) => file.partition);
  for (const [partition, held] of parts) {
    const how = { released: true as const };
    await mergeFiles(simulation, actor, at, { partition, removed: held.map(({ file }) => file), how });
  }
}

async function mergeFiles(
  simulation: Simulation,
  actor: Actor,
  { log, store }: { log: LandingLog; store: LakeStore },
  merge: {
    partition: string;
    removed: readonly DataFile[];
    how: { readonly keepMs?: number; readonly released?: true };
  },
): Promise<void> {
  const { partition, removed, how } = merge;
  const ids: string[] = [];
  for (const { path } of removed) {
    const bytes = await store.read(path);
    // Another process has merged it.
    if (bytes === undefined) return;
    ids.push(...idsOf(bytes));
  }
  const nonce = log.nonce();
  const content = await simulation.local(actor, JSON.stringify(ids));
  const handle = await log.stage(nonce, { local: content, name: `${nonce}-merged.json`, directory: `d/${partition}` });
  const made = { rows: ids.length, checksum: [...ids].sort().join() };
  const common = {
    partition,
    eventMinMs: 0,
    eventMaxMs: 1,
    planVersion: 1,
    closedBecause: 'merge' as const,
    columns: [],
    ...(how.released === undefined ? {} : { closesAtMs: endOf(partition) }),
  };
  await log.commitMerge({
    nonce,
    removed,
    files: [{ ...common, rows: ids.length, bytes: handle.bytes, handle }],
    before: made,
    after: made,
    ...how,
  });
}

async function rebuild(
  simulation: Simulation,
  actor: Actor,
  lost: LostFiles,
): Promise<Awaited<ReturnType<typeof stageAll>>> {
  if (!simulation.lossy) throw new Error('a stage is taken for lost, and the store lost none');
  const keys = new Set([...lost.files.map((file) => file.partition), ...lost.rejected.map(() => 'rejected')]);
  const { resends } = simulation;
  const before = resends && (await sieveOf(resends, lost.dedupe?.files ?? [], (file) => lost.keys(file)));
  const files = makeRange(new Map(lost.ranges), before).files.filter(({ key }) => keys.has(key));
  const paths = new Map(lost.files.map(({ partition, path }) => [partition, path]));
  const folder = (key: string): string | undefined => paths.get(key)?.replace(/\/[^/]*$/, '');
  return stageAll(simulation, actor, (file) => lost.stage(file), { nonce: lost.nonce, files, folder });
}

/** Every record is in exactly one visible file, of data or of rejected rows, unless its event has landed as another record. */
async function judge(simulation: Simulation): Promise<void> {
  const store = await simulation.onlooker();
  const visible = new Map<string, LakePath>();
  for (const prefix of ['d/', '_rejected/']) {
    for (let after: LakePath | undefined; ; ) {
      const page = await store.list(prefix, after === undefined ? {} : { after });
      for (const { path } of page.files) {
        for (const id of idsOf(await store.read(path))) {
          const other = visible.get(id);
          if (other !== undefined) throw new Error(`record ${id} is visible twice: ${other}, ${path}`);
          visible.set(id, path);
        }
      }
      if (page.next === undefined) break;
      after = page.next;
    }
  }
  const [held] = (await store.list('_lakeward/d/held/')).files;
  if (held !== undefined) throw new Error(`${held.path} is held, and all was released`);
  const { resends } = simulation;
  const data = [...visible].filter(([, path]) => path.startsWith('d/')).map(([id]) => id);
  const isDuplicate = resends === undefined ? () => false : judgeEvents(resends, data);
  for (const [shard, total] of simulation.shards.entries()) {
    for (let offset = 0; offset < total; offset++) {
      const record = `${shard}:${offset}`;
      if (!visible.delete(record) && !isDuplicate(record)) throw new Error(`record ${record} is missing`);
    }
  }
  if (visible.size > 0) throw new Error(`records that never were: ${[...visible.keys()].join()}`);
}

export function idsOf(bytes: Uint8Array | undefined): string[] {
  return JSON.parse(new TextDecoder().decode(bytes)) as string[];
}
