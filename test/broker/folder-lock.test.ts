import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HEARTBEAT_MS, lockFolder, SILENCE_MS } from '../../src/broker/embedded/folder-lock.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';

const SOURCE = fileURLToPath(new URL('../../src/broker/embedded/folder-lock.ts', import.meta.url));

describe('the lock of a data folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lakeward-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const fromAnotherProcess = (release: boolean): string => {
    const code = `const { lockFolder } = await import(${JSON.stringify(SOURCE)});
      try { const lock = await lockFolder(${JSON.stringify(folder)}); ${release ? 'await lock.release();' : ''} console.log('locked'); }
      catch (error) { console.log(error.code, error.details.pid); }`;
    return spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }).stdout.trim();
  };

  test('is refused to a second process, naming the first, until it is released', async () => {
    const lock = await lockFolder(folder);
    expect(fromAnotherProcess(true)).toBe(`data-folder-locked ${process.pid}`);
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'data-folder-locked' });
    await lock.release();
    await lock.release();
    expect(fromAnotherProcess(true)).toBe('locked');
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test('of a process that died is taken over', async () => {
    expect(fromAnotherProcess(false)).toBe('locked');
    const lock = await lockFolder(folder);
    expect(JSON.parse(readFileSync(join(folder, 'lock-2'), 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
  });

  test.runIf(process.platform === 'linux')('of a process whose pid another one has now is taken over', async () => {
    writeFileSync(join(folder, 'lock-7'), JSON.stringify({ pid: process.pid, identity: 'another boot:1' }));
    await (await lockFolder(folder)).release();
  });

  test.each(['', 'nonsense', '{"pid":"x"}', 'null'])(
    'that says %j names no owner and is taken over',
    async (content) => {
      writeFileSync(join(folder, 'lock-7'), content);
      await (await lockFolder(folder)).release();
    },
  );

  test('goes to exactly one of many who take a stale one at once', async () => {
    for (let round = 0; round < 20; round++) {
      writeFileSync(join(folder, `lock-${round * 10 + 1}`), '{"pid":999999999}');
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => lockFolder(folder)));
      const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(won).toHaveLength(1);
      await won[0]?.release();
    }
  });

  /** Lets work with files and the clock go on together until it is over. */
  const whileTimePasses = async <T>(clock: ReturnType<typeof manualClock>, work: Promise<T>): Promise<T> => {
    const over = new AbortController();
    const settled = work.finally(() => over.abort());
    settled.catch(() => undefined);
    while (!over.signal.aborted) {
      await clock.advance(100);
      // The beat of an owner works on a real folder: as long as a few calls of the same kind it is given.
      for (let i = 0; i < 4; i++) await stat(folder);
    }
    return settled;
  };
  const elsewhere = (number: number): void =>
    writeFileSync(
      join(folder, `lock-${number}`),
      JSON.stringify({ pid: 1, identity: 'x:1', place: 'another container' }),
    );

  test('of another PID namespace is refused while its owner has a heartbeat, whatever lives under its pid here', async () => {
    const clock = manualClock();
    const lock = await lockFolder(folder, clock);
    const own = join(folder, 'lock-1');
    writeFileSync(own, JSON.stringify({ pid: 999999999, identity: 'x:1', place: 'another container' }));
    const refused = { code: 'data-folder-locked', details: { pid: 999999999 } };
    await expect(whileTimePasses(clock, lockFolder(folder, clock))).rejects.toMatchObject(refused);
    await expect(lockFolder(folder)).rejects.toMatchObject(refused);
    expect(lock.owned()).toBe(true);
    await lock.release();
  });

  test('of another PID namespace is taken over once its heartbeat stood still for long, and not before', async () => {
    elsewhere(3);
    const clock = manualClock();
    const beforeMs = clock.monotonicMs();
    const lock = await whileTimePasses(clock, lockFolder(folder, clock));
    expect(clock.monotonicMs() - beforeMs).toBeGreaterThanOrEqual(SILENCE_MS);
    expect(readdirSync(folder)).toEqual(['lock-4']);
    await lock.release();
  });

  test('of another PID namespace is taken at once when it was released', async () => {
    elsewhere(3);
    writeFileSync(join(folder, 'lock-3'), '');
    const clock = manualClock();
    await (await lockFolder(folder, clock)).release();
    expect(clock.monotonicMs()).toBe(0);
  });

  test('is known as lost by an owner that was halted while another took over', async () => {
    const clock = manualClock();
    const lock = await lockFolder(folder, clock);
    elsewhere(2);
    expect(lock.owned()).toBe(true);
    // The beat works on a real folder, which takes its own time.
    await vi.waitFor(
      async () => {
        await clock.advance(HEARTBEAT_MS);
        expect(lock.owned()).toBe(false);
      },
      { timeout: 10_000, interval: 5 },
    );
    await lock.release();
    expect(readFileSync(join(folder, 'lock-2'), 'utf8')).toContain('another container');
  });
});
