import { afterEach, expect, test } from 'vitest';
import type { OpenDoor, WireAnswer } from './open-door.ts';
import { ask, openDoor } from './open-door.ts';

const TYPE = 'application/vnd.schemaregistry.v1+json';
let door: OpenDoor;
afterEach(() => door.close());

const call = (method: string, path: string, body?: unknown, headers = {}): Promise<WireAnswer> =>
  ask(`${door.url}${path}`, method, body, { ...(body === undefined ? {} : { 'content-type': TYPE }), ...headers });
const register = (subject: string, schema: unknown): Promise<WireAnswer> =>
  call('POST', `/subjects/${encodeURIComponent(subject)}/versions`, { schema: JSON.stringify(schema) });
const user = (...fields: object[]): object => ({ type: 'record', name: 'User', fields });
const NAME = { name: 'name', type: 'string' };
const AGE = { name: 'age', type: 'int', default: 0 };

test('a schema that was registered is found by id, subject, version and content', async () => {
  door = await openDoor();
  const made = await register('clicks-value', user(NAME));
  expect(made.status).toBe(200);
  expect(made.headers.get('content-type')).toContain(TYPE);
  expect(made.json).toMatchObject({ id: 1, version: 1 });
  const text = JSON.stringify({ type: 'record', name: 'User', fields: [{ type: 'string', name: 'name' }] });
  const version = { subject: 'clicks-value', version: 1, id: 1, schemaType: 'AVRO', schema: text };
  expect((await call('GET', '/schemas/ids/1')).json).toEqual({ schema: text });
  expect((await call('GET', '/schemas/ids/1?subject=clicks-value&fetchMaxId=false')).status).toBe(200);
  expect((await call('GET', '/schemas/ids/1/schema')).json).toEqual(user(NAME));
  expect((await call('GET', '/subjects')).json).toEqual(['clicks-value']);
  expect((await call('GET', '/subjects/clicks-value/versions')).json).toEqual([1]);
  for (const which of ['1', 'latest', '-1']) {
    expect((await call('GET', `/subjects/clicks-value/versions/${which}`)).json).toEqual(version);
  }
  expect((await call('POST', '/subjects/clicks-value', { schema: JSON.stringify(user(NAME), null, 2) })).json).toEqual(
    version,
  );
  expect((await call('GET', '/schemas/ids/1/versions')).json).toEqual([{ subject: 'clicks-value', version: 1 }]);
  expect((await call('GET', '/schemas/ids/1/subjects')).json).toEqual(['clicks-value']);
  expect((await register('clicks-value', user(NAME))).json).toMatchObject({ id: 1 });
  expect((await register('a key/ü', 'string')).json).toMatchObject({ id: 2 });
  expect((await call('GET', `/subjects/${encodeURIComponent('a key/ü')}/versions/latest/schema`)).text).toBe(
    '"string"',
  );
});

test('what cannot be is answered with the numbers that clients know', async () => {
  door = await openDoor();
  await register('s', user(NAME));
  const bad = async (answer: Promise<WireAnswer>): Promise<unknown[]> => {
    const { status, json } = await answer;
    expect(json['message']).toBeTypeOf('string');
    return [status, json['error_code']];
  };
  expect(await bad(call('GET', '/subjects/none/versions'))).toEqual([404, 40401]);
  expect(await bad(call('GET', '/subjects/none/versions/1'))).toEqual([404, 40401]);
  expect(await bad(call('GET', '/subjects/s/versions/9'))).toEqual([404, 40402]);
  expect(await bad(call('GET', '/subjects/s/versions/x'))).toEqual([422, 42202]);
  expect(await bad(call('GET', '/subjects/s/versions/0'))).toEqual([422, 42202]);
  expect(await bad(call('GET', '/schemas/ids/9'))).toEqual([404, 40403]);
  expect(await bad(call('POST', '/subjects/s', { schema: '"int"' }))).toEqual([404, 40403]);
  expect(await bad(call('POST', '/subjects/none', { schema: '"int"' }))).toEqual([404, 40401]);
  expect(await bad(call('POST', '/subjects/s/versions', { schema: '{' }))).toEqual([422, 42201]);
  expect(await bad(register('s', user(NAME, { name: 'x', type: 'none' })))).toEqual([422, 42201]);
  expect(await bad(call('POST', '/subjects/s/versions', '{'))).toEqual([422, 42201]);
  expect(await bad(call('POST', '/subjects/s/versions', { schema: '{}', schemaType: 'JSON' }))).toEqual([422, 42201]);
  expect(await bad(register('s', user({ name: 'name', type: 'int' })))).toEqual([409, 409]);
  expect(await bad(call('PUT', '/config', { compatibility: 'SOME' }))).toEqual([422, 42203]);
  expect(await bad(call('GET', '/config/s'))).toEqual([404, 40408]);
  expect(await bad(call('GET', '/subjects/s/nothing'))).toEqual([404, 404]);
  expect(await bad(call('PATCH', '/subjects'))).toEqual([405, 405]);
});

test('deleting is twofold and says when the order is wrong', async () => {
  door = await openDoor();
  await register('s', user(NAME));
  await register('s', user(NAME, AGE));
  const gone = async (path: string): Promise<unknown> => (await call('DELETE', path)).json['error_code'];
  expect(await gone('/subjects/s/versions/1?permanent=true')).toBe(40407);
  expect((await call('DELETE', '/subjects/s/versions/1')).text).toBe('1');
  expect(await gone('/subjects/s/versions/1')).toBe(40406);
  expect((await call('GET', '/subjects/s/versions')).json).toEqual([2]);
  expect((await call('GET', '/subjects/s/versions?deleted=true')).json).toEqual([1, 2]);
  expect(await gone('/subjects/s?permanent=true')).toBe(40405);
  expect((await call('DELETE', '/subjects/s')).json).toEqual([2]);
  expect(await gone('/subjects/s')).toBe(40404);
  expect((await call('GET', '/subjects')).json).toEqual([]);
  expect((await call('GET', '/subjects?deleted=true')).json).toEqual(['s']);
  expect((await call('DELETE', '/subjects/s?permanent=true')).json).toEqual([1, 2]);
  expect(await gone('/subjects/s?permanent=true')).toBe(40401);
  // Records may still carry the id.
  expect((await call('GET', '/schemas/ids/1')).status).toBe(200);
});

test('compatibility is asked and set for all and for one subject', async () => {
  door = await openDoor();
  await register('s', user(NAME));
  const asks = async (schema: unknown, query = ''): Promise<Record<string, unknown>> =>
    (await call('POST', `/compatibility/subjects/s/versions/latest${query}`, { schema: JSON.stringify(schema) })).json;
  expect(await asks(user(NAME, AGE))).toEqual({ is_compatible: true });
  const no = await asks(user({ name: 'name', type: 'int' }), '?verbose=true');
  expect(no['is_compatible']).toBe(false);
  expect((no['messages'] as string[])[0]).toContain('"path":"name"');
  expect((await call('POST', '/compatibility/subjects/new/versions/latest', { schema: '"int"' })).json).toEqual({
    is_compatible: true,
  });
  expect((await call('GET', '/config')).json).toEqual({ compatibilityLevel: 'BACKWARD' });
  expect((await call('PUT', '/config', { compatibility: 'FULL_TRANSITIVE' })).json).toEqual({
    compatibility: 'FULL_TRANSITIVE',
  });
  expect((await call('PUT', '/config/s', { compatibility: 'NONE' })).json).toEqual({ compatibility: 'NONE' });
  expect((await call('GET', '/config/s')).json).toEqual({ compatibilityLevel: 'NONE' });
  expect((await call('GET', '/config/t?defaultToGlobal=true')).json).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' });
  expect((await register('s', user({ name: 'name', type: 'int' }))).status).toBe(200);
  expect((await call('DELETE', '/config/s')).json).toEqual({ compatibilityLevel: 'NONE' });
  expect((await call('GET', '/mode')).json).toEqual({ mode: 'READWRITE' });
});

test('with keys, a client shows the id and the secret as user and password', async () => {
  const keys = [
    { id: 'first', secret: 'a-secret-of-sixteen' },
    { id: 'registry', secret: 'another-secret-of-it' },
  ];
  door = await openDoor({ keys });
  const basic = (text: string): object => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const ask = (headers: object): Promise<WireAnswer> => call('GET', '/subjects', undefined, headers);
  expect((await ask(basic('registry:another-secret-of-it'))).status).toBe(200);
  expect((await ask({ authorization: 'Bearer another-secret-of-it' })).status).toBe(200);
  for (const wrong of [
    {},
    basic('first:another-secret-of-it'),
    basic('registry'),
    basic(':'),
    { authorization: 'Basic %' },
  ]) {
    expect(await ask(wrong)).toMatchObject({ status: 401, json: { error_code: 40101 } });
  }
});

test('people are told of subjects, differences and what a schema would break', async () => {
  door = await openDoor();
  const v1 = (method: string, path: string, body?: unknown): Promise<WireAnswer> =>
    ask(`${door.url}/v1/schemas${path}`, method, body);
  expect(await v1('POST', '/clicks', { schema: user(NAME) })).toMatchObject({
    status: 201,
    json: { subject: 'clicks', version: 1, id: 1, compatibility: 'backward', schema: user(NAME) },
  });
  expect((await v1('POST', '/clicks', { schema: JSON.stringify(user(NAME, AGE)) })).json['version']).toBe(2);
  expect((await v1('GET', '')).json).toMatchObject({ compatibility: 'backward', subjects: [{ subject: 'clicks' }] });
  expect((await v1('GET', '/clicks?version=1')).json).toMatchObject({ version: 1, schema: user(NAME) });
  expect((await v1('GET', '/clicks/diff')).json).toMatchObject({
    from: 1,
    to: 2,
    changes: [{ path: 'age', change: 'added', to: 'int, default 0' }],
    backward: [],
    forward: [],
  });
  const check = await v1('POST', '/clicks/check', { schema: user({ name: 'name', type: 'long' }) });
  expect(check.json).toMatchObject({ compatible: false, problems: [{ path: 'name', kind: 'TYPE_MISMATCH' }] });
  const refused = await v1('POST', '/clicks', { schema: user({ name: 'name', type: 'long' }) });
  expect(refused).toMatchObject({ status: 409, json: { error: { code: 'schema-incompatible' } } });
  expect((await v1('PUT', '/clicks', { compatibility: 'none' })).json).toEqual({ compatibility: 'none' });
  expect((await v1('PUT', '', { compatibility: 'some' })).status).toBe(400);
  expect((await v1('PUT', '/clicks', { compatibility: null })).json).toEqual({ compatibility: 'backward' });
  expect((await v1('DELETE', '/clicks?version=2')).json).toEqual({ deleted: [2] });
  expect((await v1('GET', '/clicks/diff')).json).toMatchObject({ error: { code: 'schema-not-found' } });
  expect((await v1('GET', '/other')).json).toMatchObject({ error: { code: 'subject-not-found' } });
});
