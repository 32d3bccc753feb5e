import { expect, test } from 'vitest';
import { LANDING_STEPS } from '../../src/landing/steps.ts';
import { runCrashCycles } from '../crash/cycles.ts';
import { describeWithS3, s3Kinds } from './servers.ts';

const CYCLES = 10;

for (const kind of s3Kinds('versitygw')) {
  await describeWithS3(kind, `a server whose lake is on ${kind}, behind a faulty network`, () => {
    test('lands every acknowledged event exactly once and in order, however often it and the S3 server are killed', {
      timeout: 600_000,
    }, async () => {
      const seed = 20_261_123;
      const report = await runCrashCycles({ cycles: CYCLES, seed, checkEvery: CYCLES / 2, lake: kind });
      expect({ seed, complaints: report.complaints }).toEqual({ seed, complaints: [] });
      expect(report.acknowledged).toBeGreaterThan(500);
      expect(report.landed).toBeGreaterThan(report.acknowledged);
      expect(report.kills['S3 server']).toBeGreaterThan(0);
      // A step that a slow store comes to late is killed before it.
      const steps = Object.keys(report.kills).filter((kill) => kill.startsWith('at '));
      expect(steps.length).toBeGreaterThan(LANDING_STEPS.length / 2);
    });
  });
}
