/** One piece of work on the landing log of a lake of a year, for `year.ts`: prints what it took as a line of JSON. Stages are made up, never written. */
import { systemClock } from '../../src/clock/system-clock.ts';
import { planMerges } from '../../src/compaction/plan.ts';
import type { CompactionRoom } from '../../src/compaction/room.ts';
import { openFileStore } from '../../src/lake/file/file-store.ts';
import { connectS3 } from '../../src/lake/s3/s3-client.ts';
import { createS3Store } from '../../src/lake/s3/s3-store.ts';
import { type AppendDraft, type LandedFile, type LandingLog, openLandingLog } from '../../src/landing/landing-log.ts';
import type { CompactionRule, DeliverySpec } from '../../src/model/delivery.ts';
import { asOffset, asShard } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { logOptions } from '../landing/log-options.ts';
import { round } from './report.ts';

const [work = '', place = '', partitionsText = '', filesText = ''] = process.argv.slice(2);
const PARTITIONS = Number(partitionsText);
const FILES = Number(filesText);
const BYTES = 5_000_000;
const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2025, 0, 1);
const COLUMNS = ['event_id', 'event_time', 'user_id', 'page', 'referrer', 'action', 'product_id', 'price'];
const LANDINGS = 64;

const clock = systemClock();
const connection = place.startsWith('http')
  ? connectS3({ endpoint: place, pathStyle: true, region: 'us-east-1' })
  : undefined;
const near =
  connection === undefined
    ? await openFileStore({ folder: place, clock })
    : createS3Store({ connection, bucket: 'lake', clock });
let written = 0;
const store: LakeStore = {
  ...near,
  create: (path, bytes, call) => {
    written += bytes.length;
    return near.create(path, bytes, call);
  },
  overwrite: (path, bytes, call) => {
    written += bytes.length;
    return near.overwrite(path, bytes, call);
  },
  stage: async ({ staged, final }) => ({ staged, final, bytes: BYTES, checksum: '0badcafe' }),
  publish: async () => 'published',
  discard: async () => undefined,
};

async function open(): Promise<LandingLog> {
  const tuning = { copyMaxMs: 0, sweepEveryMs: Number.POSITIVE_INFINITY };
  return openLandingLog(await logOptions({ store, clock, tuning }));
}

function partitionOf(hour: number): string {
  const [, year, month, day, hours] =
    /(\d+)-(\d\d)-(\d\d)T(\d\d)/.exec(new Date(FROM_MS + hour * HOUR_MS).toISOString()) ?? [];
  return `year=${year}/month=${month}/day=${day}/hour=${hours}`;
}

/** One file of an hour. */
async function fileOf(log: LandingLog, at: { readonly hour: number; readonly nonce: string; readonly n: number }) {
  const { hour, nonce, n } = at;
  const partition = partitionOf(hour);
  const name = `clicks-20250101T000000000Z-${nonce.replaceAll('-', '')}-${n}.parquet`;
  const handle = await log.stage(nonce, { local: '', name, directory: `d/${partition}` });
  const eventMinMs = FROM_MS + hour * HOUR_MS;
  const columns = COLUMNS.map((column) => ({
    column,
    nulls: 0,
    min: `${column} ${n} lowest`,
    max: `${column} ${n} highest`,
  }));
  const facts = { partition, rows: 10_000, bytes: BYTES, planVersion: 1, columns, handle };
  return { ...facts, eventMinMs, eventMaxMs: eventMinMs + HOUR_MS - 1, closedBecause: 'bytes' as const };
}

/** As many files of an hour at once as it has, or one of each of some hours. */
async function land(log: LandingLog, hours: readonly number[]): Promise<void> {
  const nonce = log.nonce();
  const files: AppendDraft['files'][number][] = [];
  for (const [n, hour] of hours.entries()) files.push(await fileOf(log, { hour, nonce, n }));
  const from = log.view().positions.get(asShard(0)) ?? asOffset(0);
  const ranges = new Map([[asShard(0), { from, to: asOffset(from + files.length) }]]);
  const outcome = await log.commit({ nonce, ranges, planVersion: 1, files, rejected: [], extraRows: 0, lateRows: 0 });
  if (outcome !== 'committed') throw new Error('a landing alone was superseded');
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

async function fill(): Promise<object> {
  const log = await open();
  const HOURS_AT_ONCE = 50;
  for (let hour = 0; hour < PARTITIONS; hour += HOURS_AT_ONCE) {
    const hours = upTo(Math.min(HOURS_AT_ONCE, PARTITIONS - hour));
    await land(
      log,
      hours.flatMap((i) => upTo(FILES).map(() => hour + i)),
    );
    await log.maintain();
  }
  return { files: log.view().liveFiles };
}

async function timed(name: string, task: () => Promise<unknown>): Promise<Record<string, number>> {
  const [from, before, cpu] = [performance.now(), written, process.cpuUsage()];
  await task();
  const { user, system } = process.cpuUsage(cpu);
  const figures = {
    [`${name} ms`]: round(performance.now() - from),
    [`${name} CPU ms`]: round((user + system) / 1000),
  };
  return written === before ? figures : { ...figures, [`${name} kB written`]: round((written - before) / 1000) };
}

async function plan(): Promise<object> {
  const log = await open();
  const room = { clock, style: { extension: () => '.parquet' } } as unknown as CompactionRoom;
  const rule: CompactionRule = { everyMs: 0, targetBytes: 128_000_000, afterMs: 0, sort: 'time', readers: 'listing' };
  const figures = await timed('plan', async () => {
    const { told } = await planMerges(room, { spec: { name: 'd' } as DeliverySpec, rule, log });
    if (told.groupsInAll !== PARTITIONS) throw new Error(`${told.groupsInAll} groups of ${PARTITIONS} partitions`);
  });
  return { ...figures, 'plan MiB': round(process.resourceUsage().maxRSS / 1024) };
}

/** What 64 landings of now cost, and the checkpoint after them; then the same when rows of the whole year come late. */
async function landings(): Promise<object> {
  const log = await open();
  const figures: Record<string, number> = {};
  for (const [name, hourOf] of [
    ['of now', (i: number) => PARTITIONS + (i % 2)],
    ['of the whole year', (i: number) => (i * 157) % PARTITIONS],
  ] as const) {
    let at = 0;
    const all = await timed('', async () => {
      for (let i = 0; i < LANDINGS; i++)
        await land(
          log,
          upTo(FILES).map(() => hourOf(at++)),
        );
    });
    figures[`landing ${name} ms`] = round((all[' ms'] ?? 0) / LANDINGS);
    Object.assign(figures, await timed(`checkpoint ${name}`, () => log.maintain()));
  }
  return { ...figures, 'landing MiB': round(process.resourceUsage().maxRSS / 1024) };
}

/** Ten files become one, in sixteen hours far from each other, and the checkpoint after that. */
async function merges(): Promise<object> {
  const log = await open();
  const MERGES = 16;
  const hours = new Set(upTo(MERGES).map((i) => partitionOf(Math.floor((i * PARTITIONS) / MERGES))));
  const files: LandedFile['file'][] = [];
  await log.eachFile(({ file }) => {
    if (hours.has(file.partition)) files.push(file);
  });
  const groups = [...Map.groupBy(files, ({ partition }) => partition).values()];
  const all = await timed('', async () => {
    for (const [n, removed] of groups.entries()) {
      const nonce = log.nonce();
      const rows = removed.reduce((sum, file) => sum + file.rows, 0);
      const hour = ((removed[0]?.eventMinMs ?? 0) - FROM_MS) / HOUR_MS;
      const file = { ...(await fileOf(log, { hour, nonce, n })), rows };
      const digest = { rows, checksum: '0' };
      const draft = { nonce, removed, files: [file], before: digest, after: digest, keepMs: clock.nowMs() + HOUR_MS };
      if ((await log.commitMerge(draft)) !== 'committed') throw new Error('a merge alone was superseded');
    }
  });
  return {
    'merge entry ms': round((all[' ms'] ?? 0) / groups.length),
    ...(await timed('checkpoint after merges', () => log.maintain())),
    'merge MiB': round(process.resourceUsage().maxRSS / 1024),
  };
}

const WORK: Readonly<Record<string, () => Promise<object>>> = {
  fill,
  open: () => timed('open', open),
  plan,
  land: landings,
  merge: merges,
};
const figures = await WORK[work]?.();
connection?.client.destroy();
console.log(JSON.stringify(figures));
