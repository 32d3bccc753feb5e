/** The one command that starts everything, as a person uses it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { missingKafka } from '../../infra/dev/kafka-install.ts';
import { missingRedis } from '../../infra/dev/redis-server.ts';
import { missing } from '../../infra/dev/s3-install.ts';
import { aFlow, flush, put } from '../hostile/running-server.ts';

const UP = fileURLToPath(new URL('../../infra/dev/up.ts', import.meta.url));
const NAME = 'dev:up starts engines and processes, which land together, and leaves none behind on Ctrl-C';
const lack = [await missingKafka(), await missing('versitygw'), await missingRedis()].find((it) => it !== undefined);
const isSkipped = lack !== undefined && process.env['CI'] !== 'true';

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test.skipIf(isSkipped)(
  isSkipped ? `${NAME} (skipped: ${lack})` : NAME,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lakeward-up-'));
    const up = spawn(process.execPath, [UP, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(up, 'exit');
    try {
      let said = '';
      up.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      const ready = async (): Promise<void> => {
        while (!said.includes('ready:') && up.exitCode === null) await once(up.stdout, 'data');
      };
      await Promise.race([ready(), exited]);
      const lines = [...said.matchAll(/^(\S+) +(\S+) +pid (\d+)$/gm)];
      const urlOf = Object.fromEntries(lines.map(([, name = '', url = '']) => [name, url]));
      const names = ['kafka', 's3', 'redis', 'ingest-1', 'ingest-2', 'deliver-1', 'deliver-2'];
      expect(Object.keys(urlOf)).toEqual(names);
      const pids = lines.map(([, , , pid]) => Number(pid));
      expect(pids.filter(isAlive)).toEqual(pids);

      const [one = '', two = '', landing = ''] = ['ingest-1', 'ingest-2', 'deliver-2'].map((name) => urlOf[name]);
      await aFlow(one);
      expect((await put(one, [{ id: 1 }])).json).toMatchObject({ accepted: 1 });
      await vi.waitFor(async () => expect((await put(two, [{ id: 2 }])).status).toBe(200), { timeout: 20_000 });
      await vi.waitFor(async () => expect(await flush(landing)).toMatchObject({ rows: 2 }), { timeout: 30_000 });

      up.kill('SIGINT');
      expect(await exited).toEqual([0, null]);
      expect(pids.filter(isAlive)).toEqual([]);
    } finally {
      up.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  },
  240_000,
);
