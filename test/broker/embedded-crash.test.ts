import { describe, expect, test } from 'vitest';
import { runHistory } from '../faults/crash-history.ts';

/** Each seed is a life with four power cuts. `LAKEWARD_CRASH_SEEDS=5000 npm test -- embedded-crash` for more. */
const SEEDS = Number(process.env['LAKEWARD_CRASH_SEEDS'] ?? 120);

describe('the embedded log on a disk that loses what was not synced', () => {
  test.each([
    ['power cuts', 0],
    ['power cuts and failing writes and syncs', 0.05],
  ])(
    'keeps every acknowledged record once, in order, and no offset for two records: %s',
    async (_, faults) => {
      let acknowledged = 0;
      for (let seed = 1; seed <= SEEDS; seed++) {
        const report = await runHistory({ seed, cuts: 4, faults }).catch((error: unknown) => {
          throw new Error(`seed ${seed}, faults ${faults}`, { cause: error });
        });
        acknowledged += report.acknowledged;
      }
      expect(acknowledged).toBeGreaterThan(SEEDS * 10);
    },
    120_000,
  );
});
