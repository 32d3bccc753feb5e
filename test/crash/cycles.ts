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
import { LANDING_STEPS } from '../../src/landing/steps.ts';
import { checkLake, complaint } from './checker.ts';
import { type Ledger, produce } from './producer.ts';

export interface CrashRun {
  readonly cycles: number;
  readonly seed: number;
  /** Cycles between two checks. */
  readonly checkEvery: number;
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

/** How long a life may take to come to its step. */
const STEP_MS_MAX = 4000;
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

function writeConfig(folder: string, port: number): string {
  const flush = { age: '250ms', bytes: '64KiB' };
  const config = join(folder, 'lakeward.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      server: { port },
      data: { folder: join(folder, 'data') },
      lake: { folder: join(folder, 'lake') },
      streams: [{ name: 'events', shards: 2 }],
      deliveries: [
        { name: 'hourly', stream: 'events', eventTime: 'event_time', schema: { avro: AVRO }, start: 'earliest', flush },
        { name: 'by-client', stream: 'events', format: 'ndjson', layout: 'client={client}/', start: 'earliest', flush },
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
  const config = writeConfig(folder, port);
  const ledger: Ledger = { sent: new Set(), acknowledged: new Set() };
  const stop = new AbortController();
  const url = `http://127.0.0.1:${port}`;
  const producers = CLIENTS.map((client, i) =>
    produce({ client, stream: 'events', url, seed: run.seed * 31 + i, ledger, signal: stop.signal }),
  );
  const kills: Record<string, number> = {};
  const complaints: string[] = [];
  const counts = { landed: 0, rejected: 0 };
  try {
    for (let cycle = 1; cycle <= run.cycles; cycle++) {
      const kill = await crashOnce(config, port, { cycle, random });
      kills[kill] = (kills[kill] ?? 0) + 1;
      if (cycle % run.checkEvery !== 0 && cycle !== run.cycles) continue;
      if (cycle === run.cycles) {
        stop.abort();
        await Promise.all(producers);
      }
      complaints.push(
        ...(await settleAndCheck({ folder, config, port, ledger, counts })).map(
          (text) => `after cycle ${cycle}: ${text}`,
        ),
      );
      run.progress?.(
        `cycle ${cycle}: ${ledger.acknowledged.size} acknowledged, ${counts.landed} landed, ${counts.rejected} rejected, ${complaints.length} complaints`,
      );
      if (complaints.length > 0) break;
    }
  } finally {
    stop.abort();
    await Promise.all(producers);
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

/** One life of the server and its end; says how it ended. The first cycles go through every named step once, in order. */
async function crashOnce(
  config: string,
  port: number,
  { cycle, random }: { cycle: number; random: () => number },
): Promise<string> {
  const dice = random();
  const turn = 1 + Math.floor(random() * 4);
  const first = LANDING_STEPS[cycle - 1];
  if (first !== undefined) return crashAtStep(config, port, `${first}:1`);
  if (dice < 0.5)
    return crashAtStep(config, port, `${LANDING_STEPS[Math.floor(random() * LANDING_STEPS.length)]}:${turn}`);
  const server = await startServerProcess({ config, port });
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
async function crashAtStep(config: string, port: number, at: string): Promise<string> {
  const [step] = at.split(':');
  const server = await startOrCrash(config, port, { LAKEWARD_CRASH_AT: at });
  if (server === undefined) return `at ${step}`;
  const late = await Promise.race([server.exited.then(() => false), sleep(STEP_MS_MAX, true)]);
  await kill(server);
  return late ? `before ${step}` : `at ${step}`;
}

async function startOrCrash(
  config: string,
  port: number,
  env: Record<string, string>,
): Promise<ServerProcess | undefined> {
  try {
    return await startServerProcess({ config, port, env });
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
  readonly folder: string;
  readonly config: string;
  readonly port: number;
  readonly ledger: Ledger;
  readonly counts: { landed: number; rejected: number };
}): Promise<string[]> {
  const server = await startServerProcess({ config: at.config, port: at.port });
  const acknowledged = new Set(at.ledger.acknowledged);
  for (const name of DELIVERIES) {
    const answer = await fetch(`${server.url}/v1/deliveries/${name}/flush`, { method: 'POST' });
    if (!answer.ok) throw new Error(`flush of ${name}: ${answer.status} ${await answer.text()}\n${server.log()}`);
  }
  await server.stop();
  const complaints: string[] = [];
  at.counts.landed = 0;
  at.counts.rejected = 0;
  for (const name of DELIVERIES) {
    const findings = await checkLake(join(at.folder, 'lake'), name, { sent: at.ledger.sent, acknowledged });
    at.counts.landed += findings.landed;
    at.counts.rejected += findings.rejected;
    const text = complaint(findings);
    if (text !== undefined) complaints.push(`${name}: ${text}`);
  }
  return complaints;
}
