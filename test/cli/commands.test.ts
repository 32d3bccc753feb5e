import { gzipSync } from 'node:zlib';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { editLine, parseEdit } from '../../src/cli/rejected/edit-lines.ts';
import { type TemporaryServer, temporaryServer } from '../app/temporary-server.ts';
import type { Captured, RunOptions } from './captured-run.ts';
import { documents, lakeward } from './captured-run.ts';

/** The commands against a real server, in the order of a first afternoon with it. */
let server: TemporaryServer;
beforeAll(async () => {
  server = await temporaryServer();
});
afterAll(() => server.close());

function on(line: string, options: Omit<RunOptions, 'url'> = {}): Promise<Captured> {
  return lakeward(line.split(' '), { url: server.url, ...options });
}

async function json<T = Record<string, unknown>>(line: string, options: Omit<RunOptions, 'url'> = {}): Promise<T[]> {
  const captured = await on(`${line} --json`, options);
  if (captured.code !== EXIT.ok) throw new Error(`${line}: ${captured.stderr}`);
  return documents<T>(captured);
}

test('an empty server says what to do first', async () => {
  for (const line of ['status', 'stream list', 'delivery list', 'lake ls', 'rejected list']) {
    expect({ line, code: (await on(line)).code }).toEqual({ line, code: EXIT.ok });
  }
  expect((await on('stream list')).stderr).toContain('lakeward stream create');
});

test('a stream is created once, listed and described', async () => {
  const created = await on('stream create clicks --shards 3 --retention-hours 48');
  expect(created).toMatchObject({ code: EXIT.ok, stdout: 'clicks created: 3 shards, kept 48 h\n' });
  const again = await on('stream create clicks');
  expect(again.code).toBe(EXIT.failed);
  expect(again.stderr).toContain('[stream-exists]');
  expect(await json('stream list')).toMatchObject([{ streams: [{ name: 'clicks', retentionHours: 48 }] }]);
  const [described] = await json<{ shards: unknown[] }>('stream describe clicks');
  expect(described?.shards).toHaveLength(3);
  expect((await on('stream describe clicks')).stdout).toContain('shardId-000000000002  open');
});

test('deliveries are created from options, and faults in them are all told', async () => {
  expect((await on('delivery create hourly --stream clicks --event-time time --flush-age 1h')).code).toBe(EXIT.ok);
  const options = '--layout product={product}/ --format csv --flush-age 1h --event-time at:ms --prefix by/product';
  const [status] = await json(`delivery create products --stream clicks ${options}`);
  expect(status).toMatchObject({
    owner: 'api',
    spec: { prefix: 'by/product', format: 'csv', eventTime: { field: 'at', form: 'ms' }, flush: { ageMs: 3_600_000 } },
  });
  const wrong = await on('delivery create x --stream clicks --format xml --flush-age soon');
  expect(wrong.code).toBe(EXIT.usage);
  expect(wrong.stderr).toContain('xml');
  expect(wrong.stderr).toContain('soon');
  const refused = await on('delivery create x --stream clicks --layout {nope --flush-age 1000d');
  expect(refused.code).toBe(EXIT.failed);
  expect(refused.stderr).toContain('{nope');
  expect(refused.stderr).toContain('1000d');
  expect((await on('delivery create x --stream nowhere')).stderr).toContain('[stream-not-found]');
});

const lines = Array.from({ length: 240 }, (_, i) => {
  const at = Date.UTC(2026, 0, 31, i % 4, i % 60);
  return JSON.stringify({ id: i, time: new Date(at).toISOString(), at, product: `p${i % 3}` });
});

test('put sends standard input and files, and tells refused lines by number', async () => {
  const piped = await on('put clicks --key-field product', { stdin: `${lines.slice(0, 100).join('\n')}\n` });
  expect(piped.code).toBe(EXIT.ok);
  expect(piped.stdout).toMatch(/^100 records durable in clicks: /);

  const file = join(server.folder, 'rest.ndjson.gz');
  await writeFile(file, gzipSync([...lines.slice(100, 150), '{"broken', ...lines.slice(150)].join('\n')));
  const filed = await on(`put clicks ${file} --json`);
  expect(filed.code).toBe(EXIT.findings);
  expect(documents(filed)).toMatchObject([{ accepted: 140, refused: 1, refusals: [{ line: 51, code: 'not-json' }] }]);
});

test('put to a stream that does not exist says so, also for an empty input, and names no line to go on with', async () => {
  for (const stdin of ['{}\n', '', '\n\n']) {
    const { code, stderr } = await on('put nowhere', { stdin });
    expect(code).toBe(EXIT.failed);
    expect(stderr).toContain('[stream-not-found]');
    expect(stderr).toContain('lakeward stream create nowhere');
    expect(stderr).not.toContain('--from-line');
  }
  expect((await on('put clicks', { stdin: '' })).stdout).toMatch(/^0 records durable/);
});

test('tail prints records from the beginning, to a limit, and follows until it is ended', async () => {
  const all = await on('stream tail clicks --from earliest --no-follow');
  expect(all.stdout.trimEnd().split('\n').toSorted()).toEqual(lines.toSorted());
  const three = await json('stream tail clicks --from earliest --limit 3');
  expect(three).toHaveLength(3);
  expect(three[0]).toMatchObject({ shard: expect.stringMatching(/^shardId-/) as string });

  const ending = new AbortController();
  const followed = on('stream tail clicks --from earliest', {
    signal: ending.signal,
    onOutput: (soFar) => {
      if (soFar.includes('"late"')) ending.abort();
    },
  });
  await on('put clicks', { stdin: '{"id":"late","time":"never"}\n' });
  expect((await followed).code).toBe(EXIT.ok);
});

test('flush lands; lake and rejected show where everything is', async () => {
  const flushed = await on('delivery flush hourly');
  expect(flushed.code).toBe(EXIT.ok);
  expect(flushed.stdout).toMatch(/^hourly flushed: running, 240 rows in \d+ files, 1 rejected, 0 records waiting\n$/);
  expect((await on('delivery flush products')).code).toBe(EXIT.ok);

  const tree = (await on('lake ls hourly')).stdout;
  expect(tree).toMatch(/hourly\/year=2026\/month=01\/day=31\/ +240 rows/);
  expect(tree).toMatch(/└─ hour=03\/ +60 rows .* closed by request/);
  expect((await on('lake ls')).stdout).toMatch(/by\/product\/ +240 rows/);
  expect((await on('lake ls hourly --depth 0')).stdout).toMatch(/^hourly\S+ +240 rows[^\n]*\n$/);
  const waited = await on('lake wait hourly --hour 2026-01-31T01');
  expect(waited).toMatchObject({ code: EXIT.ok });
  expect(waited.stdout).toMatch(/^hourly 2026-01-31T01 is complete: 60 rows in \d+ files? /);
  const [open] = documents<{ rows: number }>(
    await on('lake wait hourly --partition year=2026/month=01/day=31 --timeout 1s --json'),
  );
  expect(open).toMatchObject({ complete: false, rows: 240 });
  expect((await on('lake wait hourly --hour 2026-01-31T03 --timeout 0s')).code).toBe(EXIT.timeout);
  expect((await on('lake wait hourly --hour yesterday')).code).toBe(EXIT.usage);
  expect((await on('lake wait products --hour 2026-01-31T03')).stderr).toContain('[argument-invalid]');
  type Listed = { deliveries: { files: { rows: number }[] }[] };
  const [listed] = await json<Listed>('lake ls products --under product=p1');
  expect(listed?.deliveries).toHaveLength(1);
  expect(listed?.deliveries[0]?.files.reduce((sum, file) => sum + file.rows, 0)).toBe(80);
  const [shown] = await json<{ files: { rows: number }[] }>('lake show hourly year=2026/month=01/day=31/hour=00');
  expect(shown?.files.reduce((sum, file) => sum + file.rows, 0)).toBe(60);
  expect((await on('lake show hourly')).stdout).toMatch(/\.parquet +\d+ .* request /);

  const rejected = await on('rejected list');
  expect(rejected.stdout).toMatch(/hourly +event-time-invalid +\S+ +1 /);
  expect(await json('rejected list')).toMatchObject([
    { deliveries: [{ delivery: 'hourly', reasons: [{ code: 'event-time-invalid', rows: 1 }] }, { reasons: [{}] }] },
  ]);
  expect((await on('rejected show hourly --raw')).stdout).toBe('{"id":"late","time":"never"}\n');
  expect(await json('rejected show hourly')).toMatchObject([{ code: 'event-time-invalid' }]);
  expect((await on('rejected show hourly')).stdout).toContain('event-time-invalid');
});

test('rejected rows are counted, edited and replayed; what was replayed shows no more', async () => {
  expect((await on('rejected list --group')).stdout).toMatch(/hourly +event-time-invalid +time +1 +0 +0 +1\n/);
  expect(await on('rejected replay hourly --dry-run')).toMatchObject({
    code: EXIT.ok,
    stdout: expect.stringMatching(
      /^0 rows would land, 1 row would stay rejected\n.*\nevent-time-invalid +time +1 +shard/,
    ),
  });
  const { stdout: line } = await on('rejected show hourly --edit');
  expect(line).toMatch(
    /^\{"shard":\d,"offset":\d+,"code":"event-time-invalid".*"record":\{"id":"late","time":"never"\}\}\n$/,
  );
  const file = join(server.folder, 'mend.ndjson');
  await writeFile(file, `${line.replace('"never"', '"2026-01-31T03:59:00Z"')}\n`);
  expect((await on(`rejected replay hourly --file ${file}`)).stdout).toBe('1 row landed, 0 rows stay rejected\n');
  expect(await json(`rejected replay hourly --file ${file}`)).toMatchObject([{ replayedRows: 0, notOpen: 1 }]);
  expect((await on('rejected show hourly')).stderr).toContain('no rejected rows');
  expect((await on('delivery describe hourly')).stdout).toMatch(/landed +241 rows[^]*rejected +1 row, 0 of them open/);
  await writeFile(file, '{"shard":0}\n');
  expect(await on(`rejected replay hourly --file ${file}`)).toMatchObject({ code: EXIT.usage });
});

test('an edited record keeps its digits and its text', () => {
  const row = (text: string | Uint8Array) => ({
    code: 'wrong-type' as const,
    reason: 'r',
    column: null,
    shard: 1,
    offset: 2,
    arrival: '2026-01-01T00:00:00.000Z',
    partitionKey: '',
    data: Buffer.from(text).toString('base64'),
  });
  for (const text of ['{"a":9007199254740993,"b":1.50,"c":[1e400]}', 'no {json', '{"a":"é\\n"}']) {
    expect(parseEdit(editLine(row(text)), 1)).toEqual({ shard: 1, offset: 2, data: row(text).data });
  }
  const bytes = Uint8Array.of(0xff, 0xfe);
  expect(parseEdit(editLine(row(bytes)), 1).data).toBe(row(bytes).data);
});

test('a delivery is updated option by option, paused, resumed, described and deleted', async () => {
  const [updated] = await json('delivery update hourly --flush-age 2m --flush-records 500');
  expect(updated).toMatchObject({ spec: { flush: { ageMs: 120_000, records: 500 }, eventTime: { field: 'time' } } });
  const file = join(server.folder, 'change.json');
  const transform = { where: 'product IS NOT NULL', drop: ['_extra'] };
  await writeFile(file, JSON.stringify({ transform }));
  expect(await json(`delivery update hourly --file ${file}`)).toMatchObject([{ spec: { transform } }]);
  expect((await on('delivery describe hourly')).stdout).toContain(`transform    ${JSON.stringify(transform)}\n`);
  await writeFile(file, '{"transform":null}');
  const [bare] = await json<{ spec: object }>(`delivery update hourly --file ${file}`);
  expect(bare?.spec).not.toHaveProperty('transform');
  expect(await json('delivery pause hourly')).toMatchObject([{ state: 'paused' }]);
  expect((await on('delivery list')).stdout).toMatch(/hourly +clicks +paused +parquet +241 /);
  expect(await json('delivery resume hourly')).toMatchObject([{ state: 'running' }]);
  const described = await on('delivery describe hourly');
  expect(described.stdout).toMatch(/landed +241 rows/);
  // Its only rejected row has landed by a replay.
  expect(described.stderr).toContain('lakeward lake ls hourly');
  expect((await on('delivery delete hourly')).stdout).toContain('its landing log stay');
  const gone = await on('delivery describe hourly');
  expect(gone.code).toBe(EXIT.failed);
  expect(gone.stderr).toContain('lakeward delivery list');
});

test('a delivery made again under its name tells that it goes on where it was', async () => {
  const again = await on('delivery create hourly --stream clicks --start latest --flush-age 1h');
  expect(again.code).toBe(EXIT.ok);
  expect(again.stderr).toMatch(/landed this stream before: it goes on behind entry \d+ .*--start has no effect/);
  expect((await on('delivery delete hourly')).code).toBe(EXIT.ok);
});

test('a stream that a delivery reads is deleted only with force', async () => {
  expect((await on('stream delete clicks')).stderr).toContain('[stream-in-use]');
  expect((await on('delivery delete products')).code).toBe(EXIT.ok);
  expect((await on('stream delete clicks')).code).toBe(EXIT.ok);
});

test('a stream is split, merged and scaled, and told how long it keeps records', async () => {
  expect((await on('stream create wide')).code).toBe(EXIT.ok);
  expect((await on('stream split wide shardId-000000000000')).stdout).toContain('wide has 2 open shards');
  const merged = await on('stream merge wide shardId-000000000001 shardId-000000000002');
  expect(merged.stdout).toContain('wide has 1 open shard: shardId-000000000003');
  expect((await on('stream split wide shardId-000000000003 --at 1000')).stdout).toContain('2 open shards');
  expect((await on('stream scale wide 3')).stdout).toContain('3 open shards');
  expect((await on('stream split wide shardId-000000000003')).stderr).toContain('[argument-invalid]');
  expect((await on('stream scale wide 0')).code).toBe(EXIT.usage);
  expect((await on('stream retention wide 72')).stdout).toContain('wide keeps records 72 h');
  const described = (await on('stream describe wide')).stdout;
  expect(described).toContain('72 h');
  expect(described.match(/ closed /g)?.length).toBeGreaterThan(3);
  expect((await on('stream delete wide')).code).toBe(EXIT.ok);
});

test('status shows the server', async () => {
  expect((await on('status')).stdout).toContain(`server   ${server.url}, version `);
  expect(await json('status')).toMatchObject([{ roles: ['ingest', 'deliver', 'compact'], disk: {} }]);
});

test('log verify refuses while the server runs, and finds the log sound afterwards', async () => {
  const data = join(server.folder, 'data');
  const refused = await on(`log verify --data ${data}`);
  expect(refused.code).toBe(EXIT.failed);
  expect(refused.stderr).toContain('[data-folder-locked]');
  expect((await on(`log verify --data ${server.folder}/none`)).stderr).toContain('holds no log');
});
