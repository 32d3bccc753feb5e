/** A lake in memory and what opens a landing log in it: waits end at once, time is moved by hand, methods of the store can be replaced. */
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import type { LandingLogOptions } from '../../src/landing/landing-log.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { logOptions } from './log-options.ts';

export async function memoryLog(tuning: LandingLogOptions['tuning'] = {}) {
  const manual = manualClock({ seed: 3 });
  const clock = { ...manual, sleep: async () => undefined };
  const memory = memoryStore({ clock, takeLocal: async (local) => new TextEncoder().encode(local) });
  const store: { -readonly [K in keyof LakeStore]: LakeStore[K] } = { ...memory };
  const options = await logOptions({ store, clock, tuning: { tries: 1, ...tuning } });
  const later = (ms: number): void => manual.setNowMs(manual.nowMs() + ms);
  return { store, options, later, clock };
}
