import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { queryFiles } from '../../src/app/query-files.ts';
import { type TemporaryServer, temporaryServer } from './temporary-server.ts';

/** The tour of README, run as written, but for the port. */
const exec = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const section = readme.split('\n## Five minutes with your own data\n')[1]?.split('\n## ')[0] ?? '';
const blocks = [...section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language: language ?? '',
  text: text ?? '',
}));

let server: TemporaryServer;
beforeAll(async () => {
  server = await temporaryServer();
  await symlink(join(root, 'node_modules'), join(server.folder, 'node_modules'));
});
afterAll(() => server.close());

const here = (text: string): string => text.replaceAll('http://127.0.0.1:4567', server.url);

async function shell(text: string): Promise<string> {
  const lakeward = `lakeward() { '${process.execPath}' '${join(root, 'src/main.ts')}' "$@"; }`;
  const script = `set -euo pipefail\n${lakeward}\n${here(text)}`;
  const options = { cwd: server.folder, env: { ...process.env, LAKEWARD_URL: server.url } };
  return (await exec('bash', ['-c', script], options)).stdout;
}

async function inLanguage(language: string): Promise<string> {
  return here(blocks.find((block) => block.language === language)?.text ?? '');
}

test('the tour has the blocks that are run here', () => {
  expect(blocks.map(({ language }) => language)).toEqual(['', '', 'js', 'python', '', '']);
});

test('streams, deliveries and a first put with curl', async () => {
  const shells = blocks.filter(({ language }) => language === '');
  expect(await shell(shells[0]?.text ?? '')).toContain('clicks created: 2 shards');
  expect(JSON.parse(await shell(shells[1]?.text ?? ''))).toMatchObject({ accepted: 2, failed: 0 });
});

test('the AWS SDK for JavaScript', async () => {
  const path = join(server.folder, 'tour.mjs');
  await writeFile(path, await inLanguage('js'));
  await exec(process.execPath, [path], { cwd: server.folder });
});

test.skipIf(process.env['LAKEWARD_PYTHON'] === undefined)('boto3', async () => {
  await exec(process.env['LAKEWARD_PYTHON'] ?? 'python3', ['-c', await inLanguage('python')]);
});

test('the command line, and files out', async () => {
  const shells = blocks.filter(({ language }) => language === '');
  const sent = await shell(shells[2]?.text ?? '');
  expect(sent).toContain('1 record durable in clicks');
  const landed = await shell(shells[3]?.text ?? '');
  const rows = process.env['LAKEWARD_PYTHON'] === undefined ? 4 : 5;
  expect(landed).toContain(`clicks-hourly flushed: running, ${rows} rows`);
  expect(landed).toMatch(/product_id=p1\/ +3 rows/);

  const query = /`(SELECT \* FROM read_parquet\('lakeward-data\/lake\/clicks-hourly[^`]*)`/.exec(section)?.[1] ?? '';
  const found = await queryFiles(query.replace('lakeward-data/lake', server.lake));
  const users = ['ann', 'bob', 'cyd', 'dan', 'eve'].filter((it) => rows === 5 || it !== 'dan');
  expect(found).toHaveLength(rows);
  expect(new Set(found.map((row) => row['user']))).toEqual(new Set(users));
}, 40_000);
