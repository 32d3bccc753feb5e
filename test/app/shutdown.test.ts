import { expect, test } from 'vitest';
import { createShutdown } from '../../src/app/shutdown.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

const room = { clock: systemClock(), log: silentTelemetry().log };

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
