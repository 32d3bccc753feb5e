/**
 * Crash cycles: a real server is started, written to through HTTP, and killed with SIGKILL: at a random moment, at a named step of
 * landing, or after one of its engines was killed. Every so often it is left alive to land what is pending, and the lake is checked.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from '../bench/clickstream.ts';
import { treeOf } from '../bench/process-tree.ts';
import { type ServerProcess, freePort, startServerProcess } from '../bench/server-process.ts';
import type { S3Kind } from '../../infra/dev/s3-install.ts';
import { LANDING_STEPS } from '../../src/landing/steps.ts';
import { bucketLake, type CrashLake, folderLake } from './crash-lake.ts';
import { checkLake, complaint } from './checker.ts';
import { type Ledger, produce } from './producer.ts';

export interface CrashRun {
  readonly cycles: number;
  readonly seed: number;
  /** Cycles between two checks. */
  readonly checkEvery: number;
  /** A folder, or the S3 server that holds the lake and is killed, too. */
  readonly lake?: 'folder' | S3Kind;
  /** Producers send events again, and the deliveries drop duplicates. */
  readonly dedupe?: boolean;
  /** The deliveries are compacted all the time; files are then not in the order of their events. */
  readonly compact?: boolean;
  progress?(text: string): void;
}

export interface CrashReport {
  readonly cycles: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly sent: number;
  readonly acknowledged: number;
  readonly landed: number;
  readonly rejected: number;
  /** What broke the promise; empty when it was kept. */
  readonly complaints: readonly string[];
}

/** How long a life may take to come to its step; a lake behind a network comes to it later. */
const STEP_MS_MAX = { folder: 4000, bucket: 12_000 };
/** Each step once, however busy the machine is. */
const FIRST_STEP_MS_MAX = 60_000;
const CLIENTS = ['a1', 'b2', 'c3', 'd4'];
const DELIVERIES = ['hourly', 'by-client'] as const;
const AVRO = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'event_id', type: 'string' },
    { name: 'client', type: 'string' },
    { name: 'counter', type: 'long' },
    { name: 'event_time', type: 'string' },
    { name: 'note', type: ['null', 'string'] },
  ],
};

/** Longer than producers send the same event again, short enough that ids are forgotten while it runs. */
const DEDUPE = { key: 'event_id', window: '8s' };

/** Of a compaction, as the server is told to die at them. */
const MERGE_STEPS = ['staged', 'entry-created', 'published-one', 'removed-one', 'published'].map(
  (step) => `merge-${step}`,
);

/**
 * The steps a run goes through: those of a merge, or of a landing; those of event ids only when duplicates are dropped. A sweep comes right after a
 * death that leaves stages to sweep: any other life may sweep them.
 */
export function stepsOf({ dedupe = false, compact = false }: Pick<CrashRun, 'dedupe' | 'compact'>): readonly string[] {
  if (compact) return MERGE_STEPS;
  const early = ['staged', 'swept'] as const;
  const later = LANDING_STEPS.filter((step) => !early.some((one) => one === step) && step !== 'removed-one');
  return [...early, ...later.filter((step) => dedupe || !step.startsWith('keys-'))];
}

const COMPACT_EVERY_MS = 100;

/** Asks for compactions again and again, whatever the server answers, until the signal. */
async function compactAlways(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const name of DELIVERIES) {
      await fetch(`${url}/v1/deliveries/${name}/compaction`, { method: 'POST', signal }).catch(() => undefined);
    }
    await sleep(COMPACT_EVERY_MS);
  }
}

function writeConfig(
  folder: string,
  port: number,
  { lake, dedupe, compact }: { lake: object; dedupe: boolean; compact: boolean },
): string {
  const shared = { stream: 'events', start: 'earliest', ...(dedupe ? { dedupe: DEDUPE } : {}) };
  const merging = compact ? { compaction: { readers: 'listing', after: '0s', sort: 'none' } } : {};
  const flush = { age: '250ms', bytes: '64KiB' };
  const config = join(folder, 'lakeward.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      server: { port },
      data: { folder: join(folder, 'data') },
      lake,
      streams: [{ name: 'events', shards: 2 }],
      deliveries: [
        { name: 'hourly', ...shared, ...merging, eventTime: 'event_time', schema: { avro: AVRO }, flush },
        { name: 'by-client', ...shared, ...merging, format: 'ndjson', layout: 'client={client}/', flush },
      ],
    }),
  );
  return config;
}

/** Runs the cycles and gives what was found; throws only when a server cannot be started or does not answer. */
export async function runCrashCycles(run: CrashRun): Promise<CrashReport> {
  const folder = mkdtempSync(join(tmpdir(), 'lakeward-crash-'));
  const random = seeded(run.seed);
  const port = await freePort();
  const { dedupe = false, compact = false } = run;
  const steps = stepsOf(run);
  const kind = run.lake ?? 'folder';
  const lake =
    kind === 'folder' ? folderLake(join(folder, 'lake')) : await bucketLake(kind, { seed: run.seed, scratch: folder });
  const config = writeConfig(folder, port, { lake: lake.config, dedupe, compact });
  const site: Site = { config, port, lake, kind: kind === 'folder' ? 'folder' : 'bucket' };
  const ledger: Ledger = { sent: new Set(), acknowledged: new Set() };
  const stop = new AbortController();
  const url = `http://127.0.0.1:${port}`;
  const producers = CLIENTS.map((client, i) =>
    produce({ client, stream: 'events', url, seed: run.seed * 31 + i, ledger, signal: stop.signal, resend: dedupe }),
  );
  if (compact) producers.push(compactAlways(url, stop.signal));
  const kills: Record<string, number> = {};
  const complaints: string[] = [];
  const counts = { landed: 0, rejected: 0 };
  try {
    for (let cycle = 1; cycle <= run.cycles; cycle++) {
      const [kill, away] = await Promise.all([crashOnce(site, { cycle, random, steps }), lake.disturb(random)]);
      for (const what of away ? [kill, 'S3 server'] : [kill]) kills[what] = (kills[what] ?? 0) + 1;
      if (cycle % run.checkEvery !== 0 && cycle !== run.cycles) continue;
      if (cycle === run.cycles) {
        stop.abort();
        await Promise.all(producers);
      }
      complaints.push(
        ...(await settleAndCheck({ site, ledger, counts, compact })).map((text) => `after cycle ${cycle}: ${text}`),
      );
      run.progress?.(
        `cycle ${cycle}: ${ledger.acknowledged.size} acknowledged, ${counts.landed} landed, ${counts.rejected} rejected, ${complaints.length} complaints`,
      );
      if (complaints.length > 0) break;
    }
  } finally {
    stop.abort();
    await Promise.all(producers);
    await lake.close();
    if (complaints.length === 0) rmSync(folder, { recursive: true, force: true });
    else run.progress?.(`kept for inspection: ${folder}`);
  }
  return {
    cycles: run.cycles,
    kills,
    sent: ledger.sent.size,
    acknowledged: ledger.acknowledged.size,
    ...counts,
    complaints,
  };
}

/** Where the servers of a run live, one after the other. */
interface Site {
  readonly config: string;
  readonly port: number;
  readonly lake: CrashLake;
  readonly kind: keyof typeof STEP_MS_MAX;
}

/** One life of the server and its end; says how it ended. The first cycles go through every named step once, in order. */
async function crashOnce(
  site: Site,
  {
    cycle,
    random,
    steps,
  }: { readonly cycle: number; readonly random: () => number; readonly steps: readonly string[] },
): Promise<string> {
  const dice = random();
  const turn = 1 + Math.floor(random() * 4);
  const first = steps[cycle - 1];
  if (first !== undefined) return crashAtStep(site, `${first}:1`, FIRST_STEP_MS_MAX);
  if (dice < 0.5) return crashAtStep(site, `${steps[Math.floor(random() * steps.length)]}:${turn}`);
  const server = await start(site);
  if (dice < 0.7) {
    await sleep(200 + random() * 500);
    const engines = treeOf(server.pid).slice(1);
    const engine = engines[Math.floor(random() * engines.length)];
    if (engine !== undefined) killPid(engine);
  }
  await sleep(random() * 1200);
  await kill(server);
  return dice < 0.7 ? 'engine, then server' : 'at random';
}

/** The server kills itself at `<step>:<turn>`, or is killed when it has not come there in time. */
async function crashAtStep(site: Site, at: string, withinMs = STEP_MS_MAX[site.kind]): Promise<string> {
  const [step] = at.split(':');
  const server = await startOrCrash(site, { LAKEWARD_CRASH_AT: at });
  if (server === undefined) return `at ${step}`;
  const late = await Promise.race([server.exited.then(() => false), sleep(withinMs, true)]);
  await kill(server);
  return late ? `before ${step}` : `at ${step}`;
}

function start({ config, port, lake }: Site, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  return startServerProcess({ config, port, env: { ...lake.env, ...env } });
}

async function startOrCrash(site: Site, env: Readonly<Record<string, string>>): Promise<ServerProcess | undefined> {
  try {
    return await start(site, env);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('the server ended while starting')) return undefined;
    throw error;
  }
}

function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function kill(server: ServerProcess): Promise<void> {
  server.process.kill('SIGKILL');
  await server.exited;
}

/** Lets a server land everything, ends it, and checks both deliveries. Producers may go on meanwhile: what they send is in the ledger. */
async function settleAndCheck(at: {
  readonly site: Site;
  readonly ledger: Ledger;
  readonly counts: { landed: number; rejected: number };
  readonly compact: boolean;
}): Promise<string[]> {
  const { lake } = at.site;
  await lake.calm();
  const server = await start(at.site);
  const acknowledged = new Set(at.ledger.acknowledged);
  for (const name of DELIVERIES) {
    const answer = await fetch(`${server.url}/v1/deliveries/${name}/flush`, { method: 'POST' });
    if (!answer.ok) throw new Error(`flush of ${name}: ${answer.status} ${await answer.text()}\n${server.log()}`);
  }
  await server.stop();
  const complaints: string[] = [];
  at.counts.landed = 0;
  at.counts.rejected = 0;
  const folder = await lake.view();
  for (const name of DELIVERIES) {
    const findings = await checkLake(folder, name, { sent: at.ledger.sent, acknowledged });
    at.counts.landed += findings.landed;
    at.counts.rejected += findings.rejected;
    const text = complaint(at.compact ? { ...findings, disordered: [] } : findings);
    if (text !== undefined) complaints.push(`${name}: ${text}`);
  }
  lake.stir();
  return complaints;
}
