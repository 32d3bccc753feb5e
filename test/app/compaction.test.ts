/** Compaction as an operator meets it: a rule in the specification, the commands, and a reader that lists folders. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import type { CompactionPlan, CompactionStatus } from '../../src/app/control-answers.ts';
import { documents, lakeward } from '../cli/captured-run.ts';
import { parquetRows } from '../convert/records.ts';
import { keyedServer } from './keyed-server.ts';

const FILES = 4;
const { folder, url, post, close } = await keyedServer();
afterAll(() => close());

const SPECS = {
  parquet: { format: 'parquet' },
  csv: { format: 'csv', compression: 'gzip' },
  ndjson: { format: 'ndjson', compression: 'zstd' },
  secret: { format: 'parquet', object: { encryption: { kind: 'client', key: 'ours' } } },
};

async function listed(delivery: string): Promise<string[]> {
  const root = join(folder, 'lake', delivery);
  const files = await readdir(root, { recursive: true, withFileTypes: true });
  return files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
}

/** Ids by partition, however they are written. */
async function idsOf(files: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const path of files) {
    const kind = /kind=\w/.exec(path)?.[0] ?? '';
    const add = (id: unknown): number => ids.push(`${kind} ${Number(id)}`);
    if (path.endsWith('.parquet')) for (const row of await parquetRows(path)) add(row['id']);
    const text = path.endsWith('.gz')
      ? gunzipSync(await readFile(path))
          .toString()
          .split('\r\n')
          .slice(1)
      : path.endsWith('.zst')
        ? zstdDecompressSync(await readFile(path))
            .toString()
            .split('\n')
        : [];
    for (const line of text.filter(Boolean))
      add(line.startsWith('{') ? (JSON.parse(line) as { id: number }).id : line.split(',')[0]);
  }
  return ids.sort();
}

test('small files become one of each partition, with the same rows, in every format and encrypted', {
  timeout: 60_000,
}, async () => {
  await post('/v1/streams', { name: 's', shards: 1 });
  for (const [name, spec] of Object.entries(SPECS)) {
    const compaction = { readers: 'listing', after: '0s' };
    await post('/v1/deliveries', {
      name,
      stream: 's',
      layout: 'kind={kind}/',
      flush: { age: '1h' },
      compaction,
      ...spec,
    });
  }
  for (let i = 0; i < FILES; i++) {
    const records = [0, 1, 2, 3].map((n) => ({ id: i * 10 + n, kind: n % 2 === 0 ? 'a' : 'b' }));
    await post('/v1/streams/s/records', records);
    for (const name of Object.keys(SPECS)) await post(`/v1/deliveries/${name}/flush`, {});
  }
  for (const name of Object.keys(SPECS)) {
    const before = await listed(name);
    expect(before).toHaveLength(2 * FILES);
    const [plan] = documents<CompactionPlan>(await lakeward(['compact', 'plan', name, '--json'], { url }));
    expect(plan).toMatchObject({ filesBefore: 2 * FILES, delivery: name });
    const ran = await lakeward(['compact', 'run', name], { url });
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stdout).toContain(`${2 * FILES} → 2 files`);
    const after = await listed(name);
    expect(after).toHaveLength(2);
    if (name !== 'secret')
      expect(await idsOf(after)).toEqual(
        Array.from({ length: FILES }, (_, i) => i)
          .flatMap((i) => [0, 1, 2, 3].map((n) => `kind=${n % 2 === 0 ? 'a' : 'b'} ${i * 10 + n}`))
          .sort(),
      );
    else expect(after.every((path) => path.endsWith('.parquet.lwenc'))).toBe(true);
    const [status] = documents<CompactionStatus>(await lakeward(['compact', 'status', name, '--json'], { url }));
    expect(status?.last).toMatchObject({
      outcome: 'done',
      groups: 2,
      filesBefore: 2 * FILES,
      filesAfter: 2,
      rows: 4 * FILES,
    });
    const page = (await (await fetch(`${url}/v1/deliveries/${name}/files`)).json()) as {
      items: { path: string; closedBecause: string }[];
    };
    expect(page.items.map(({ path }) => join(folder, 'lake', path)).sort()).toEqual(after.sort());
    expect(page.items.map(({ closedBecause }) => closedBecause)).toEqual(['merge', 'merge']);
  }
  const secret = await lakeward(['lake', 'ls', 'secret', '--json'], { url });
  expect(secret.code).toBe(0);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toMatch(/lakeward_compaction_files_replaced_total\{delivery="csv"\} 8/);
});

test('a delivery without a rule is not compacted, and cancelling nothing is fine', async () => {
  await post('/v1/deliveries', { name: 'plain', stream: 's' });
  const ran = await lakeward(['compact', 'run', 'plain'], { url });
  expect(ran.code).not.toBe(0);
  expect(ran.stderr).toContain('not compacted');
  expect((await lakeward(['compact', 'cancel', 'csv'], { url })).stdout).toContain('not running');
});
