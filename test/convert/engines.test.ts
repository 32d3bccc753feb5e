import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { enginePool } from '../../src/convert/engine-pool.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { MIB } from '../../src/model/limits.ts';
import { treeOf } from '../bench/process-tree.ts';
import { allRows, batchOf, bench, source } from './records.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function enginesOf(parent: number): number[] {
  return treeOf(parent).filter((pid) => {
    try {
      return pid !== parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine-main');
    } catch {
      return false;
    }
  });
}

describe.skipIf(process.platform !== 'linux')('engine processes', () => {
  it('end when their server is killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'orphans-'));
    const script = `
      import { duckdbConverter } from ${JSON.stringify(join(ROOT, 'src/convert/duckdb-converter.ts'))};
      import { systemClock } from ${JSON.stringify(join(ROOT, 'src/clock/system-clock.ts'))};
      import { silentTelemetry } from ${JSON.stringify(join(ROOT, 'src/telemetry/silent.ts'))};
      const converter = duckdbConverter({ engines: 2, memoryBytes: 2 ** 28, scratchFolder: ${JSON.stringify(join(folder, 's'))}, telemetry: silentTelemetry(), clock: systemClock() });
      await converter.open();
      console.log('open');
      setInterval(() => undefined, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(parent.stdout, 'data');
      const engines = enginesOf(parent.pid ?? 0);
      expect(engines.length).toBe(2);
      parent.kill('SIGKILL');
      await expect.poll(() => engines.filter((pid) => existsSync(`/proc/${pid}`)), { timeout: 5000 }).toEqual([]);
    } finally {
      parent.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('have ended when their converter is closed, also when they still started', async () => {
    const made = await bench({ engines: 2 });
    try {
      const before = enginesOf(process.pid);
      const opening = made.converter.open().catch(() => undefined);
      await made.converter.close();
      expect(enginesOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
      await opening;
    } finally {
      await made.close();
    }
  });

  it('start once, also when work comes before they are open', async () => {
    const made = await bench({ engines: 2 });
    try {
      const opening = made.converter.open();
      const [first, plan] = await Promise.all([
        made.converter.convert(await made.job({}), source(batchOf([{ id: 1 }]))),
        made.converter.infer([batchOf([{ id: 1 }])]),
        opening,
        made.converter.open(),
      ]);
      expect(first.rows).toBe(1);
      expect(plan.columns.map(({ name }) => name)).toEqual(['id']);
      expect(enginesOf(process.pid).length).toBe(2);
    } finally {
      await made.close();
    }
    expect(enginesOf(process.pid)).toEqual([]);
  });

  it('that grew over their bound are replaced before the next work', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pool-'));
    const clock = systemClock();
    const pool = enginePool({ engines: 1, memoryBytes: 128 * MIB, scratchFolder: folder, hangMs: 60_000, clock });
    try {
      const pidAfter = async (rssBytes: number): Promise<number> =>
        pool.use((engine) => {
          pool.report(engine, rssBytes);
          return Promise.resolve(engine.pid);
        }, undefined);
      const small = await pidAfter(200 * MIB);
      expect(await pidAfter(400 * MIB)).toBe(small);
      const fresh = await pidAfter(0);
      expect(fresh).not.toBe(small);
      expect(await pidAfter(0)).toBe(fresh);
      expect(enginesOf(process.pid)).toEqual([fresh]);
    } finally {
      await pool.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** A folder on a disk of its own, where this user may mount one. */
function smallDisk(folder: string, size: string): boolean {
  mkdirSync(folder);
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'ignore' }).status === 0;
}

describe('a full scratch disk', () => {
  it('gives the job back, rejects nothing, and the job lands once there is room', async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'full-'));
    const disk = join(folder, 'disk');
    const mounted = smallDisk(disk, '1m');
    const made = await bench({ scratchFolder: join(disk, 'scratch') });
    try {
      if (!mounted) skip('no right to mount a small disk');
      const records = Array.from({ length: 4000 }, (_, id) => ({ id, text: 'x'.repeat(500) }));
      const given = await made.job({});
      let tries = 0;
      const batches = {
        async *[Symbol.asyncIterator]() {
          tries++;
          yield await Promise.resolve(batchOf(records));
        },
      };
      await expect(made.converter.convert(given, batches)).rejects.toMatchObject({ code: 'convert-failed' });
      expect(tries).toBe(1);
      expect(readdirSync(given.directory)).toEqual([]);
      spawnSync('mount', ['-o', 'remount,size=64m', disk]);
      expect((await allRows(await made.converter.convert(given, batches))).length).toBe(4000);
    } finally {
      await made.close();
      if (mounted) spawnSync('umount', [disk]);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
