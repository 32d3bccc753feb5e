import { describe, expect, test } from 'vitest';
import { openEmbeddedBroker } from '../../src/broker/embedded/embedded-broker.ts';
import { verifyLog } from '../../src/broker/embedded/verify.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { asShard } from '../../src/model/stream.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { powerCutFileSystem } from '../faults/power-cut-file-system.ts';
import { readAll, startOf } from './read-all.ts';
import { LOG_FOLDER, LOG_ID, LOG_SHARDS, segmentFiles, smallLog } from './small-log.ts';
import { textBatch } from './text-batch.ts';

const batch = (data: string, shard = 0) => textBatch([{ shard, key: 'k', data }], 0);

/** Lets the given calls fail, one after the other, each once. */
function failOnce(log: ReturnType<typeof smallLog>, ...faults: (readonly [call: string, code: string])[]): void {
  log.disk.fault = (call) => {
    if (faults[0]?.[0] !== call) return undefined;
    return faults.shift()?.[1];
  };
}

describe('a failing disk', () => {
  test.each(['sync', 'write'])(
    'a %s that fails once is made good in a new segment, and every record is there once',
    async (call) => {
      const log = smallLog();
      const broker = await log.open();
      await log.append(broker, 0, 'before');
      failOnce(log, [call, 'EIO']);
      await log.append(broker, 0, 'during', 'during too');
      await log.append(broker, 1, 'after');
      const check = async (reader: typeof broker): Promise<void> => {
        const { records } = await readAll(reader, LOG_ID, startOf(LOG_SHARDS));
        expect(new Map(records.map(({ shard, offset, data }) => [`${shard}/${offset}`, data]))).toEqual(log.records);
        expect(records).toHaveLength(4);
      };
      await check(broker);
      log.disk.restart();
      const again = await log.open();
      await check(again);
      await again.close();
    },
  );

  test('a disk that refuses everything refuses the append, and the next one works when it recovered', async () => {
    const log = smallLog();
    const broker = await log.open();
    await log.append(broker, 0, 'before');
    log.disk.fault = (call) => (call === 'write' || call === 'sync' ? 'EIO' : undefined);
    await expect(broker.append(LOG_ID, batch('lost'))).rejects.toMatchObject({ code: 'internal', retryable: true });
    log.disk.fault = undefined;
    await log.append(broker, 0, 'after');
    const { records } = await readAll(broker, LOG_ID, startOf(LOG_SHARDS));
    expect(records.map(({ data }) => data)).toEqual(['before', 'after']);
    await broker.close();
  });

  test('a broker whose folder another process took over appends no more', async () => {
    let owned = true;
    const setup = {
      folder: '/log',
      clock: manualClock(),
      telemetry: silentTelemetry(),
      fileSystem: powerCutFileSystem(1),
    };
    const broker = await openEmbeddedBroker({ ...setup, options: { reserveBytes: 0 }, owned: () => owned });
    await broker.open({ id: LOG_ID, shardCount: 1, retentionMs: 1000 });
    await broker.append(LOG_ID, batch('mine'));
    owned = false;
    await expect(broker.append(LOG_ID, batch('not mine'))).rejects.toMatchObject({ code: 'broker-closed' });
    await broker.close();
  });

  test('a full disk refuses with disk-full, still reads and retains, and heals by itself', async () => {
    const log = smallLog();
    const broker = await log.open();
    for (let i = 0; i < 20; i++) await log.append(broker, 0, `early ${i}`);
    log.disk.capacityBytes = 0;
    await log.clock.advance(2 * 3_600_000);
    await expect(broker.append(LOG_ID, batch('no room'))).rejects.toMatchObject({ code: 'disk-full', retryable: true });
    await expect(broker.append(LOG_ID, batch('no room'))).rejects.toMatchObject({ code: 'disk-full' });
    expect((await readAll(broker, LOG_ID, startOf(LOG_SHARDS))).records).toHaveLength(20);
    const before = segmentFiles(log.disk).length;
    expect(await broker.retain(LOG_ID, log.clock.nowMs())).toBeGreaterThan(0);
    expect(segmentFiles(log.disk).length).toBeLessThan(before);
    log.disk.capacityBytes = 1e6;
    await log.clock.advance(1000);
    await log.append(broker, 0, 'room again');
    const { records } = await readAll(broker, LOG_ID, startOf(LOG_SHARDS));
    expect(records.at(-1)?.data).toBe('room again');
    await broker.close();
  });

  test('keeps a reserve: appends stop before the disk is full, and go on when it is restored', async () => {
    const log = smallLog();
    log.disk.capacityBytes = 10_000;
    const broker = await log.open({ reserveBytes: 8000 });
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        await log.clock.advance(1000);
        await log.append(broker, 0, 'x'.repeat(50));
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'disk-full' });
    expect(await log.disk.freeBytes('/log')).toBeGreaterThan(7000);
    log.disk.capacityBytes = 50_000;
    await log.clock.advance(1000);
    await log.append(broker, 0, 'goes on');
    await broker.close();
  });

  test('starts on a full disk after a crash, reads, and appends once there is room', async () => {
    const log = smallLog();
    const broker = await log.open();
    for (let i = 0; i < 9; i++) await log.append(broker, i % 2, `record ${i}`);
    const last = segmentFiles(log.disk).at(-1) as string;
    log.disk.poke(last, Buffer.concat([log.disk.peek(last) as Uint8Array, Buffer.alloc(100, 1)]));
    log.disk.restart();
    log.disk.capacityBytes = 0;
    const again = await log.open();
    expect((await readAll(again, LOG_ID, startOf(LOG_SHARDS))).records).toHaveLength(9);
    await expect(again.append(LOG_ID, batch('no'))).rejects.toMatchObject({ code: 'disk-full' });
    log.disk.capacityBytes = 1e6;
    await log.clock.advance(1000);
    await log.append(again, 0, 'yes');
    expect((await readAll(again, LOG_ID, startOf(LOG_SHARDS))).records).toHaveLength(10);
    await again.close();
    expect(log.disk.paths().some((path) => path.endsWith('.torn'))).toBe(true);
  });

  test('too many appends that wait for the disk are refused, with nothing stored', async () => {
    const log = smallLog();
    const broker = await log.open({ waitingBytes: 300 });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => broker.append(LOG_ID, batch('x'.repeat(80)))),
    );
    const accepted = results.filter(({ status }) => status === 'fulfilled').length;
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(accepted).toBeGreaterThan(1);
    expect(refusals.length).toBeGreaterThan(1);
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'broker-overloaded', retryable: true });
    expect((await readAll(broker, LOG_ID, startOf(LOG_SHARDS))).records).toHaveLength(accepted);
    await log.append(broker, 0, 'after');
    await broker.close();
  });

  test('a moment without file handles is no damage', async () => {
    const log = smallLog();
    const broker = await log.open();
    for (let i = 0; i < 20; i++) await log.append(broker, 0, `record ${i}`);
    log.disk.fault = (call) => (call === 'open' ? 'EMFILE' : undefined);
    const reading = broker.read(LOG_ID, startOf(LOG_SHARDS), { maxBytes: 10, waitMs: 0 });
    await expect(reading).rejects.toMatchObject({ code: 'internal', retryable: true });
    log.disk.fault = undefined;
    expect((await readAll(broker, LOG_ID, startOf(LOG_SHARDS))).records).toHaveLength(20);
    expect(segmentFiles(log.disk).every((path) => path.endsWith('.log'))).toBe(true);
    await broker.close();
  });
});

describe('retention of the embedded log', () => {
  test('removes whole segments and what lies beside them, and old files that come back stay out', async () => {
    const log = smallLog();
    const broker = await log.open();
    for (let i = 0; i < 20; i++) await log.append(broker, i % 2, `old ${i}`);
    const old = segmentFiles(log.disk);
    const revenant = old[0] as string;
    const content = log.disk.peek(revenant) as Uint8Array;
    await log.clock.advance(3_600_001);
    await log.append(broker, 1, 'young');
    await broker.retain(LOG_ID, log.clock.nowMs());
    expect(segmentFiles(log.disk).length).toBeLessThan(old.length);
    await broker.close();
    log.disk.poke(revenant, content);
    const again = await log.open();
    expect(log.disk.peek(revenant)).toBeUndefined();
    const { records, gaps } = await readAll(again, LOG_ID, startOf(LOG_SHARDS));
    expect(records.at(-1)?.data).toBe('young');
    expect(gaps.length).toBeGreaterThan(0);
    expect(gaps.every(({ cause }) => cause === 'expired')).toBe(true);
    expect(await again.locate(LOG_ID, asShard(0), 'latest')).toBe(10);
    await again.close();
    expect((await verifyLog({ folder: '/log', fileSystem: log.disk }))[0]).toMatchObject({
      stream: 'small',
      sound: true,
    });
  });

  test('a reader at work when its segment goes meets a gap and no error', async () => {
    const log = smallLog();
    const broker = await log.open();
    for (let i = 0; i < 40; i++) await log.append(broker, i % 2, `old ${i}`);
    await log.clock.advance(3_600_001);
    const [{ records, gaps }] = await Promise.all([
      readAll(broker, LOG_ID, startOf(LOG_SHARDS), 50),
      broker.retain(LOG_ID, log.clock.nowMs()),
    ]);
    const skipped = gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    expect(records.length + skipped).toBe(40);
    expect(gaps.every(({ cause }) => cause === 'expired')).toBe(true);
    await broker.close();
    expect(log.disk.paths().filter((path) => path.startsWith(LOG_FOLDER) && path.endsWith('.torn'))).toEqual([]);
  });
});

test('a record stamped while the clock was ahead does not keep what is old from retention', async () => {
  const log = smallLog();
  const broker = await log.open();
  const startMs = log.clock.nowMs();
  const day = 86_400_000;
  for (let i = 0; i < 20; i++) await log.append(broker, 0, `old ${i}`);
  log.clock.setNowMs(startMs + 365 * day);
  await log.append(broker, 0, 'from the future');
  log.clock.setNowMs(startMs + 1000);
  for (let i = 0; i < 20; i++) await log.append(broker, 0, `as old ${i}`);
  const full = segmentFiles(log.disk).length;
  await broker.retain(LOG_ID, log.clock.nowMs());
  expect(segmentFiles(log.disk)).toHaveLength(full);
  log.clock.setNowMs(startMs + day);
  await log.append(broker, 0, 'young');
  await broker.retain(LOG_ID, log.clock.nowMs());
  const { records } = await readAll(broker, LOG_ID, startOf(LOG_SHARDS));
  expect(records.at(-1)).toMatchObject({ data: 'young' });
  expect(segmentFiles(log.disk)).toHaveLength(1);
  await broker.close();
});
