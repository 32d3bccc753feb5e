import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AppliedChange, ApplyAnswer, DeliveryStatus, StreamView } from '../../src/app/control-answers.ts';
import { type TemporaryServer, temporaryServer } from '../app/temporary-server.ts';
import { api, must } from '../hostile/running-server.ts';
import { type Captured, documents, lakeward } from './captured-run.ts';

let server: TemporaryServer;
let file: string;
beforeAll(async () => {
  server = await temporaryServer();
  file = join(server.folder, 'wanted.yaml');
});
afterAll(() => server.close());

async function applied(text: string, ...options: string[]): Promise<Captured> {
  await writeFile(file, text);
  return lakeward(['apply', '-f', file, ...options], server);
}

async function changesOf(text: string, ...options: string[]): Promise<readonly (readonly string[])[]> {
  const captured = await applied(text, '--json', ...options);
  const [answer] = documents<ApplyAnswer>(captured);
  return (answer?.changes ?? []).map(({ kind, name, change }: AppliedChange) => [change, kind, name]);
}

const streams = async () =>
  (await must<{ streams: StreamView[] }>(`${server.url}/v1/streams`, 'GET')).streams.map(
    ({ name, retentionHours, shards }) => [name, shards.filter(({ closed }) => !closed).length, retentionHours],
  );
const deliveries = async () =>
  (await must<{ deliveries: DeliveryStatus[] }>(`${server.url}/v1/deliveries`, 'GET')).deliveries;

/** As a server's own file is: what is not about streams and deliveries is not looked at. */
const FIRST = `
server: { port: 1, host: 0.0.0.0 }
streams:
  - { name: clicks, shards: 2, retentionHours: 48 }
  - { name: orders }
deliveries:
  - { name: hourly, stream: clicks, flush: { age: 1h } }
  - { name: csv, stream: orders, format: csv, layout: '' }
`;

describe('apply', () => {
  test('makes what a file says, shows it before, and changes nothing the second time', async () => {
    const planned = await applied(FIRST, '--dry-run');
    expect(planned.code).toBe(4);
    expect(planned.stdout).toContain('+ stream clicks\n    shards: 2\n    retentionMs: 2.0 d\n');
    expect(planned.stdout).toMatch(/\+ delivery hourly\n[^+]*stream: "clicks"\n[^+]*flush\.ageMs: 1\.0 h\n/);
    expect(planned.stderr).toContain('4 changes to make');
    expect(await streams()).toEqual([]);

    expect(await applied(FIRST)).toMatchObject({ code: 0, stdout: planned.stdout });
    expect(await streams()).toEqual([
      ['clicks', 2, 48],
      ['orders', 1, 24],
    ]);
    expect((await deliveries()).map(({ spec, owner }) => [spec.name, spec.format, owner])).toEqual([
      ['csv', 'csv', 'api'],
      ['hourly', 'parquet', 'api'],
    ]);
    for (const options of [['--dry-run'], [], ['--prune']]) {
      expect(await applied(FIRST, ...options)).toMatchObject({ code: 0, stdout: '', stderr: 'nothing to change\n' });
    }
  });

  test('changes what differs, field by field, and leaves alone what is not written', async () => {
    const second = FIRST.replace('age: 1h', 'age: 10m, bytes: 1MiB').replace(
      'retentionHours: 48',
      'retentionHours: 72',
    );
    const planned = await applied(second.replace('shards: 2, ', ''), '--dry-run');
    expect(planned.stdout).toBe(
      [
        '~ stream clicks',
        '    retentionMs: 2.0 d -> 3.0 d',
        '~ delivery hourly',
        '    flush.bytes: 67108864 -> 1048576',
        '    flush.ageMs: 1.0 h -> 10 min 0 s',
        '',
      ].join('\n'),
    );
    await applied(second.replace('shards: 2, ', ''));
    expect(await streams()).toContainEqual(['clicks', 2, 72]);
    expect(await changesOf(second.replace('shards: 2', 'shards: 4'))).toEqual([['change', 'stream', 'clicks']]);
    expect(await streams()).toContainEqual(['clicks', 4, 72]);
    expect(await changesOf(second.replace('shards: 2', 'shards: 4'), '--dry-run')).toEqual([]);
  });

  test('deletes what the file leaves out only when it is told to, but never a stream that is read', async () => {
    const less = `streams: [{ name: clicks }]\ndeliveries: [{ name: csv, stream: orders, format: csv, layout: '' }]\n`;
    expect(await changesOf(less)).toEqual([]);
    expect(await changesOf(less, '--prune', '--dry-run')).toEqual([['remove', 'delivery', 'hourly']]);
    expect(await deliveries()).toHaveLength(2);
    expect(await changesOf('', '--prune')).toEqual([
      ['remove', 'delivery', 'csv'],
      ['remove', 'delivery', 'hourly'],
      ['remove', 'stream', 'clicks'],
      ['remove', 'stream', 'orders'],
    ]);
    expect([await streams(), await deliveries()]).toEqual([[], []]);
  });

  test('does all of the deliveries or none: every refusal is told, and nothing was made', async () => {
    await must(`${server.url}/v1/streams`, 'POST', { name: 's' });
    await must(`${server.url}/v1/deliveries`, 'POST', { name: 'd', stream: 's' });
    const refused = await applied(`
deliveries:
  - { name: good, stream: s }
  - { name: d, stream: s, prefix: elsewhere }
  - { name: lost, stream: nowhere }
`);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/prefix.*cannot change.*'nowhere', which does not exist/s);
    expect((await deliveries()).map(({ spec }) => spec.name)).toEqual(['d']);
    const unread = await applied('deliveries: [{ name: a, stream: s, format: xml }, { name: b, stream: s, flush: 1 }]');
    expect(unread.stderr).toMatch(/deliveries\[0\]\.format.*deliveries\[1\]\.flush/s);
    // A neighbour that is made in the same go counts as one that is there.
    const beside = 'deliveries: [{ name: a, stream: s, prefix: x/y }, { name: b, stream: s, prefix: x }]';
    expect((await applied(beside)).code).toBe(1);
    expect((await api(`${server.url}/v1/apply`, 'POST', { delivery: [] })).status).toBe(400);
  });

  test.each([
    ['a misspelt section', 'delivreies: []', 'delivreies'],
    ['a misspelt key of a stream', 'streams: [{ name: a, shard: 1 }]', 'streams[0].shard'],
    ['a name that is there twice', 'streams: [{ name: a }, { name: a }]', 'streams[1].name'],
    ['a schema that cannot be read', 'deliveries: [{ name: a, stream: s, schema: ./no.avsc }]', 'deliveries[0].schema'],
  ])('tells %s before anything is sent', async (_, text, path) => {
    const { code, stderr } = await applied(text);
    expect(code).toBe(1);
    expect(stderr).toContain(path);
    expect(stderr).toContain('[config-invalid]');
  });

  test('keeps its hands off what a file of the server declares', async () => {
    await server.restart(async () => {
      const own = { streams: [{ name: 'own' }], deliveries: [{ name: 'mine', stream: 'own' }] };
      await writeFile(join(server.folder, 'lakeward.yaml'), JSON.stringify(own));
    });
    expect(await changesOf('deliveries: [{ name: mine, stream: own }]')).toEqual([]);
    const refused = await applied('deliveries: [{ name: mine, stream: own, flush: { age: 7m } }]');
    expect(refused.stderr).toContain('[owned-by-file]');
    expect(await changesOf('streams: [{ name: s }]', '--prune', '--dry-run')).toEqual([['remove', 'delivery', 'd']]);
  });
});
