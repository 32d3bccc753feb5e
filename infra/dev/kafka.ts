/**
 * A Kafka for a developer: `npm run dev:kafka -- start [folder] | stop | install`. `start` installs it when needed, prints how to reach it,
 * and leaves it running; `stop` ends it by the pid `start` noted. What it keeps is there at the next start.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { installKafka } from './kafka-install.ts';
import { type KafkaAddress, startKafka } from './kafka-server.ts';
import { CACHE } from './s3-install.ts';

const NOTE = join(CACHE, 'dev', 'kafka.json');
const [, , action = '', folder] = process.argv;

function running(): KafkaAddress | undefined {
  try {
    const address = JSON.parse(readFileSync(NOTE, 'utf8')) as KafkaAddress;
    process.kill(address.pid, 0);
    return address;
  } catch {
    return undefined;
  }
}

async function start(): Promise<KafkaAddress> {
  const there = running();
  if (there !== undefined) return there;
  await installKafka();
  const home = resolve(folder ?? join(CACHE, 'dev', 'kafka'));
  const { pid, bootstrap } = await startKafka({ folder: home, detached: true });
  mkdirSync(join(CACHE, 'dev'), { recursive: true });
  writeFileSync(NOTE, `${JSON.stringify({ pid, bootstrap }, null, 2)}\n`);
  return { pid, bootstrap };
}

if (action === 'install') await installKafka();
else if (action === 'start') {
  const { pid, bootstrap } = await start();
  process.stdout.write(
    `Kafka runs as pid ${pid} at ${bootstrap}\nbroker: { kafka: { bootstrap: ['${bootstrap}'] } }\n`,
  );
} else if (action === 'stop') {
  const address = running();
  if (address !== undefined) process.kill(address.pid, 'SIGTERM');
  rmSync(NOTE, { force: true });
} else {
  process.stderr.write('usage: npm run dev:kafka -- start [folder]|stop|install\n');
  process.exitCode = 2;
}
