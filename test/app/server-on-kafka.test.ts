/** A whole server with its streams on Kafka: what it promises there, through restarts of either. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Kafka, logLevel } from 'kafkajs';
import { expect, test, vi } from 'vitest';
import type { RunningServer } from '../../src/app/compose.ts';
import { landedIds } from '../hostile/lake-reader.ts';
import {
  aFlow,
  api,
  aPlace,
  flush,
  MAIN,
  must,
  type Place,
  put,
  startIn,
  statusOf,
} from '../hostile/running-server.ts';
import { describeOnKafka, type TestKafka } from '../broker/test-kafka.ts';

vi.setConfig({ testTimeout: 120_000 });

function onKafka({ bootstrap }: TestKafka): Promise<Place> {
  return aPlace({ broker: { kafka: { bootstrap: [bootstrap] } } });
}

/** A process of its own that may have to wait. */
function startingIn(place: Place) {
  const child = spawn(process.execPath, [MAIN, 'serve', '--json'], { cwd: place.folder, stdio: 'pipe' });
  const exit = once(child, 'close');
  const waits = Promise.withResolvers<string>();
  const ready = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const { url, message } = JSON.parse(line) as { url?: string; message?: string };
      if (url !== undefined) (message === undefined ? ready : waits).resolve(url);
    });
  }
  return { child, exit, waitsAt: waits.promise, readyAt: ready.promise };
}

const numbers = (from: number, to: number): { id: number }[] =>
  Array.from({ length: to - from }, (_, i) => ({ id: from + i }));

await describeOnKafka('a server with its streams on Kafka', (kafka) => {
  test('lands every record once, through a restart with records waiting', async () => {
    const place = await onKafka(kafka());
    let server = await startIn(place);
    try {
      let { url } = server.address;
      await aFlow(url, {}, { shards: 3 });
      expect((await put(url, numbers(0, 500))).json).toMatchObject({ accepted: 500 });
      expect(await flush(url)).toMatchObject({ rows: 500 });
      await put(url, numbers(500, 700));
      await server.close('restart');
      server = await startIn(place);
      ({ url } = server.address);
      await put(url, numbers(700, 1000));
      expect(await flush(url)).toMatchObject({ state: 'running', lostOffsets: 0 });
      expect((await landedIds(place.lake, 'd')).map(Number).toSorted((a, b) => a - b)).toEqual(
        numbers(0, 1000).map(({ id }) => id),
      );
    } finally {
      await server.close('test over');
      await place.dispose();
    }
  });

  test('heals by itself when Kafka was killed and comes back', async () => {
    const place = await onKafka(kafka());
    const server = await startIn(place);
    try {
      const { url } = server.address;
      await aFlow(url);
      await put(url, numbers(0, 10));
      await flush(url);
      await kafka().kill();
      const refused = put(url, [{ id: 10 }]);
      await kafka().restart();
      // Taken or refused, but answered; refused ones are sent again, and may then be there twice.
      const { status } = await refused;
      expect([200, 207]).toContain(status);
      await vi.waitFor(async () => expect((await put(url, [{ id: 11 }])).json).toMatchObject({ accepted: 1 }), {
        timeout: 60_000,
        interval: 200,
      });
      await vi.waitFor(() => flush(url), { timeout: 60_000, interval: 200 });
      expect(await statusOf(url)).toMatchObject({ state: 'running', lostOffsets: 0 });
      const landed = (await landedIds(place.lake, 'd')).map(Number);
      for (const { id } of numbers(0, 10)) expect(landed.filter((one) => one === id)).toEqual([id]);
      expect(landed).toContain(11);
    } finally {
      await server.close('test over');
      await place.dispose();
    }
  });

  test('that starts while Kafka is away waits for it, alive and not ready, and ends when told to meanwhile', async () => {
    const settings = { broker: { kafka: { bootstrap: [kafka().bootstrap] } }, streams: [{ name: 's' }] };
    const place = await aPlace({ ...settings, telemetry: { level: 'warn' } });
    await kafka().kill();
    const first = startingIn(place);
    try {
      const url = await first.waitsAt;
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      expect(await api(`${url}/readyz`, 'GET')).toMatchObject({ status: 503, json: { status: 'not ready' } });
      expect(await (await fetch(`${url}/metrics`)).text()).toContain('lakeward_app_waiting{for="kafka"} 1');
      expect((await put(url, [{ id: 1 }])).json).toMatchObject({
        error: { code: 'broker-unavailable', retryable: true },
      });
    } finally {
      first.child.kill('SIGTERM');
      expect(await first.exit).toEqual([130, null]);
    }
    const second = startingIn(place);
    try {
      await second.waitsAt;
      await kafka().restart();
      const url = await second.readyAt;
      expect((await put(url, [{ id: 1 }])).json).toMatchObject({ accepted: 1 });
      expect((await api(`${url}/readyz`, 'GET')).status).toBe(200);
    } finally {
      second.child.kill('SIGTERM');
      await second.exit;
      await place.dispose();
    }
  });

  test('starts although the topics of all its streams are gone, says so of each, and goes on when those are deleted', async () => {
    const place = await onKafka(kafka());
    let server = await startIn(place);
    const { id } = await must<{ id: string }>(`${server.address.url}/v1/streams`, 'POST', { name: 's' });
    await server.close('restart');
    const admin = new Kafka({ brokers: [kafka().bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [`lakeward-${id}`] });
    await admin.disconnect();
    server = await startIn(place);
    try {
      const { url } = server.address;
      expect((await put(url, [{ id: 1 }])).json).toMatchObject({
        error: { code: 'broker-changed', message: expect.stringContaining('delete the stream') as string },
      });
      await must(`${url}/v1/streams/s`, 'DELETE');
      await must(`${url}/v1/streams`, 'POST', { name: 's' });
      expect((await put(url, [{ id: 1 }])).json).toMatchObject({ accepted: 1 });
    } finally {
      await server.close('test over');
      await place.dispose();
    }
  });

  test('does not start on streams that are kept elsewhere', async () => {
    const place = await onKafka(kafka());
    const file = join(place.folder, 'lakeward.yaml');
    const settings = JSON.parse(await readFile(file, 'utf8')) as Record<string, object>;
    const { broker, ...embedded } = settings;
    let server: RunningServer = await startIn(place);
    await must(`${server.address.url}/v1/streams`, 'POST', { name: 's' });
    await server.close('restart');

    await writeFile(file, JSON.stringify(embedded));
    await expect(startIn(place)).rejects.toMatchObject({
      code: 'broker-changed',
      message: expect.stringContaining('put broker.kafka back') as string,
    });
    await rm(join(place.folder, 'data'), { recursive: true });
    server = await startIn(place);
    await must(`${server.address.url}/v1/streams`, 'POST', { name: 's' });
    await server.close('restart');

    await writeFile(file, JSON.stringify({ ...embedded, broker }));
    await expect(startIn(place)).rejects.toMatchObject({
      code: 'broker-changed',
      message: expect.stringContaining('leave broker.kafka out') as string,
    });
    await place.dispose();
  });
});
