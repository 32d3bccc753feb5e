import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkLake, complaint } from './checker.ts';
import { runCrashCycles, stepsOf } from './cycles.ts';

describe('a server that is killed again and again while producers write', () => {
  test('lands every acknowledged event exactly once and in order', { timeout: 600_000 }, async () => {
    const seed = 20_261_122;
    const report = await runCrashCycles({ cycles: 30, seed, checkEvery: 15 });
    expect({ seed, complaints: report.complaints }).toEqual({ seed, complaints: [] });
    expect(report.acknowledged).toBeGreaterThan(1000);
    expect(report.rejected).toBeGreaterThan(0);
    expect(Object.keys(report.kills)).toEqual(expect.arrayContaining(stepsOf({}).map((step) => `at ${step}`)));
  });

  test('lands every event once that producers send again and again, with dedupe', { timeout: 600_000 }, async () => {
    const seed = 20_261_123;
    const report = await runCrashCycles({ cycles: 10, seed, checkEvery: 5, dedupe: true });
    expect({ seed, complaints: report.complaints }).toEqual({ seed, complaints: [] });
    expect(report.acknowledged).toBeGreaterThan(500);
    expect(report.kills).toMatchObject({ 'at keys-written': expect.any(Number) as number });
  });

  test('lands every event once while compactions are killed at each of their steps', { timeout: 600_000 }, async () => {
    const seed = 20_261_124;
    const report = await runCrashCycles({ cycles: 5, seed, checkEvery: 5, compact: true });
    expect({ seed, complaints: report.complaints }).toEqual({ seed, complaints: [] });
    expect(report.acknowledged).toBeGreaterThan(100);
    const steps = stepsOf({ compact: true });
    expect(report.kills).toEqual(Object.fromEntries(steps.map((step) => [`at ${step}`, 1])));
  });
});

describe('the checker', () => {
  test('names what is lost, doubled, unknown and out of order', async () => {
    const lake = mkdtempSync(join(tmpdir(), 'lakeward-checker-'));
    try {
      const folder = join(lake, 'd', 'client=a1');
      mkdirSync(folder, { recursive: true });
      const line = (id: string): string => `${JSON.stringify({ event_id: id })}\n`;
      writeFileSync(join(folder, '1.ndjson'), line('a1-2') + line('a1-1') + line('a1-2'));
      writeFileSync(join(folder, '2.ndjson'), line('a1-9'));
      const findings = await checkLake(lake, 'd', {
        sent: new Set(['a1-1', 'a1-2', 'a1-3']),
        acknowledged: new Set(['a1-1', 'a1-3']),
      });
      expect(findings).toMatchObject({ landed: 4, rejected: 0, lost: ['a1-3'], doubled: ['a1-2'], unknown: ['a1-9'] });
      expect(findings.disordered).toHaveLength(1);
      expect(complaint(findings)).toContain('1 lost: a1-3');
      expect(complaint({ ...findings, lost: [], doubled: [], unknown: [], disordered: [] })).toBeUndefined();
    } finally {
      rmSync(lake, { recursive: true, force: true });
    }
  });
});
