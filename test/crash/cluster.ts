/**
 * A cluster run: two ingest and two delivery processes on one Kafka, one S3 server and one Redis, written to all the time, while each of
 * them is killed, frozen, taken away or emptied as planned by seed. Then all is healed, everything lands, and a stranger reads the lake.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeLowPort } from '../../infra/dev/s3-server.ts';
import { type ClusterLedger, complaintOf, judge, readLake } from './cluster-checker.ts';
import { type Fault, planFaults, type Target } from './cluster-faults.ts';
import { compiledCode, type Member, startMember } from './cluster-member.ts';
import { produceToCluster } from './cluster-producer.ts';
import { type ClusterServices, startServices } from './cluster-services.ts';

export interface ClusterRun {
  readonly rounds: number;
  readonly seed: number;
  readonly progress?: (text: string) => void;
  /** No further rounds; what has happened is checked all the same. */
  readonly enough?: AbortSignal;
  /** Called after a check that found nothing wrong, while the lake is there, with the check. */
  readonly afterwards?: (services: ClusterServices, check: () => Promise<ClusterVerdict>) => Promise<void>;
}

/** Of all deliveries together. */
export interface ClusterVerdict {
  readonly landed: number;
  readonly rejected: number;
  readonly lost: number;
  readonly doubled: number;
  readonly files: number;
  readonly complaints: readonly string[];
}

/** Complaints are what broke the promise, and what ended or failed unasked; none when all was kept. */
export interface ClusterReport extends ClusterVerdict {
  readonly rounds: number;
  readonly seed: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly sent: number;
  readonly resent: number;
  readonly acknowledged: number;
  /** Files that became larger ones. */
  readonly merged: number;
  readonly seconds: number;
}

const ROUND_MS = 3000;
/** Between two faults of a target. */
const LIFE_MS = 2500;
/** Whatever fails, something is taken in so long: faults are healed, on a slow machine slowly. */
const ACKNOWLEDGED_MS_MAX = 300_000;
const CLIENTS = ['a1', 'b2', 'c3', 'd4'];
const PAUSE_MS = 60;
const SHARDS = 4;
const SETTLE_MS_MAX = 180_000;
/** Longer than the same event is on its way, short enough that a long run forgets ids. */
const DEDUPE = { key: 'event_id', window: '3m' };
const AVRO = {
  type: 'record',
  name: 'Event',
  fields: ['event_id', 'client', 'product_id', 'event_time', 'note'].map((name) => ({ name, type: 'string' })),
};
const FLUSH = { age: '1s', bytes: '256KiB' };
/** Asked for in every round. */
const COMPACTION = { readers: 'listing', after: '0s', every: '1m' };
const DELIVERIES = [
  { name: 'hourly', schema: { avro: AVRO } },
  { name: 'by-product', format: 'ndjson', layout: 'product_id={product_id}/hour={HH}/', dedupe: DEDUPE },
].map((own) => ({
  ...own,
  stream: 'events',
  start: 'earliest',
  eventTime: 'event_time',
  flush: FLUSH,
  compaction: COMPACTION,
}));
const ROLES = [
  { name: 'ingest-1', roles: ['ingest'] },
  { name: 'ingest-2', roles: ['ingest'] },
  { name: 'deliver-1', roles: ['deliver', 'compact'] },
  { name: 'deliver-2', roles: ['deliver', 'compact'] },
] as const;

interface Site {
  readonly folder: string;
  /** Of the processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly services: ClusterServices;
  readonly members: Map<string, Member>;
  readonly ledger: ClusterLedger;
  readonly complaints: string[];
}

export async function runCluster({
  rounds,
  seed,
  progress = () => undefined,
  enough,
  afterwards,
}: ClusterRun): Promise<ClusterReport> {
  const startedMs = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'lakeward-cluster-'));
  const complaints: string[] = [];
  const [services, compiled] = await Promise.all([startServices(folder, seed), compiledCode(folder)]);
  const members = new Map<string, Member>();
  const ledger: ClusterLedger = { events: new Map(), acknowledgements: 0 };
  const site: Site = { folder, env: { ...services.env, ...compiled }, services, members, ledger, complaints };
  const plan = planFaults(seed, { rounds, roundMs: ROUND_MS });
  const stop = new AbortController();
  let producers: Promise<unknown> = Promise.resolve();
  let merged = 0;
  let lasted = 0;
  let totals = { landed: 0, rejected: 0, lost: 0, doubled: 0, files: 0 };
  try {
    await startMembers(site);
    const urls = ['ingest-1', 'ingest-2'].map((name) => memberOf(site, name).url);
    producers = Promise.all(
      CLIENTS.map((client, i) =>
        produceToCluster({
          client,
          stream: 'events',
          urls,
          seed: seed * 31 + i,
          ledger,
          signal: stop.signal,
          pauseMs: PAUSE_MS,
        }),
      ),
    );
    lasted = await suffer(site, plan, { rounds, progress, enough });
    progress('faults are over');
    await services.calm();
    stop.abort();
    await producers;
    await settle(site, progress);
    const { complaints: found, ...counted } = await check(site);
    totals = counted;
    merged = filesMerged(site);
    complaints.push(...found);
    if (complaints.length === 0) await afterwards?.(services, () => check(site));
  } catch (error) {
    complaints.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    stop.abort();
    await Promise.race([producers, sleep(10_000, undefined, { ref: false })]);
    await Promise.all([...members.values()].map((one) => one.end().catch(() => undefined)));
    if (complaints.length > 0) progress(`kept for inspection: ${keepLake(site)}`);
    await services.close();
    if (complaints.length === 0) rmSync(folder, { recursive: true, force: true });
  }
  const faults: Record<string, number> = {};
  for (const { kind, target } of plan.filter((one) => one.round <= lasted))
    faults[`${kind} ${target}`] = (faults[`${kind} ${target}`] ?? 0) + 1;
  const all = [...ledger.events.values()];
  return {
    rounds: lasted,
    seed,
    faults,
    sent: all.length,
    resent: all.reduce((sum, { sent }) => sum + Math.max(0, sent - 1), 0),
    acknowledged: all.filter(({ acknowledged }) => acknowledged > 0).length,
    ...totals,
    merged,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    complaints,
  };
}

function memberOf({ members }: Site, name: string): Member {
  const found = members.get(name);
  if (found === undefined) throw new Error(`no process '${name}'`);
  return found;
}

async function startMembers({ folder, env, services, members, complaints }: Site): Promise<void> {
  const shared = {
    catalog: { place: 'lake' },
    broker: { kafka: { bootstrap: [services.bootstrap] } },
    lake: services.lake,
    schedule: { redis: services.redisUrl },
    convert: { engines: 1 },
    streams: [{ name: 'events', shards: SHARDS }],
    deliveries: DELIVERIES,
  };
  const complain = (text: string): number => complaints.push(text);
  const starts = ROLES.map(async ({ name, roles }) => {
    const settings = { roles, ...shared };
    const options = { name, folder: join(folder, 'processes'), port: await freeLowPort(), settings, env, complain };
    members.set(name, await startMember(options));
  });
  await Promise.all(starts);
}

/**
 * Lets every fault happen, those of one target one after the other with some life in between; a round lasts until something was acknowledged
 * in it. So a slow machine takes longer, and does not come to be down all the time. Gives the
 * number of rounds when the last fault is healed.
 */
async function suffer(
  site: Site,
  plan: readonly Fault[],
  {
    rounds,
    progress,
    enough,
  }: { readonly rounds: number; readonly progress: (text: string) => void; readonly enough: AbortSignal | undefined },
): Promise<number> {
  const busy = new Map<Target, Promise<void>>();
  const failures: unknown[] = [];
  const { ledger, complaints } = site;
  let round = 0;
  while (round < rounds) {
    if (enough?.aborted === true) break;
    round++;
    const before = ledger.acknowledgements;
    for (const fault of plan.filter((one) => one.round === round)) {
      await busy.get(fault.target);
      const over = sleep(fault.delayMs)
        .then(() => happen(site, fault))
        .then(() => sleep(LIFE_MS))
        .catch((error: unknown) => void failures.push(error));
      busy.set(fault.target, over);
    }
    await sleep(ROUND_MS);
    for (let left = ACKNOWLEDGED_MS_MAX / 100; ledger.acknowledgements === before && left > 0; left--) await sleep(100);
    if (ledger.acknowledgements === before) {
      throw new Error(`nothing was acknowledged within ${ACKNOWLEDGED_MS_MAX / 1000} s in round ${round}`);
    }
    compactSoon(site, round);
    if (failures.length > 0) throw failures[0];
    if (round % 10 === 0) {
      progress(`round ${round}: ${ledger.acknowledgements} acknowledgements, ${complaints.length} complaints`);
    }
  }
  await Promise.all(busy.values());
  if (failures.length > 0) throw failures[0];
  return round;
}

/** A process that is away does not answer, and another round comes. */
function compactSoon(site: Site, round: number): void {
  const { url } = memberOf(site, round % 2 === 0 ? 'deliver-1' : 'deliver-2');
  for (const { name } of DELIVERIES) {
    const asked = { method: 'POST', signal: AbortSignal.timeout(ROUND_MS) };
    fetch(`${url}/v1/deliveries/${name}/compaction`, asked).catch(() => undefined);
  }
}

async function happen(site: Site, { target, kind, forMs, step }: Fault): Promise<void> {
  const { services } = site;
  if (kind === 'flush') return services.flushRedis();
  if (target === 'kafka' || target === 's3' || target === 'redis') return services[target].bounce(forMs);
  const member = memberOf(site, target);
  if (kind === 'freeze') return member.freeze(forMs);
  return member.kill(forMs, step);
}

/** Everything lands and is compacted, and the processes stop in order. */
async function settle(site: Site, progress: (text: string) => void): Promise<void> {
  for (const { name } of DELIVERIES) await flushed(memberOf(site, 'deliver-1').url, name);
  progress('everything has landed');
  for (const { name } of DELIVERIES) await compacted(memberOf(site, 'deliver-1').url, name);
  await Promise.all([...site.members.values()].map((one) => one.stop()));
}

async function check({ services, ledger }: Site): Promise<ClusterVerdict> {
  const found = { landed: 0, rejected: 0, lost: 0, doubled: 0, files: 0, complaints: [] as string[] };
  for (const delivery of DELIVERIES) {
    const ids = await readLake(services.view, delivery.name);
    const verdict = judge(ids, ledger, { dedupe: 'dedupe' in delivery });
    const complaint = complaintOf(verdict);
    if (complaint !== undefined) found.complaints.push(`${delivery.name}: ${complaint}`);
    found.landed += ids.rows;
    found.rejected += ids.rejected;
    found.files += ids.files;
    found.lost += verdict.lost.length;
    found.doubled += verdict.doubled.length;
  }
  return found;
}

/** Asks until it is so: what was healed a moment ago may not be back yet. */
async function flushed(url: string, delivery: string): Promise<void> {
  for (const fromMs = performance.now(); ; await sleep(500)) {
    const told = await fetch(`${url}/v1/deliveries/${delivery}/flush`, {
      method: 'POST',
      signal: AbortSignal.timeout(60_000),
    }).then(
      async (answer) => (answer.ok ? undefined : `${answer.status} ${await answer.text()}`),
      (error: unknown) => String(error),
    );
    if (told === undefined) return;
    if (performance.now() - fromMs < SETTLE_MS_MAX) continue;
    const status = await fetch(`${url}/v1/status`).then((answer) => answer.text(), String);
    throw new Error(
      `${delivery} does not land within ${SETTLE_MS_MAX / 1000} s after all is healed: ${told}\n${status}`,
    );
  }
}

/** One run from beginning to end: it finds the log as faults have left it, and leaves nothing half done. */
async function compacted(url: string, delivery: string): Promise<void> {
  const at = `${url}/v1/deliveries/${delivery}/compaction`;
  for (let method = 'POST'; ; method = 'GET') {
    const answer = await fetch(at, { method, signal: AbortSignal.timeout(SETTLE_MS_MAX) });
    const status = (await answer.json()) as { running?: object; last?: { outcome: string } };
    if (!answer.ok) throw new Error(`compaction of ${delivery}: ${answer.status} ${JSON.stringify(status)}`);
    if (status.running === undefined) return;
    await sleep(100);
  }
}

/** Files that merged ones took the place of, as the processes logged it. */
function filesMerged({ folder }: Site): number {
  const logs = ROLES.map(({ name }) => readFileSync(join(folder, 'processes', `${name}.log`), 'utf8'));
  const runs = logs.join('\n').matchAll(/"filesBefore":(\d+),.*"message":"compacted"/g);
  return [...runs].reduce((sum, [, files]) => sum + Number(files), 0);
}

/** The ledger and the bucket as its server keeps it, with the logs of the processes. */
function keepLake({ folder, ledger, services }: Site): string {
  writeFileSync(join(folder, 'ledger.json'), JSON.stringify([...ledger.events]));
  cpSync(services.s3Server.folder, join(folder, 's3'), { recursive: true });
  return folder;
}
