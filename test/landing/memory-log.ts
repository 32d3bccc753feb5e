/** A lake in memory and what opens a landing log in it: waits end at once, time is moved by hand, methods of the store can be replaced. */
import { manualClock } from '../../src/clock/manual-clock.ts';
import { memoryStore } from '../../src/lake/memory/memory-store.ts';
import { openLake } from '../../src/landing/lake-identity.ts';
import type { LandingLogOptions } from '../../src/landing/landing-log.ts';
import { asStreamId } from '../../src/model/stream.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import { silentTelemetry } from '../../src/telemetry/silent.ts';

export async function memoryLog(tuning: LandingLogOptions['tuning'] = {}) {
  const manual = manualClock({ seed: 3 });
  const clock = { ...manual, sleep: async () => undefined };
  const memory = memoryStore({ clock, takeLocal: async (local) => new TextEncoder().encode(local) });
  const store: { -readonly [K in keyof LakeStore]: LakeStore[K] } = { ...memory };
  const options: LandingLogOptions = {
    store,
    clock,
    telemetry: silentTelemetry(),
    delivery: 'd',
    prefix: 'd',
    writer: 'w',
    lakeId: await openLake(store, { clock }),
    stream: { name: 's', id: asStreamId('s-1') },
    start: async () => new Map(),
    tuning: { tries: 1, ...tuning },
  };
  const later = (ms: number): void => manual.setNowMs(manual.nowMs() + ms);
  return { store, options, later, clock };
}
