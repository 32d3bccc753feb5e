import { beforeAll, describe, expect, test, vi } from 'vitest';
import { verifyLog } from '../../src/broker/embedded/verify.ts';
import type { Broker } from '../../src/ports/broker.ts';
import { readAll, startOf } from './read-all.ts';
import { LOG_FOLDER, LOG_ID, LOG_SHARDS, restored, segmentFiles, smallLog, snapshot } from './small-log.ts';

// Exhaustive over bytes: seconds alone, more on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

/** What a damaged log must still do: serve what is sound, name what is not, take appends, give no offset twice. */
async function servesTheRest(
  broker: Broker,
  log: ReturnType<typeof smallLog>,
  known: ReadonlyMap<string, string>,
): Promise<{ lost: string[]; damaged: number }> {
  const { records, gaps, next } = await readAll(broker, LOG_ID, startOf(LOG_SHARDS), 200);
  const present = new Map(records.map(({ shard, offset, data }) => [`${shard}/${offset}`, data]));
  for (const [place, data] of present) expect(known.get(place)).toBe(data);
  const lost = [...known.keys()].filter((place) => !present.has(place));
  for (const place of lost) {
    const [shard, offset] = place.split('/').map(Number) as [number, number];
    expect(gaps.some((gap) => gap.shard === shard && gap.from <= offset && offset < gap.to)).toBe(true);
  }
  for (let shard = 0; shard < LOG_SHARDS; shard++) await log.append(broker, shard, 'after');
  for (const place of log.records.keys()) expect(known.has(place)).toBe(false);
  const after = await readAll(broker, LOG_ID, next);
  expect(after.records).toHaveLength(LOG_SHARDS);
  return { lost, damaged: gaps.filter(({ cause }) => cause === 'damaged').length };
}

describe('a damaged log', () => {
  let files: Map<string, Uint8Array>;
  let known: Map<string, string>;
  let segments: string[];

  beforeAll(async () => {
    const log = smallLog();
    const broker = await log.open();
    for (let i = 0; i < 14; i++) await log.append(broker, i % 2, `${i}a`, `${i}bb`);
    await broker.close();
    files = snapshot(log.disk);
    known = log.records;
    segments = segmentFiles(log.disk);
    expect(segments.length).toBeGreaterThan(2);
  });

  const damagedBy = (path: string, change: (content: Uint8Array) => Uint8Array): ReturnType<typeof smallLog> => {
    const log = smallLog(restored(files));
    log.disk.poke(path, change(log.disk.peek(path) as Uint8Array));
    return log;
  };
  const flip = (at: number) => (content: Uint8Array) => {
    content[at] = (content[at] as number) ^ (1 << (at % 8));
    return content;
  };

  test('every flipped bit of every segment is named by verification', async () => {
    expect((await verifyLog({ folder: '/log', fileSystem: restored(files) }))[0]?.sound).toBe(true);
    for (const path of segments) {
      for (let at = 0; at < (files.get(path)?.length ?? 0); at++) {
        const [report] = await verifyLog({ folder: '/log', fileSystem: damagedBy(path, flip(at)).disk });
        const bad = report?.segments.find(({ file }) => path.endsWith(file));
        const seen = report?.sound === false || (bad?.tornBytes ?? 0) > 0;
        expect(`${path} ${at} ${seen}`).toBe(`${path} ${at} true`);
      }
    }
  });

  test('every flipped byte of every segment costs at most its own frame, found at the start or when read', async () => {
    for (const path of segments) {
      for (let at = 0; at < (files.get(path)?.length ?? 0); at++) {
        const log = damagedBy(path, flip(at));
        const broker = await log.open();
        const { lost, damaged } = await servesTheRest(broker, log, known).catch((error: unknown) => {
          throw new Error(`flip of byte ${at} of ${path}`, { cause: error });
        });
        expect(lost.length).toBeLessThanOrEqual(2);
        if (lost.length > 0) expect(damaged).toBeGreaterThan(0);
        await broker.close();
      }
    }
  });

  test('every flipped byte is found without index files, and a tail is cut rather than damaged', async () => {
    const path = segments.at(-1) as string;
    for (let at = 0; at < (files.get(path)?.length ?? 0); at++) {
      const log = damagedBy(path, flip(at));
      for (const name of log.disk.paths()) if (name.endsWith('.index')) await log.disk.remove(name);
      const broker = await log.open();
      const { lost } = await servesTheRest(broker, log, known);
      expect(lost.length).toBeLessThanOrEqual(4);
      await broker.close();
      const again = await log.open();
      await servesTheRest(again, { ...log, records: new Map() }, new Map([...known, ...log.records]));
      await again.close();
    }
  });

  test('a byte flipped among frames of the last segment names the records it took as damaged, and hardly any other', async () => {
    const log = smallLog();
    const broker = await log.open({ segmentBytes: 10_000 });
    for (let i = 0; i < 14; i++) await log.append(broker, i % 2, `${i}a`, `${i}bb`);
    await broker.close();
    const [path] = segmentFiles(log.disk);
    const content = log.disk.peek(path as string) as Uint8Array;
    const whole = snapshot(log.disk);
    for (const name of whole.keys()) if (name.endsWith('.index')) whole.delete(name);
    let named = 0;
    for (let at = 0; at < content.length; at++) {
      const again = smallLog(restored(whole));
      again.disk.poke(path as string, flip(at)(content.slice()));
      const reader = await again.open({ segmentBytes: 10_000 });
      const { records, gaps } = await readAll(reader, LOG_ID, startOf(LOG_SHARDS));
      const present = new Set(records.map(({ shard, offset }) => `${shard}/${offset}`));
      const lost = [...log.records.keys()].filter((place) => !present.has(place));
      const damaged = gaps.filter(({ cause }) => cause === 'damaged');
      const places = damaged.flatMap(({ shard, from, to }) =>
        Array.from({ length: to - from }, (_, i) => `${shard}/${from + i}`),
      );
      if (damaged.length > 0) expect(`${at} ${lost.filter((place) => !places.includes(place)).join()}`).toBe(`${at} `);
      expect(places.length).toBeLessThanOrEqual(lost.length + 4);
      named += damaged.length;
      await reader.close();
    }
    expect(named).toBeGreaterThan(0);
  });

  test('every truncation of every segment loses only what was cut, and never an offset twice', async () => {
    for (const path of segments) {
      for (let length = 0; length < (files.get(path)?.length ?? 0); length++) {
        const log = damagedBy(path, (content) => content.slice(0, length));
        const broker = await log.open();
        await servesTheRest(broker, log, known).catch((error: unknown) => {
          throw new Error(`${path} cut to ${length}`, { cause: error });
        });
        await broker.close();
      }
    }
  });

  test('a missing segment is a gap, wherever it was', async () => {
    for (const path of segments) {
      for (const withIndex of [true, false]) {
        const log = smallLog(restored(files));
        await log.disk.remove(path);
        if (!withIndex) await log.disk.remove(path.replace('.log', '.index'));
        const broker = await log.open();
        const { lost } = await servesTheRest(broker, log, known);
        expect(lost.length).toBeGreaterThan(0);
        await broker.close();
      }
    }
  });

  test('damage found while reading is reported again by the next start, from the state or without it', async () => {
    const path = segments[1] as string;
    for (const forget of ['', 'state.json', '.index']) {
      const log = damagedBy(path, flip((files.get(path)?.length ?? 0) - 20));
      const first = await log.open();
      const { lost } = await servesTheRest(first, log, known);
      expect(lost).not.toHaveLength(0);
      await first.close();
      expect(segmentFiles(log.disk)).toContain(path.replace('.log', '.damaged'));
      for (const name of log.disk.paths()) if (forget !== '' && name.endsWith(forget)) await log.disk.remove(name);
      const again = await log.open();
      const report = await again.open({ id: LOG_ID, shardCount: LOG_SHARDS, retentionMs: 3_600_000 });
      const offsets = report.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
      if (forget === '') expect(offsets).toBe(lost.length);
      await servesTheRest(again, { ...log, records: new Map() }, new Map([...known, ...log.records]));
      await again.close();
    }
  });

  test('rubbish in place of any small file costs no record', async () => {
    for (const path of [...files.keys()].filter((name) => !name.endsWith('.log'))) {
      const log = damagedBy(path, () => new Uint8Array(300).fill(7));
      const broker = await log.open();
      expect((await servesTheRest(broker, log, known)).lost).toEqual([]);
      await broker.close();
    }
  });

  test('is served although sectors cannot be read', async () => {
    const log = smallLog(restored(files));
    const bad = segments[1] as string;
    log.disk.fault = (call, path) => (call === 'read' && path === bad ? 'EIO' : undefined);
    const broker = await log.open();
    const { records } = await readAll(broker, LOG_ID, startOf(LOG_SHARDS));
    expect(records.length).toBeGreaterThan(10);
    expect(log.disk.paths().some((path) => path.startsWith(LOG_FOLDER))).toBe(true);
    await broker.close();
  });
});
