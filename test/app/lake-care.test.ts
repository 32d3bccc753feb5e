/** The care of a lake as an operator meets it: partitions that are over, rows that somebody asks to be erased, lake and log compared. */
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type {
  CheckReport,
  DeliveryStatus,
  EraseReport,
  ExpireReport,
  RepairReport,
} from '../../src/app/control-answers.ts';
import { documents, lakeward } from '../cli/captured-run.ts';
import { parquetRows } from '../convert/records.ts';
import { keyedServer } from './keyed-server.ts';

const DAY_MS = 86_400_000;
/** Files of many formats are read and written anew by engines that start for it. */
const PATIENCE_MS = 240_000;
const { folder, url, post, close } = await keyedServer();
afterAll(() => close());

async function listed(under: string): Promise<string[]> {
  const root = join(folder, 'lake', under);
  const files = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
}

async function idsIn(delivery: string): Promise<number[]> {
  const ids: number[] = [];
  for (const path of await listed(delivery)) for (const row of await parquetRows(path)) ids.push(Number(row['id']));
  return ids.sort((a, b) => a - b);
}

async function rejectedUsers(delivery: string): Promise<unknown[]> {
  const users: unknown[] = [];
  for (const path of await listed(`_rejected/${delivery}`)) {
    for (const line of (await readFile(path, 'utf8')).split('\n').filter(Boolean)) {
      const { data } = JSON.parse(line) as { data: string };
      users.push((JSON.parse(Buffer.from(data, 'base64').toString()) as { user: unknown }).user);
    }
  }
  return users;
}

async function run<T>(...args: string[]): Promise<T> {
  const [answer] = documents<T>(await lakeward([...args, '--json'], { url }));
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const statusOf = (delivery: string): Promise<DeliveryStatus> => run<DeliveryStatus>('delivery', 'describe', delivery);

/** Rows of so many days ago. */
function rows(daysAgo: readonly number[]): { id: number; user: string; at: string }[] {
  const nowMs = Date.now();
  return daysAgo.map((days) => {
    return { id: days, user: `u${days % 3}`, at: new Date(nowMs - days * DAY_MS).toISOString() };
  });
}

test('partitions past their time leave the lake, and are counted as expired', { timeout: PATIENCE_MS }, async () => {
  await post('/v1/streams', { name: 's', shards: 1 });
  await post('/v1/deliveries', {
    name: 'd',
    stream: 's',
    layout: 'year={yyyy}/month={MM}/day={dd}/',
    eventTime: 'at',
    flush: { age: '1h' },
    retention: '30d',
    schema: {
      avro: {
        type: 'record',
        name: 'r',
        fields: [
          { name: 'id', type: 'long' },
          { name: 'user', type: 'string' },
          { name: 'at', type: 'string' },
        ],
      },
    },
  });
  // Late rows: their partitions are closed when they land.
  await post('/v1/streams/s/records', rows([0, 1]));
  await post('/v1/deliveries/d/flush', {});
  await post('/v1/streams/s/records', [...rows([5, 29, 31, 32, 400]), { id: 'no number' }]);
  await post('/v1/deliveries/d/flush', {});
  expect(await idsIn('d')).toEqual([0, 1, 5, 29, 31, 32, 400]);

  const dry = await run<ExpireReport>('lake', 'expire', 'd', '--dry-run');
  expect(dry).toMatchObject({ dryRun: true, partitions: 3, files: 3, rows: 3, rejectedFiles: 0 });
  expect(await run('lake', 'expire', 'd', '--older-than', '100d', '--dry-run')).toMatchObject({ rows: 1 });
  expect(await idsIn('d')).toHaveLength(7);

  expect(await run('lake', 'expire', 'd')).toMatchObject({ partitions: 3, files: 3, rows: 3, left: 0 });
  expect(await idsIn('d')).toEqual([0, 1, 5, 29]);
  expect(await statusOf('d')).toMatchObject({ rows: 7, expiredRows: 3, erasedRows: 0, rejects: { openRows: 1 } });
  expect(await run('lake', 'expire', 'd')).toMatchObject({ files: 0, rows: 0 });
  // Landing goes on.
  await post('/v1/streams/s/records', rows([2]));
  await post('/v1/deliveries/d/flush', {});
  expect(await statusOf('d')).toMatchObject({ rows: 8, expiredRows: 3, state: 'running' });
});

test('rows of a person leave every file and the rejected rows, and another look finds none', {
  timeout: PATIENCE_MS,
}, async () => {
  const users = ['ann', 'bob', 'eve'];
  const formats = {
    eparquet: { format: 'parquet' },
    ecsv: { format: 'csv', compression: 'gzip' },
    endjson: { format: 'ndjson' },
    esecret: { format: 'parquet', object: { encryption: { kind: 'client', key: 'ours' } } },
    emanifest: { format: 'parquet', compaction: { readers: 'manifest', after: '0s' } },
  };
  await post('/v1/streams', { name: 'e', shards: 1 });
  const schema = {
    avro: {
      type: 'record',
      name: 'r',
      fields: [
        { name: 'id', type: 'long' },
        { name: 'user', type: 'string' },
        { name: 'kind', type: 'string' },
      ],
    },
  };
  const names = Object.keys(formats);
  for (const [name, spec] of Object.entries(formats)) {
    await post('/v1/deliveries', { name, stream: 'e', layout: 'kind={kind}/', flush: { age: '1h' }, schema, ...spec });
  }
  for (let round = 0; round < 3; round++) {
    const records: object[] = Array.from({ length: 12 }, (_, i) => {
      return { id: round * 100 + i, user: users[i % 3], kind: `k${i % 2}`, other: 'x' };
    });
    records.push({ id: 'no number', user: 'eve', kind: 'k0' }, { id: 'no number', user: 'ann', kind: 'k0' });
    await post('/v1/streams/e/records', records);
    for (const name of names) await post(`/v1/deliveries/${name}/flush`, {});
  }
  // Six files become two, and stay for readers of the list.
  expect(await lakeward(['compact', 'run', 'emanifest'], { url })).toMatchObject({ code: 0 });
  expect(await listed('emanifest')).toHaveLength(8);
  await writeFile(join(folder, 'ids.txt'), 'eve\nnobody\n');

  for (const name of names) {
    const dry = await run<EraseReport>('lake', 'erase', name, '--key', 'user=eve', '--dry-run');
    const [matchedFiles, hastenedFiles] = name === 'emanifest' ? [2, 6] : [6, 0];
    expect(dry).toMatchObject({ matchedRows: 12, matchedFiles, hastenedFiles, rejectedRows: 3, rewrittenFiles: 0 });
    const report = await run<EraseReport>(
      'lake',
      'erase',
      name,
      '--key',
      'user',
      '--file',
      join(folder, 'ids.txt'),
      '--by',
      'me',
    );
    expect(report).toMatchObject({ matchedRows: 12, matchedFiles, hastenedFiles, rewrittenFiles: matchedFiles });
    expect(report).toMatchObject({ rejectedRows: 3, unreadableRejects: 0, waitingRows: 0, proof: { found: 0 } });
    expect(await statusOf(name)).toMatchObject({
      rows: 36,
      erasedRows: 12,
      rejects: { openRows: 3 },
      state: 'running',
    });
    const files = await listed(name);
    expect(files).toHaveLength(matchedFiles);
    expect(files.every((path) => path.endsWith('.lwenc'))).toBe(name === 'esecret');
    if (name !== 'esecret') expect(await rejectedUsers(name)).toEqual(['ann', 'ann', 'ann']);
    const audit = await readFile(join(folder, 'lake', report.audit ?? ''), 'utf8');
    expect(JSON.parse(audit)).toMatchObject({ by: 'me', field: 'user', matchedRows: 12, delivery: name });
    expect(audit).not.toContain('eve');
  }
  const people = new Set<unknown>();
  for (const name of ['eparquet', 'emanifest']) {
    for (const path of await listed(name)) for (const row of await parquetRows(path)) people.add(row['user']);
  }
  expect(people).toEqual(new Set(['ann', 'bob']));
  const again = await lakeward(['lake', 'erase', 'eparquet', '--key', 'User=eve'], { url });
  expect(again.code).toBe(0);
  expect(again.stdout).toContain('0 rows in 0 files');
});

test('rows that nobody can search are not taken for erased', { timeout: PATIENCE_MS }, async () => {
  await post('/v1/streams', { name: 'r', shards: 1 });
  await post('/v1/deliveries', { name: 'raw', stream: 'r', format: 'raw', layout: '', flush: { age: '1h' } });
  await post('/v1/streams/r/records', [{ user: 'eve' }]);
  await post('/v1/deliveries/raw/flush', {});
  const erase = ['lake', 'erase', 'raw', '--key', 'user=eve'];
  for (const dryRun of [['--dry-run'], []]) {
    const left = await lakeward([...erase, ...dryRun], { url });
    expect(left).toMatchObject({ code: 4, stderr: expect.stringContaining('NOT ERASED: 1 file of format raw') });
    expect(left.stderr).toContain('--leave-unreadable');
  }
  expect(await lakeward([...erase, '--leave-unreadable'], { url })).toMatchObject({ code: 0 });
  expect(await listed('raw')).toHaveLength(1);
});

test('who waits for an hour of a delivery that stands still is told at once why', {
  timeout: PATIENCE_MS,
}, async () => {
  await post('/v1/streams', { name: 'w', shards: 1 });
  await post('/v1/deliveries', { name: 'w', stream: 'w', eventTime: 'at', flush: { age: '1h' } });
  const wait = ['lake', 'wait', 'w', '--hour', new Date(Date.now()).toISOString().slice(0, 13)];
  const told = async (...flags: string[]) => lakeward([...wait, ...flags], { url });
  expect(await told()).toMatchObject({ code: 6, stderr: expect.stringContaining('no row has landed yet') });
  expect(await told('--anyway', '--timeout', '0s')).toMatchObject({ code: 5 });
  await post('/v1/streams/w/records', rows([0]));
  await post('/v1/deliveries/w/flush', {});
  expect(await told('--timeout', '0s')).toMatchObject({ code: 5 });
  await post('/v1/deliveries/w/pause', {});
  const paused = await told('--json');
  expect(paused).toMatchObject({ code: 6, stderr: expect.stringContaining('lakeward delivery resume w') });
  expect(documents(paused)).toMatchObject([{ complete: false, rows: 1, blocked: { by: 'paused' } }]);
});

test('lake and log are compared: what is lost, changed or nobody’s is told, and what is deleted is not', {
  timeout: PATIENCE_MS,
}, async () => {
  const check = async (
    ...flags: string[]
  ): Promise<{ code: number; found: string[]; report: CheckReport | undefined }> => {
    const answer = await lakeward(['lake', 'check', 'c', '--json', ...flags], { url });
    const [{ reports } = { reports: [] }] = documents<{ reports: CheckReport[] }>(answer);
    if (answer.code === 1) throw new Error(answer.stderr);
    const found = reports.flatMap(({ findings }) => findings).map(({ problem, path }) => `${problem} ${path}`);
    return { code: answer.code, found: found.sort(), report: reports[0] };
  };
  await post('/v1/streams', { name: 'c', shards: 1 });
  const layout = { layout: 'kind={kind}/', flush: { age: '1h' } };
  await post('/v1/deliveries', { name: 'gone', stream: 'c', prefix: 'c', ...layout });
  const put = async (delivery: string): Promise<void> => {
    await post(
      '/v1/streams/c/records',
      [0, 1, 2, 3, 4].map((n) => ({ id: n, kind: `k${n}` })),
    );
    await post(`/v1/deliveries/${delivery}/flush`, {});
  };
  await put('gone');
  expect(await lakeward(['delivery', 'delete', 'gone'], { url })).toMatchObject({ code: 0 });
  await post('/v1/deliveries', { name: 'c', stream: 'c', start: 'latest', ...layout });
  const others = new Set(await listed('c'));
  expect(others.size).toBe(5);
  await put('c');
  await post('/v1/streams/c/records', [{ id: 9, kind: 'k9' }]);
  await post('/v1/deliveries/c/flush', {});
  expect(await check('--deep')).toMatchObject({ code: 0, found: [], report: { files: 6, rows: 6, findingsInAll: 0 } });

  const mine = (await listed('c')).filter((path) => !others.has(path)).sort();
  const [lost = '', cut = '', turned = ''] = mine;
  const inLake = (path: string): string => path.slice(join(folder, 'lake').length + 1);
  await rm(lost);
  const bytes = await readFile(cut);
  await writeFile(cut, bytes.subarray(1));
  const whole = await readFile(turned);
  await writeFile(turned, whole.with(40, (whole[40] ?? 0) ^ 1));
  await writeFile(join(folder, 'lake', 'c', 'notes.txt'), 'mine');
  const shallow = [`lost ${inLake(lost)}`, `size ${inLake(cut)}`, 'stray c/notes.txt'];
  expect(await check()).toMatchObject({ code: 4, found: shallow });
  expect(await check('--deep')).toMatchObject({ code: 4, found: [`content ${inLake(turned)}`, ...shallow].sort() });
  expect((await lakeward(['lake', 'check', 'c'], { url })).stdout).toContain('3 findings');

  const longAgo = new Date(Date.now() - 3 * DAY_MS);
  await utimes(join(folder, 'lake', 'c', 'notes.txt'), longAgo, longAgo);
  const repair = async (...flags: string[]): Promise<RepairReport> => run('lake', 'repair', 'c', ...flags);
  const said = { lost: [inLake(lost)], rebuilt: [], strays: ['c/notes.txt'], left: 1 };
  expect(await repair('--remove-strays', '2d', '--dry-run')).toMatchObject(said);
  expect(await check()).toMatchObject({ found: shallow });
  expect(await repair('--remove-strays', '4d')).toMatchObject({ lost: [], rebuilt: [inLake(lost)], strays: [] });
  expect(await check()).toMatchObject({ found: shallow.slice(1), report: { files: 6, rows: 6 } });
  expect(await repair('--remove-strays', '2d')).toMatchObject({ rebuilt: [], strays: ['c/notes.txt'], left: 1 });
  expect(await check()).toMatchObject({ found: shallow.slice(1, 2) });
  const there = await Promise.all((await listed('c/kind=k0')).map((path) => parquetRows(path)));
  expect(there.flat().map(({ id }) => Number(id))).toEqual([0, 0]);
  await put('c');
  expect(await statusOf('c')).toMatchObject({ rows: 11, state: 'running' });
});

test('a file that is gone for ever is given up by name alone, on record, and lake and log say the same again', {
  timeout: PATIENCE_MS,
}, async () => {
  await post('/v1/streams', { name: 'l', shards: 1 });
  const compaction = { readers: 'manifest', after: '0s' };
  const layout = 'year={yyyy}/month={MM}/day={dd}/';
  const spec = { eventTime: 'at', flush: { age: '1h' }, format: 'ndjson', layout, compaction };
  await post('/v1/deliveries', { name: 'l', stream: 'l', ...spec });
  for (const daysAgo of [[5], [0], [5], [0]]) {
    await post('/v1/streams/l/records', rows(daysAgo));
    await post('/v1/deliveries/l/flush', {});
  }
  expect(await lakeward(['compact', 'run', 'l'], { url })).toMatchObject({ code: 0 });
  // What was merged is published for sure once an entry follows.
  await post('/v1/streams/l/records', rows([0]));
  await post('/v1/deliveries/l/flush', {});
  type Page = { items: { path: string; rows: number; closedBecause: string }[] };
  const files = async (): Promise<Page['items']> =>
    ((await (await fetch(`${url}/v1/deliveries/l/files`)).json()) as Page).items;
  const merged = (await files()).find(({ closedBecause }) => closedBecause === 'merge');
  expect(merged).toMatchObject({ rows: 2 });
  const path = merged?.path ?? '';
  await rm(join(folder, 'lake', path));
  const check = (): Promise<{ reports: CheckReport[] }> => run('lake', 'check', 'l');
  expect(await check()).toMatchObject({ reports: [{ findings: [{ problem: 'lost', path }], findingsInAll: 1 }] });

  const kept = (await files()).find((file) => file.path !== path)?.path ?? '';
  const repair = (...args: string[]) => lakeward(['lake', 'repair', 'l', ...args], { url });
  expect(await repair()).toMatchObject({ code: 4, stdout: `lost ${path}\n` });
  expect(await repair('--accept-loss', path, kept)).toMatchObject({ code: 1, stderr: expect.stringContaining(kept) });
  expect(await repair('--accept-loss')).toMatchObject({ code: 2 });
  expect(await repair(path)).toMatchObject({ code: 2 });
  const dry = await repair('--accept-loss', path, '--dry-run');
  expect(dry).toMatchObject({ code: 0, stdout: `would be given up ${path}\n` });
  expect((await check()).reports).toMatchObject([{ findingsInAll: 1 }]);

  const done = await run<RepairReport>('lake', 'repair', 'l', '--accept-loss', path, '--by', 'me');
  expect(done).toMatchObject({ lostFiles: 0, left: 0, accepted: { paths: [path], rows: 2, waitingFiles: 0 } });
  const audit = await readFile(join(folder, 'lake', done.accepted?.audit ?? ''), 'utf8');
  expect(JSON.parse(audit)).toMatchObject({ by: 'me', delivery: 'l', rows: 2, files: [{ path, rows: 2 }] });
  expect((await check()).reports).toMatchObject([{ findingsInAll: 0, rows: 3 }]);
  expect((await files()).map((file) => file.path)).not.toContain(path);
  expect(await statusOf('l')).toMatchObject({ rows: 5, lostRows: 2, state: 'running' });
  const reopened = (await listed('_lakeward/l')).filter((one) => one.includes('/reopened/')).sort();
  expect(JSON.parse(await readFile(reopened.at(-1) ?? '', 'utf8'))).toMatchObject({ rows: 0, files: 0, lostRows: 2 });
  expect(await repair('--accept-loss', path)).toMatchObject({ code: 1 });
  await post('/v1/streams/l/records', rows([1]));
  await post('/v1/deliveries/l/flush', {});
  expect(await statusOf('l')).toMatchObject({ rows: 6, state: 'running' });
});
