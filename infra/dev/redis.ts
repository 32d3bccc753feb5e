/**
 * A Redis for a developer: `npm run dev:redis -- start [folder] | stop | install`. `start` installs it when needed, prints how to reach it, and
 * leaves it running; `stop` ends it by the pid `start` noted. What it keeps is there at the next start.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { installRedis, type RedisAddress, startRedis } from './redis-server.ts';
import { CACHE } from './s3-install.ts';

const NOTE = join(CACHE, 'dev', 'redis.json');
const [, , action = '', folder] = process.argv;

function running(): RedisAddress | undefined {
  try {
    const address = JSON.parse(readFileSync(NOTE, 'utf8')) as RedisAddress;
    process.kill(address.pid, 0);
    return address;
  } catch {
    return undefined;
  }
}

async function start(): Promise<RedisAddress> {
  const there = running();
  if (there !== undefined) return there;
  await installRedis();
  const home = resolve(folder ?? join(CACHE, 'dev', 'redis'));
  const { pid, url } = await startRedis({ folder: home, detached: true });
  mkdirSync(join(CACHE, 'dev'), { recursive: true });
  writeFileSync(NOTE, `${JSON.stringify({ pid, url }, null, 2)}\n`);
  return { pid, url };
}

if (action === 'install') await installRedis();
else if (action === 'start') {
  const { pid, url } = await start();
  process.stdout.write(`Redis runs as pid ${pid} at ${url}\nschedule: { redis: { url: '${url}' } }\n`);
} else if (action === 'stop') {
  const address = running();
  if (address !== undefined) process.kill(address.pid, 'SIGTERM');
  rmSync(NOTE, { force: true });
} else {
  process.stderr.write('usage: npm run dev:redis -- start [folder]|stop|install\n');
  process.exitCode = 2;
}
