/** The delivery stage on the real parts, read back by a Parquet reader not ours. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RealStage } from './real-stage.ts';
import { realStage } from './real-stage.ts';

let made: RealStage;
beforeEach(async () => {
  made = await realStage();
}, 30_000);
afterEach(() => made.close());

test('rows land as Parquet by event hour, each once, with bad ones apart', { timeout: 60_000 }, async () => {
  const start = Date.UTC(2026, 0, 1);
  const row = (n: number): object => ({ n, at: new Date(start + (n % 3) * 3_600_000).toISOString(), name: `row ${n}` });
  await made.stage.create(made.stage.parse({ name: 'd', stream: 'events', eventTime: 'at' }));
  for (let part = 0; part < 4; part += 1) {
    await made.put(Array.from({ length: 2500 }, (_, i) => row(part * 2500 + i)));
    if (part === 1) await made.stage.flush('d');
  }
  await made.put([{ n: 'no time' }]);
  const status = await made.stage.flush('d');
  expect(status).toMatchObject({ state: 'running', rows: 10_000, rejectedRows: 1, entry: 2, planVersion: 1 });
  const { items } = await made.stage.files('d');
  const seen: number[] = [];
  for (const file of items) {
    const bytes = await readFile(join(made.lakeFolder, file.path));
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    for (const found of await parquetReadObjects({ file: buffer, compressors })) {
      seen.push(Number(found['n']));
      expect(file.partition).toBe(`year=2026/month=01/day=01/hour=0${Number(found['n']) % 3}`);
    }
  }
  expect(seen.length).toBe(10_000);
  expect(new Set(seen).size).toBe(10_000);
  expect((await made.stage.rejected('d')).items).toMatchObject([{ code: 'event-time-missing', offset: 10_000 }]);
});

test('raw records land as they came, without a plan', { timeout: 60_000 }, async () => {
  const spec = { name: 'd', stream: 'events', format: 'raw', compression: 'zstd', separator: '\n', layout: 'k={k}' };
  await made.stage.create(made.stage.parse(spec));
  await made.put([{ k: 'a', n: 1.5 }, { k: 'a' }, [1]]);
  const status = await made.stage.flush('d');
  expect(status).toMatchObject({ state: 'running', rows: 2, rejectedRows: 1, planVersion: 0 });
  const { items } = await made.stage.files('d');
  expect(items).toMatchObject([{ path: expect.stringMatching(/^d\/k=a\/d-.*\.raw\.zst$/) as string, planVersion: 0 }]);
  const bytes = await readFile(join(made.lakeFolder, items[0]?.path ?? ''));
  expect(zstdDecompressSync(bytes).toString()).toBe('{"k":"a","n":1.5}\n{"k":"a"}\n');
});
