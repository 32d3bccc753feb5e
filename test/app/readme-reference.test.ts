import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACTIONS } from '../../src/ingest/kinesis/actions.ts';
import { type TemporaryServer, temporaryServer } from './temporary-server.ts';

/** The reference in README, held against a running server. */
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const sectionOf = (heading: string): string =>
  readme.split(new RegExp(`^#{2,3} ${heading}\n`, 'm'))[1]?.split(/^#{2,3} /m)[0] ?? '';

let server: TemporaryServer;
beforeAll(async () => {
  server = await temporaryServer();
  const post = (path: string, body: object): Promise<Response> =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await post('/v1/streams', { name: 's' });
  await post('/v1/deliveries', { name: 'd', stream: 's', layout: '', format: 'ndjson' });
});
afterAll(() => server.close());

test('every route that README lists is served', async () => {
  const routes = [...sectionOf('HTTP API').matchAll(/^\| `([A-Z]+) (\/\S+)` \|/gm)].map(([, method, path]) => ({
    method: method ?? '',
    path: (path ?? '').replaceAll(/\{\w+\}/g, 'nobody'),
  }));
  expect(routes).toHaveLength(46);
  const answers = await Promise.all(
    routes.map(async ({ method, path }) => {
      const text = await (await fetch(server.url + path, { method })).text();
      return { method, path, unserved: /"code":"(not-found|method-not-allowed)"/.test(text) };
    }),
  );
  expect(answers.filter(({ unserved }) => unserved)).toEqual([]);
});

test('README lists every Kinesis action, and no other', () => {
  const listed = [...sectionOf('Kinesis').matchAll(/`([A-Z]\w+)`/g)].map(([, name]) => name);
  expect(listed.filter((name) => name !== 'UnknownOperationException')).toEqual([...ACTIONS.keys()]);
});

test('README lists every metric of the server with its type', async () => {
  const exposition = await (await fetch(`${server.url}/metrics`)).text();
  const listed = [...sectionOf('Metrics').matchAll(/^\| `(lakeward_\w+)` \| (\w+) \|/gm)].map(
    (it) => `${it[1]} ${it[2]}`,
  );
  const given = [...exposition.matchAll(/^# TYPE (lakeward_\w+ \w+)$/gm)].map(([, metric]) => metric);
  expect(given.length).toBeGreaterThan(20);
  expect(given.filter((metric) => !listed.includes(metric ?? ''))).toEqual([]);
});
