import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LoadOptions, loadConfig } from '../../src/config/load.ts';
import type { LakewardError } from '../../src/model/errors.ts';
import { MIB } from '../../src/model/limits.ts';

const SECRET = 'a-long-enough-secret';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakeward-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const load = (options: LoadOptions = {}) => loadConfig({ env: {}, workingFolder: folder, ...options });

async function loadText(text: string, options: LoadOptions = {}) {
  await writeFile(join(folder, 'lakeward.yaml'), text);
  return load(options);
}

async function problemsOf(loading: Promise<unknown>): Promise<[string, unknown, string][]> {
  const error = await loading.then(
    () => expect.fail('the configuration was accepted'),
    (error: unknown) => error as LakewardError,
  );
  expect(error).toMatchObject({ code: 'config-invalid' });
  const problems = error.details?.['problems'] as { path: string; value: unknown; accepted: string }[];
  for (const { path, accepted } of problems) {
    expect(error.message).toContain(path);
    expect(error.message).toContain(accepted);
  }
  return problems.map(({ path, value, accepted }) => [path, value, accepted]);
}

describe('a configuration', () => {
  test('has a default for everything', async () => {
    const config = await load();
    expect(config).toEqual({
      roles: ['ingest', 'deliver', 'compact'],
      catalog: { place: 'data' },
      server: { host: '127.0.0.1', port: 4567, open: false, keys: [], drainMs: 10_000 },
      data: { folder: join(folder, 'lakeward-data'), reserveBytes: 512 * MIB },
      lake: { folder: join(folder, 'lakeward-data', 'lake') },
      lakeKeys: [],
      log: { segmentBytes: 64 * MIB, groupBytes: 4 * MIB },
      convert: { engines: expect.any(Number), memoryBytes: 512 * MIB },
      telemetry: { level: 'info' },
      streams: [],
      deliveries: [],
      testing: {},
    });
    expect(config.convert.engines).toBeGreaterThanOrEqual(1);
    expect(config.convert.engines).toBeLessThanOrEqual(4);
  });

  test('is read from lakeward.yaml in the working folder', async () => {
    const config = await loadText(`
server:
  port: 0
  keys:
    - { id: writer, secret: ${SECRET} }
data: { folder: ./d, reserve: 1 GiB }
lake:
  folder: /srv/lake
log: { segmentBytes: 128MiB }
convert: { engines: 3, memory: 256MiB }
telemetry: { level: debug }
streams:
  - name: clicks
  - { name: orders, shards: 4, retentionHours: 48 }
deliveries:
  - { name: d, stream: clicks, flush: { bytes: 64MiB }, anything: goes }
`);
    expect(config).toMatchObject({
      file: join(folder, 'lakeward.yaml'),
      server: { port: 0, keys: [{ id: 'writer', secret: SECRET }] },
      data: { folder: join(folder, 'd'), reserveBytes: 1024 * MIB },
      lake: { folder: '/srv/lake' },
      lakeKeys: [],
      log: { segmentBytes: 128 * MIB, groupBytes: 4 * MIB },
      convert: { engines: 3, memoryBytes: 256 * MIB },
      telemetry: { level: 'debug' },
      streams: [
        { name: 'clicks', shards: 1, retentionMs: 86_400_000 },
        { name: 'orders', shards: 4, retentionMs: 172_800_000 },
      ],
      deliveries: [{ name: 'd', stream: 'clicks', flush: { bytes: '64MiB' }, anything: 'goes' }],
    });
  });

  test('puts streams on a Kafka cluster', async () => {
    const kafka = async (text: string) => (await loadText(`broker: { kafka: { ${text} } }`)).kafka;
    expect(await kafka("bootstrap: ['a:9092', 'b:9093']")).toEqual({ bootstrap: ['a:9092', 'b:9093'], tls: false });
    expect(
      await kafka("bootstrap: ['a:1'], replicas: 3, tls: true, ca: ca.pem, sasl: { username: u, password: p }"),
    ).toEqual({
      bootstrap: ['a:1'],
      replicas: 3,
      tls: true,
      ca: join(folder, 'ca.pem'),
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'p' },
    });
  });

  test('gives one of several processes its roles, and the catalog that they share', async () => {
    const shared = `catalog: { place: lake }\nbroker: { kafka: { bootstrap: ['a:1'] } }\nlake: { folder: ./l }\n`;
    expect(await loadText(`${shared}roles: [ingest]`)).toMatchObject({ roles: ['ingest'], catalog: { place: 'lake' } });
    expect((await loadText(`${shared}roles: [ingest]`, { env: { LAKEWARD_ROLES: 'deliver,compact' } })).roles).toEqual([
      'deliver',
      'compact',
    ]);
    expect((await loadText(shared, { flags: { roles: 'ingest' } })).roles).toEqual(['ingest']);
    expect(await problemsOf(loadText(`${shared}roles: [land]`))).toMatchObject([
      ['roles[0]', 'land', expect.anything()],
    ]);
    expect(await problemsOf(loadText(`${shared}roles: []`))).toMatchObject([['roles', [], 'one role at least']]);
    expect(await problemsOf(loadText(`${shared}roles: [ingest, ingest]`))).toMatchObject([
      ['roles', ['ingest', 'ingest'], 'every role once'],
    ]);
  });

  test('gives the Redis that processes share jobs through, and hides it: it may hold a password', async () => {
    const shared = `catalog: { place: lake }\nbroker: { kafka: { bootstrap: ['a:1'] } }\nlake: { folder: ./l }\n`;
    const redis = 'rediss://user:pass@redis-1:6380/2';
    expect((await loadText(shared)).redis).toBeUndefined();
    expect((await loadText(shared, { env: { LAKEWARD_SCHEDULE_REDIS: redis } })).redis).toEqual({
      url: redis,
      prefix: 'lakeward',
    });
    expect(await problemsOf(loadText(`${shared}schedule: { redis: 'user:pass@redis-1' }`))).toEqual([
      ['schedule.redis', '(hidden)', 'redis(s)://user:password@host:port'],
    ]);
    expect(await problemsOf(loadText(`schedule: { redis: '${redis}' }`))).toEqual([
      ['schedule.redis', '(hidden)', expect.stringContaining('catalog.place: lake')],
    ]);
  });

  test('refuses to share a catalog without what else must be shared, and a process alone that leaves work to nobody', async () => {
    const paths = async (text: string) =>
      (await problemsOf(loadText(text))).map(([path, , accepted]) => [path, accepted]);
    expect(await paths('catalog: { place: lake }')).toEqual([
      ['catalog.place', expect.stringContaining('add broker.kafka')],
      ['catalog.place', expect.stringContaining('add lake.s3 or lake.folder')],
    ]);
    expect(await paths('roles: [compact]')).toEqual([
      ['roles', expect.stringContaining('ingest among them')],
      ['roles', expect.stringContaining('deliver among them')],
    ]);
    expect((await loadText('roles: [ingest, deliver]')).roles).toEqual(['ingest', 'deliver']);
  });

  test('takes JSON, an empty file, and keys without a value', async () => {
    expect((await loadText('{"server": {"port": 1}}')).server.port).toBe(1);
    expect((await loadText('')).server.port).toBe(4567);
    expect((await loadText('server:\n  port:\ndata:\nstreams:\n')).server.port).toBe(4567);
  });

  test('counts relative paths of another file from its folder, and needs that file', async () => {
    const file = join(folder, 'other.yaml');
    await writeFile(file, 'data: { folder: ./d }');
    expect((await load({ file, workingFolder: tmpdir() })).data.folder).toBe(join(folder, 'd'));
    expect((await load({ file: 'other.yaml' })).data.folder).toBe(join(folder, 'd'));
    expect(await problemsOf(load({ file: 'missing.yaml' }))).toEqual([
      ['', expect.stringContaining('ENOENT'), expect.stringContaining('can be read')],
    ]);
  });

  test('follows the environment over the file, and flags over both', async () => {
    const text = 'server: { port: 1, host: localhost }\ntelemetry: { level: error }';
    const env = {
      LAKEWARD_SERVER_PORT: '2',
      LAKEWARD_SERVER_OPEN: 'true',
      LAKEWARD_SERVER_KEYS: `a-1:${SECRET},b-2:${SECRET}:with-colon`,
      LAKEWARD_DATA_FOLDER: 'data-here',
      LAKEWARD_TELEMETRY_LEVEL: 'warn',
      LAKEWARD_CRASH_AT: 'staged:2',
    };
    const config = await loadText(text, { env, flags: { port: '3', lake: '/lake', host: undefined } });
    expect(config).toMatchObject({
      server: {
        host: 'localhost',
        port: 3,
        open: true,
        keys: [{ id: 'a-1' }, { id: 'b-2', secret: `${SECRET}:with-colon` }],
      },
      data: { folder: join(folder, 'data-here') },
      lake: { folder: '/lake' },
      telemetry: { level: 'warn' },
      testing: { crashAt: 'staged:2' },
    });
  });

  test('reads the Avro file that a delivery names', async () => {
    await writeFile(join(folder, 'a.avsc'), '{"type":"record","name":"a","fields":[]}');
    const config = await loadText('deliveries: [{ name: a, schema: a.avsc }, { name: b, schema: auto }, { name: c }]');
    expect(config.deliveries).toEqual([
      { name: 'a', schema: { avro: { type: 'record', name: 'a', fields: [] } } },
      { name: 'b', schema: 'auto' },
      { name: 'c' },
    ]);
  });
});

describe('a faulty configuration', () => {
  test('is told of all its problems at once, each with path, value and what is accepted', async () => {
    const text = `
servr: { port: 1 }
server: { port: 99999, host: 5, keys: [{ id: me, secret: short }, 7, { id: writer }] }
data: { reserve: 12 }
log: { segmentBytes: 1KiB, groupBytes: soon }
convert: { engines: 0, threads: 2 }
telemetry: { level: loud }
streams: [{ name: a/b }, { shards: 257 }]
deliveries: [5]
`;
    expect(await problemsOf(loadText(text))).toEqual([
      [
        'servr',
        '(unknown key)',
        'one of roles, server, data, catalog, broker, lake, log, convert, schedule, telemetry, streams, deliveries',
      ],
      ['server.host', 5, expect.any(String)],
      ['server.port', 99_999, 'an integer from 0 to 65535'],
      ['server.keys[0].id', 'me', '3-128 of A-Z a-z 0-9 _ . -'],
      ['server.keys[0].secret', '(hidden)', '16-256 visible ASCII characters'],
      ['server.keys[1]', '(hidden)', 'keys id, secret'],
      ['server.keys[2].secret', undefined, '16-256 visible ASCII characters'],
      ['data.reserve', 12, 'a size from 0B to 1TiB'],
      ['log.segmentBytes', '1KiB', 'a size from 1MiB to 1GiB'],
      ['log.groupBytes', 'soon', 'a size from 64KiB to 64MiB'],
      ['convert.threads', '(unknown key)', 'one of engines, memory'],
      ['convert.engines', 0, 'an integer from 1 to 16'],
      ['telemetry.level', 'loud', 'debug, info, warn, error, silent'],
      ['streams[0].name', 'a/b', '1-128 of A-Z a-z 0-9 _ . -'],
      ['streams[1].name', undefined, '1-128 of A-Z a-z 0-9 _ . -'],
      ['streams[1].shards', 257, 'an integer from 1 to 256'],
      ['deliveries[0]', 5, 'a delivery specification'],
    ]);
  });

  test.each([
    ['log: { segmentBytes: 1MiB }', 'log: { segmentBytes: 1048575B }'],
    ['log: { segmentBytes: 1GiB }', 'log: { segmentBytes: 1073741825B }'],
    ['server: { port: 65535 }', 'server: { port: 65536 }'],
    ['streams: [{ name: s, retentionHours: 8760 }]', 'streams: [{ name: s, retentionHours: 8761 }]'],
    ['streams: [{ name: s, retentionHours: 1 }]', 'streams: [{ name: s, retentionHours: 0 }]'],
    ['convert: { engines: 16 }', 'convert: { engines: 17 }'],
  ])('is one past the range: %s is good, %s is not', async (good, bad) => {
    await loadText(good);
    expect(await problemsOf(loadText(bad))).toHaveLength(1);
  });

  test('takes a key of the lake from one place, and a variable that is named is set', async () => {
    const text = `
lake:
  keys:
    - { id: a, file: keys/a.key }
    - { id: b, env: KEY_B }
    - { id: c, command: [vault, --ring, lake] }
`;
    const { lakeKeys } = await loadText(text, { env: { KEY_B: 'secret' } });
    expect(lakeKeys).toEqual([
      { id: 'a', from: { file: join(folder, 'keys/a.key') } },
      { id: 'b', from: { text: 'secret', name: 'KEY_B' } },
      { id: 'c', from: { command: ['vault', '--ring', 'lake'] } },
    ]);
    const bad = 'lake: { keys: [{ id: a }, { id: b, file: x, env: Y }, { id: a, env: UNSET }] }';
    expect((await problemsOf(loadText(bad))).map(([path]) => path)).toEqual([
      'lake.keys[0]',
      'lake.keys[1]',
      'lake.keys[2].env',
      'lake.keys[2].id',
    ]);
  });

  test('never shows a secret', async () => {
    for (const keys of [`[{ id: me, secret: "se cret-of-${SECRET}" }]`, `["${SECRET}"]`, `"${SECRET}"`]) {
      const failing = loadText(`server: { keys: ${keys} }`);
      await expect(failing).rejects.toThrow('server.keys');
      await expect(failing).rejects.not.toThrow(SECRET);
    }
    const env = { LAKEWARD_SERVER_KEYS: SECRET };
    await expect(load({ env })).rejects.not.toThrow(SECRET);
  });

  test('names no broker of the cluster, or an authority without TLS', async () => {
    const paths = async (text: string) => (await problemsOf(loadText(text))).map(([path]) => path);
    expect(await paths('broker: { kafka: { ca: a.pem } }')).toEqual(['broker.kafka.bootstrap', 'broker.kafka.ca']);
    expect(await paths('broker: { kafka: { bootstrap: [a] } }')).toEqual(['broker.kafka.bootstrap[0]']);
    const [, hidden] = await problemsOf(
      loadText("broker: { kafka: { bootstrap: ['a:1'], sasl: { password: [tell-nobody] } } }"),
    );
    expect(JSON.stringify(hidden)).not.toContain('tell-nobody');
  });

  test('listens where others reach it without keys: it is told what to do', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
      expect(await problemsOf(load({ flags: { host } }))).toEqual([
        ['server.host', host, expect.stringMatching(/server\.keys.*server\.open/)],
      ]);
      await load({ flags: { host, open: true } });
      await load({ flags: { host }, env: { LAKEWARD_SERVER_KEYS: `me-1:${SECRET}` } });
    }
    for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) await load({ flags: { host } });
  });

  test('names things twice', async () => {
    const text = 'streams: [{ name: a }, { name: b }, { name: a }]\ndeliveries: [{ name: d }, { name: d }]';
    expect(await problemsOf(loadText(text))).toEqual([
      ['streams[2].name', 'a', 'another name'],
      ['deliveries[1].name', 'd', 'another name'],
    ]);
  });

  test('has flags or variables that are not of their form', async () => {
    const env = { LAKEWARD_SERVER_PORT: '0x50', LAKEWARD_SERVER_OPEN: 'yes', LAKEWARD_DATA_FOLDER: '' };
    const paths = (await problemsOf(load({ env, flags: { 'log-level': 'loud' } }))).map(([path, value]) => [
      path,
      value,
    ]);
    expect(paths).toEqual([
      ['server.port', '0x50'],
      ['server.open', 'yes'],
      ['data.folder', ''],
      ['telemetry.level', 'loud'],
    ]);
  });

  test.each([
    ['server: {', 'valid YAML'],
    ['server: { port: 1 }\nserver: { port: 2 }', 'valid YAML'],
    ['- a', 'keys roles, server'],
    ['just text', 'keys roles, server'],
  ])('is no mapping of keys: %j', async (text, accepted) => {
    expect(await problemsOf(loadText(text))).toEqual([['', expect.anything(), expect.stringContaining(accepted)]]);
  });

  test('has aliases that blow up', async () => {
    const levels = Array.from({ length: 12 }, (_, i) =>
      i === 0 ? 'a0: &a0 [x, x]' : `a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`,
    );
    expect(await problemsOf(loadText(levels.join('\n')))).toHaveLength(1);
  });

  test('names a schema that is absent or no JSON', async () => {
    await writeFile(join(folder, 'b.avsc'), 'record');
    const text = 'deliveries: [{ name: a, schema: a.avsc }, { name: b, schema: b.avsc }]';
    expect((await problemsOf(loadText(text))).map(([path]) => path).sort((a, b) => a.localeCompare(b))).toEqual([
      'deliveries[0].schema',
      'deliveries[1].schema',
    ]);
  });

  test('does not reach through the prototype', async () => {
    expect(await problemsOf(loadText('{"__proto__": {"port": 1}, "constructor": 1}'))).toHaveLength(2);
  });
});
