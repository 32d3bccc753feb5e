import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { s3Failure } from '../../src/lake/s3/failures.ts';
import { connectS3 } from '../../src/lake/s3/s3-client.ts';
import type { LakewardError } from '../../src/model/errors.ts';
import { type LakePath, lakePath } from '../../src/model/lake-path.ts';
import type { StageHandle } from '../../src/ports/lake-store.ts';
import { type Answer, refuses, says, type ScriptedS3, scriptedS3 } from './s3-answers.ts';

const path = lakePath('a/b');
const bytes = new TextEncoder().encode('content');
const handle: StageHandle = { staged: lakePath('s/1'), final: lakePath('d/1'), bytes: 7, checksum: '9c5cd1d0' };
const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
const silence: Answer = () => undefined;

const opened: ScriptedS3[] = [];
const folders: string[] = [];
async function serverOf(answers: readonly Answer[], requestMs?: number): Promise<ScriptedS3> {
  const made = await scriptedS3(answers, requestMs);
  opened.push(made);
  return made;
}
async function localFile(content: string | Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-s3-'));
  folders.push(folder);
  await writeFile(join(folder, 'file'), content);
  return join(folder, 'file');
}
afterEach(async () => {
  for (const made of opened.splice(0)) await made.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe('what S3 refuses is told with its code and what to do', () => {
  test.each([
    [403, 'AccessDenied', {}, 'allow s3:GetObject'],
    [404, 'NoSuchBucket', {}, 'correct lake.s3.bucket'],
    [301, 'PermanentRedirect', { 'x-amz-bucket-region': 'us-west-2' }, 'set lake.s3.region to us-west-2'],
    [400, 'AuthorizationHeaderMalformed', {}, 'set lake.s3.region'],
    [403, 'RequestTimeTooSkewed', {}, 'set the clock'],
    [403, 'InvalidAccessKeyId', {}, 'check the access key'],
    [404, 'XAdminUserNotFound', {}, 'check the access key'],
    [403, 'SignatureDoesNotMatch', {}, 'check the access key, the secret'],
    [400, 'ExpiredToken', {}, 'renew them'],
    [403, 'InvalidObjectState', {}, 'restore it'],
    [418, 'SomethingNew', {}, 'SomethingNew'],
  ])('%i %s', async (status, code, headers, advice) => {
    const { store, asked } = await serverOf([refuses(status, code, headers)]);
    const calls = [
      () => store.read(path),
      () => store.create(path, bytes),
      () => store.list('a/'),
      () => store.publish(handle),
    ];
    for (const call of calls) {
      const failure = { code: 'lake-unavailable', message: expect.stringContaining(advice) as string };
      await expect(call()).rejects.toMatchObject({ ...failure, details: { s3Code: code, refused: true } });
    }
    expect(asked).toHaveLength(calls.length);
  });

  test('a region that is missing or impossible is told before anything is sent', async () => {
    for (const region of ['', 'eu west']) {
      const client = new S3Client({
        region: () => Promise.resolve(region),
        endpoint: 'http://127.0.0.1:1',
        credentials,
      });
      const refusal = await client.send(new HeadBucketCommand({ Bucket: 'b' })).catch((error: unknown) => error);
      expect(s3Failure(refusal, 'list').message).toContain('set lake.s3.region or AWS_REGION');
      client.destroy();
    }
    // What the chain says that finds none.
    expect(s3Failure(new Error('Region is missing'), 'list').message).toContain('set lake.s3.region or AWS_REGION');
  });

  test('a request to slow down, in its two forms, is marked so, and sent once', async () => {
    for (const answer of [refuses(503, 'SlowDown'), says(503, '<html>busy</html>'), refuses(429, 'TooManyRequests')]) {
      const { store, asked } = await serverOf([answer]);
      await expect(store.overwrite(path, bytes)).rejects.toMatchObject({
        code: 'lake-unavailable',
        details: { throttled: true },
      });
      expect(asked).toHaveLength(1);
    }
  });

  test('an address where nobody listens', async () => {
    const gone = await scriptedS3([]);
    await gone.close();
    const failure = { code: 'lake-unavailable', details: { s3Code: 'ECONNREFUSED', refused: true } };
    await expect(gone.store.read(path)).rejects.toMatchObject(failure);
  });

  test('a store that cannot do it at all is unsuitable', async () => {
    const { store } = await serverOf([refuses(501, 'NotImplemented')]);
    await expect(store.create(path, bytes)).rejects.toMatchObject({ code: 'lake-unsuitable' });
  });
});

describe('an answer that does not come, or breaks off', () => {
  test.each<[string, Answer]>([
    ['never comes', silence],
    ['is no HTTP', (response) => response.socket?.end('who are you?')],
    ['is a reset', (response) => response.socket?.resetAndDestroy()],
    ['is a page of a proxy', says(502, '<html><body>bad gateway')],
    ['is an empty 500', says(500)],
  ])('%s: the outcome is unknown, and nothing is taken for granted', async (_, answer) => {
    const { store, asked } = await serverOf([answer], 200);
    const calls = [store.create(path, bytes), store.publish(handle), store.read(path), store.remove(path)];
    for (const end of await Promise.allSettled(calls)) {
      expect(end).toMatchObject({ status: 'rejected', reason: { code: 'lake-unavailable' } });
      const { details } = (end as PromiseRejectedResult).reason as LakewardError;
      expect([details?.['refused'], details?.['systemCode']]).toEqual([undefined, undefined]);
    }
    expect(asked.some(({ line }) => line.startsWith('DELETE /bucket/lake/s/1'))).toBe(false);
  });

  test.each<[string, Answer]>([
    [
      'is cut',
      (response) => response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy()),
    ],
    ['stands still', (response) => response.writeHead(200, { 'content-length': '100' }).write('half')],
    ['is altered', says(200, 'contenT', { 'x-amz-checksum-crc32': 'nFzR0A==' })],
  ])('a file read whose body %s is not given', async (_, answer) => {
    const { store } = await serverOf([answer], 300);
    await expect(store.read(path)).rejects.toMatchObject({ code: 'lake-unavailable' });
  });

  test('an abort ends a call under way with its reason, and a file to stage stays', async () => {
    const { store } = await serverOf([silence]);
    const local = await localFile(Buffer.alloc(2_000_000));
    const abort = new AbortController();
    const call = { signal: abort.signal };
    const calls = [
      store.create(path, bytes, call),
      store.read(path, call),
      store.list('', call),
      store.publish(handle, call),
      store.stage({ local, staged: handle.staged, final: handle.final }, call),
    ];
    const ends = Promise.allSettled(calls);
    const reason = new Error('enough');
    setTimeout(() => abort.abort(reason), 50);
    for (const end of await ends) expect(end).toEqual({ status: 'rejected', reason });
    expect(await readFile(local)).toHaveLength(2_000_000);
  });
});

describe('creating', () => {
  test('is conditional, whole and checksummed; a racing change is asked again', async () => {
    const { store, asked } = await serverOf([refuses(409, 'ConditionalRequestConflict'), says(200)]);
    expect(await store.create(path, bytes)).toBe('created');
    expect(asked.map(({ line }) => line.split('?')[0])).toEqual(Array(2).fill('PUT /bucket/lake/a/b'));
    for (const { headers } of asked) {
      expect(headers).toMatchObject({ 'if-none-match': '*', 'content-length': '7' });
      expect(headers['x-amz-checksum-crc32']).toBeDefined();
      expect(headers['content-encoding']).toBeUndefined();
    }
  });

  test('a race that does not end is no answer', async () => {
    const { store } = await serverOf([refuses(409, 'ConditionalRequestConflict')]);
    await expect(store.create(path, bytes)).rejects.toMatchObject({ code: 'lake-unavailable' });
  });
});

describe('staging', () => {
  test.each([10, 3_000_000])('a file of %i bytes is one PUT of known length and checksum', async (size) => {
    const { store, asked } = await serverOf([says(200, '', { 'x-amz-version-id': 'v1' })]);
    const local = await localFile(Buffer.alloc(size));
    const staged = await store.stage({ local, staged: handle.staged, final: handle.final });
    expect(staged).toMatchObject({ bytes: size, versionId: 'v1' });
    expect(asked.map(({ line }) => line.split('?')[0])).toEqual(['PUT /bucket/lake/s/1']);
    expect(asked[0]?.headers).toMatchObject({ 'content-length': String(size) });
    expect(asked[0]?.headers['x-amz-checksum-crc32']).toBeDefined();
    await expect(readFile(local)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a file that is too large for one object is refused before anything is sent', async () => {
    const { store, asked } = await serverOf([says(200)]);
    const local = await localFile('');
    const file = await open(local, 'r+');
    await file.truncate(5 * 1024 ** 3 + 1);
    await file.close();
    const staging = store.stage({ local, staged: handle.staged, final: handle.final });
    await expect(staging).rejects.toMatchObject({ code: 'file-too-large' });
    expect(asked).toEqual([]);
  });

  test('a local file that cannot be read is the disk’s fault, not to be tried again', async () => {
    const { store } = await serverOf([says(200)]);
    const staging = store.stage({ local: '/nowhere/at/all', staged: handle.staged, final: handle.final });
    await expect(staging).rejects.toMatchObject({ code: 'lake-unavailable', details: { systemCode: 'ENOENT' } });
  });

  test('an upload that is refused half-way gives its connection back', async () => {
    const { store } = await serverOf([refuses(503, 'SlowDown')]);
    const local = await localFile(Buffer.alloc(2_000_000));
    for (let i = 0; i < 70; i++) {
      const staging = store.stage({ local, staged: lakePath(`s/${i}`), final: handle.final });
      await expect(staging).rejects.toMatchObject({ details: { throttled: true } });
    }
  });
});

test('an upload among dozens has the time that a slow line takes for all of them', () => {
  const connection = connectS3({ region: 'eu-central-1' });
  connection.close();
  const bytes = 20 * 1024 ** 2;
  expect(connection.requestMs(bytes) / 1000).toBeGreaterThan((48 * bytes) / 1_000_000);
});

describe('settings of objects', () => {
  test('that the store refuses are met before anything is staged; those it takes are asked for once', async () => {
    let isAllowed = false;
    const takes: Answer = (response, request) => {
      const isCopy = request.headers['x-amz-copy-source'] !== undefined;
      const answer = isCopy && !isAllowed ? refuses(400, 'InvalidStorageClass') : says(200, '<CopyObjectResult/>');
      answer(response, request);
    };
    const { store, asked } = await serverOf([takes]);
    const local = await localFile('rows');
    const stage = (name: string, rows: string): Promise<StageHandle> => {
      const object = { storageClass: 'GLACIER', metadata: { rows } } as const;
      return store.stage({ local, staged: lakePath(`s/${name}`), final: handle.final, object });
    };
    const refusal = { code: 'lake-unavailable', message: expect.stringContaining("the delivery's 'object'") as string };
    await expect(stage('1', '5')).rejects.toMatchObject({ ...refusal, details: { s3Code: 'InvalidStorageClass' } });
    expect(asked.map(({ line }) => line).filter((line) => /PUT .*\/s\/1\b(?!\.trial)/.test(line))).toEqual([]);
    expect(await readFile(local, 'utf8')).toBe('rows');

    isAllowed = true;
    await stage('2', '5');
    const before = asked.length;
    await writeFile(local, 'rows');
    await stage('3', '6');
    expect(asked).toHaveLength(before + 1);
  });
});

describe('publishing', () => {
  const copied = says(200, '<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>');
  const lines = ({ asked }: ScriptedS3): string[] => asked.map(({ line }) => line.replace(/[?&]x-id=\w+/, ''));

  test('copies, deletes the stage by its version, and asks whether it is gone', async () => {
    const s3 = await serverOf([copied, says(204), says(404)]);
    expect(await s3.store.publish({ ...handle, versionId: 'v/1' })).toBe('published');
    expect(lines(s3)).toEqual([
      'PUT /bucket/lake/d/1',
      'DELETE /bucket/lake/s/1?versionId=v%2F1',
      'HEAD /bucket/lake/s/1?versionId=v%2F1',
    ]);
    expect(s3.asked[0]?.headers['x-amz-copy-source']).toBe('bucket/lake/s/1?versionId=v%2F1');
  });

  test('a stage that is still there after its deletion is no publishing', async () => {
    const { store } = await serverOf([copied, says(204), says(200)]);
    await expect(store.publish(handle)).rejects.toMatchObject({ code: 'lake-unavailable' });
  });

  test('an error in the body of a 200 is an error, and the stage stays', async () => {
    const s3 = await serverOf([refuses(200, 'InternalError'), says(200)]);
    await expect(s3.store.publish(handle)).rejects.toMatchObject({ code: 'lake-unavailable' });
    expect(lines(s3).filter((line) => line.startsWith('DELETE'))).toEqual([]);
  });

  test('a copy may take longer than other requests without a word', async () => {
    const slowly: Answer = (response, request) => void setTimeout(() => copied(response, request), 500);
    const { store } = await serverOf([slowly, says(204), says(404)], 250);
    expect(await store.publish(handle)).toBe('published');
  });

  test('a copy with another checksum is not published, and the stage stays', async () => {
    const altered = '<CopyObjectResult><ChecksumCRC32>AAAAAA==</ChecksumCRC32></CopyObjectResult>';
    const s3 = await serverOf([says(200, altered), says(204)]);
    await expect(s3.store.publish(handle)).rejects.toMatchObject({
      message: expect.stringContaining('its stage is kept') as string,
    });
    expect(s3.asked).toHaveLength(1);
  });

  test('a stage is lost only when a listing shows no final file; a bucket that is gone proves nothing', async () => {
    const gone = refuses(404, 'NoSuchKey');
    const lost = await serverOf([gone, says(200, listing([]))]);
    expect(await lost.store.publish(handle)).toBe('stage-lost');
    const longer = await serverOf([gone, says(200, listing(['lake/d/10']))]);
    expect(await longer.store.publish(handle)).toBe('stage-lost');
    const there = await serverOf([gone, says(200, listing(['lake/d/1']))]);
    expect(await there.store.publish(handle)).toBe('published');
    const away = await serverOf([gone, refuses(404, 'NoSuchBucket')]);
    await expect(away.store.publish(handle)).rejects.toMatchObject({ code: 'lake-unavailable' });
  });
});

function listing(keys: readonly string[], isTruncated = false): string {
  const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`);
  return `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${contents.join('')}</ListBucketResult>`;
}

describe('listing', () => {
  test('leaves out what cannot be a path, also when a page holds nothing else', async () => {
    const pages = [listing(['lake/', 'lake/a/'], true), listing(['lake/a/1', 'lake/b//'], true), listing(['lake/c'])];
    const { store, asked } = await serverOf(pages.map((page) => says(200, page)));
    const first = await store.list('');
    expect(first).toMatchObject({ files: [{ path: 'a/1' }], next: 'a/1' });
    expect(await store.list('', { after: first.next as LakePath })).toMatchObject({ files: [{ path: 'c' }] });
    const afters = asked.map(({ line }) =>
      new URL(line.split(' ')[1] ?? '', 'http://s3').searchParams.get('start-after'),
    );
    expect(afters).toEqual([null, 'lake/a/', 'lake/a/1']);
  });

  test('a store that lists in another order, or the same page again, is refused', async () => {
    const unordered = await serverOf([says(200, listing(['lake/b', 'lake/a']))]);
    await expect(unordered.store.list('')).rejects.toMatchObject({ code: 'lake-unsuitable' });
    const again = await serverOf([says(200, listing(['lake/a'], true))]);
    await expect(again.store.list('', { after: lakePath('a') })).rejects.toMatchObject({ code: 'lake-unsuitable' });
  });
});
