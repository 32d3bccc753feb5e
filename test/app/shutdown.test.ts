import { expect, test } from 'vitest';
import { createShutdown } from '../../src/app/shutdown.ts';
import { stopTimes } from '../../src/app/stop-times.ts';
import { manualClock } from '../../src/clock/manual-clock.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

const { log } = silentTelemetry();
const room = { clock: systemClock(), log, withinMs: 60_000 };

test('closing goes up the list of what was opened, once, and every step runs although one fails', async () => {
  const closed: string[] = [];
  const shutdown = createShutdown(room);
  shutdown.opened('first', async () => void closed.push('first'));
  shutdown.opened('second', async () => {
    closed.push('second');
    throw new Error('second does not close');
  });
  shutdown.opened('third', async () => void closed.push('third'));
  await expect(shutdown.close('test')).rejects.toThrow('second does not close');
  await expect(shutdown.close('again')).rejects.toThrow('second does not close');
  expect(closed).toEqual(['third', 'second', 'first']);
});

test('one time is for all of it: what waits for ever is left, the rest closes in order, what is of this machine is waited for', async () => {
  const clock = manualClock();
  const closed: string[] = [];
  const disk = Promise.withResolvers<void>();
  const shutdown = createShutdown({ clock, log, withinMs: 9_500 });
  const hangs = (name: string) => () => {
    closed.push(`${name} begins`);
    return new Promise<void>(() => {});
  };
  shutdown.openedHere('lock', async () => void closed.push('lock'));
  shutdown.openedHere('broker', async () => {
    await disk.promise;
    closed.push('broker');
  });
  shutdown.opened('second', hangs('second'));
  shutdown.opened('first', hangs('first'));
  shutdown.opened('landing', async (left) => {
    closed.push(`landing for ${left(3_500)}`);
    await clock.sleep(left(3_500));
    closed.push(`then ${left()}`);
  });
  const ended = shutdown.close('test');
  await clock.advance(9_400);
  expect(closed).toEqual(['landing for 6000', 'then 3500', 'first begins']);
  await clock.advance(200);
  expect(closed.slice(3)).toEqual(['second begins']);
  await clock.advance(60_000);
  disk.resolve();
  await ended;
  expect(closed.slice(4)).toEqual(['broker', 'lock']);
});

test('a stop takes no longer than it is told, and a short one closes in order too', () => {
  expect(stopTimes(10_000)).toEqual({ allMs: 9_000, requestsMs: 3_000, closingMs: 3_000 });
  expect(stopTimes(60_000)).toMatchObject({ allMs: 59_000, closingMs: 3_000 });
  expect(stopTimes(2_000)).toMatchObject({ allMs: 3_000, closingMs: 1_800 });
  expect(stopTimes(0)).toMatchObject({ allMs: 3_000, closingMs: 3_000 });
});
