/**
 * Everything at once, without Docker: `npm run dev:up [-- folder]` starts Kafka, an S3 server and Redis, then two processes that take records
 * and two that deliver and compact, prints where each is, and stops all of them, in order and by their pids, on Ctrl-C. What they keep lies
 * in the folder (default `.cache/dev/up`) and is there at the next start.
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { installKafka } from './kafka-install.ts';
import { startKafka } from './kafka-server.ts';
import { installRedis, startRedis } from './redis-server.ts';
import { CACHE, install } from './s3-install.ts';
import { freeLowPort, type S3Process, startS3Server } from './s3-server.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const BUCKET = 'lake';
const PROCESSES = [
  { name: 'ingest-1', roles: ['ingest'] },
  { name: 'ingest-2', roles: ['ingest'] },
  { name: 'deliver-1', roles: ['deliver', 'compact'] },
  { name: 'deliver-2', roles: ['deliver', 'compact'] },
] as const;

interface Running {
  readonly name: string;
  readonly pid: number;
  readonly address: string;
  /** SIGTERM, and awaits the end. */
  stop(): Promise<void>;
}

/** In the order they were started. */
const running: Running[] = [];
let stopping: Promise<void> | undefined;

function started(name: string, address: string, child: Pick<S3Process, 'pid' | 'end'>): void {
  // A terminal's Ctrl-C must not reach them all at once, so they are groups of their own: none may outlive this process.
  const kill = (): void => {
    try {
      process.kill(child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    await child.end('SIGTERM');
    process.off('exit', kill);
  };
  running.push({ name, pid: child.pid, address, stop });
  process.stdout.write(`${name.padEnd(10)} ${address.padEnd(32)} pid ${child.pid}\n`);
}

/** The last first: processes land what waits while the others are there. Those of one kind at once. */
async function stopAll(): Promise<void> {
  const isOurs = ({ name }: Running): boolean => PROCESSES.some((one) => one.name === name);
  await Promise.allSettled(running.filter(isOurs).map((one) => one.stop()));
  for (const one of running.filter((other) => !isOurs(other)).toReversed()) await one.stop();
}

async function startServices(folder: string): Promise<{ settings: object; env: Record<string, string> }> {
  await Promise.all([installKafka(), install('versitygw'), installRedis()]);
  const portFile = join(folder, 'ports.json');
  if (!existsSync(portFile)) writeFileSync(portFile, JSON.stringify([await freeLowPort(), await freeLowPort()]));
  const [s3Port = 0, redisPort = 0] = JSON.parse(readFileSync(portFile, 'utf8')) as number[];

  const kafka = await startKafka({ folder: join(folder, 'kafka'), detached: true });
  started('kafka', kafka.bootstrap, kafka);
  const s3 = await startS3Server('versitygw', { folder: join(folder, 's3'), port: s3Port, detached: true });
  started('s3', s3.endpoint, s3);
  const redis = await startRedis({ folder: join(folder, 'redis'), port: redisPort, detached: true });
  started('redis', redis.url, redis);

  const { endpoint, region, accessKeyId, secretAccessKey } = s3;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET })).catch((error: unknown) => {
    if (!(error instanceof Error) || !/AlreadyOwnedByYou|AlreadyExists/.test(error.name)) throw error;
  });
  client.destroy();
  return {
    settings: {
      server: { port: 0 },
      catalog: { place: 'lake' },
      broker: { kafka: { bootstrap: [kafka.bootstrap] } },
      lake: { s3: { bucket: BUCKET, region, endpoint, pathStyle: true } },
      schedule: { redis: redis.url },
      convert: { engines: 1 },
    },
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  };
}

async function startProcess(
  { name, roles }: (typeof PROCESSES)[number],
  at: { readonly folder: string; readonly settings: object; readonly env: Record<string, string> },
): Promise<void> {
  const home = join(at.folder, name);
  mkdirSync(home, { recursive: true });
  // YAML takes JSON.
  writeFileSync(join(home, 'lakeward.yaml'), JSON.stringify({ roles, ...at.settings }, null, 2));
  const logFile = join(home, 'server.log');
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [MAIN, 'serve', '--json'], {
    cwd: home,
    env: { ...process.env, ...at.env },
    stdio: ['ignore', 'pipe', log],
    detached: true,
  });
  closeSync(log);
  const exited = once(child, 'exit');
  const told = child.stdout === null ? exited : once(child.stdout.setEncoding('utf8'), 'data');
  const ready = await Promise.race([told, exited.then(() => undefined)]);
  if (ready === undefined) throw new Error(`${name} ended\n${readFileSync(logFile, 'utf8').slice(-4096)}`);
  const { url } = JSON.parse(String(ready[0])) as { url: string };
  started(name, url, {
    pid: child.pid ?? 0,
    async end(signal) {
      child.kill(signal);
      await exited;
    },
  });
  void exited.then(() => {
    if (stopping === undefined) process.stderr.write(`${name} ended by itself, its log is ${logFile}\n`);
  });
}

function stop(): Promise<void> {
  return (stopping ??= stopAll());
}

const folder = resolve(process.argv[2] ?? join(CACHE, 'dev', 'up'));
// Children that are groups of their own do not keep a process alive.
const alive = setInterval(() => {}, 60_000);
const asked = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
mkdirSync(folder, { recursive: true });
try {
  const services = await startServices(folder);
  for (const one of PROCESSES) await startProcess(one, { folder, ...services });
  const first = running.find(({ name }) => name === PROCESSES[0].name);
  process.stdout.write(`ready: export LAKEWARD_URL=${first?.address}   (logs in ${folder}, Ctrl-C stops all)\n`);
  await asked;
  process.stdout.write('stopping\n');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : 'the start failed'}\n`);
  process.exitCode = 1;
}
await stop();
clearInterval(alive);
