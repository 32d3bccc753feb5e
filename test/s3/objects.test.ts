/** What S3 is told about the objects of a delivery, read back as S3 keeps it; and keys of customers, as they are sent. */
import {
  CreateBucketCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { connectS3 } from '../../src/lake/s3/s3-client.ts';
import { createS3Store, type CustomerKeys } from '../../src/lake/s3/s3-store.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import { type ObjectSettings, STORAGE_CLASSES } from '../../src/model/object-settings.ts';
import type { LakeStore, StageHandle } from '../../src/ports/lake-store.ts';
import { aFlow, aPlace, flush, must, put, startIn } from '../hostile/running-server.ts';
import { describeOnS3, type TestS3 } from './servers.ts';

const clock = systemClock();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakeward-objects-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Sent {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** A store as one process has it, and every request it makes. */
function storeOn(
  s3: Pick<TestS3, 'endpoint' | 'region' | 'credentials'>,
  bucket: string,
  keys: Readonly<Record<string, number>> = {},
) {
  const { endpoint, region, credentials } = s3;
  const connection = connectS3({ endpoint, region, credentials, pathStyle: true });
  const sent: Sent[] = [];
  connection.client.middlewareStack.add(
    (next, context) => async (args) => {
      sent.push({ name: context.commandName ?? '', input: args.input as unknown as Sent['input'] });
      return next(args);
    },
    { step: 'initialize' },
  );
  const customerKeys: CustomerKeys = {
    ids: Object.keys(keys),
    key(id) {
      const byte = keys[id];
      if (byte === undefined) throw new LakewardError('key-missing', `no key ${id}`);
      return new Uint8Array(32).fill(byte);
    },
  };
  return { sent, store: createS3Store({ connection, bucket, clock, customerKeys }) };
}

let files = 0;
async function stage(store: LakeStore, object?: ObjectSettings, content = 'rows'): Promise<StageHandle> {
  const name = `${files++}.parquet`;
  const local = join(folder, name);
  await writeFile(local, content);
  return store.stage({ local, staged: lakePath(`_lakeward/d/staged/n/${name}`), final: lakePath(`d/${name}`), object });
}

/** As a handle is after a restart: out of a log entry. */
const stored = (handle: StageHandle): StageHandle => JSON.parse(JSON.stringify(handle)) as StageHandle;
const head = ({ client }: TestS3, Bucket: string, Key: string): Promise<HeadObjectCommandOutput> =>
  client.send(new HeadObjectCommand({ Bucket, Key }));
async function tagsOf({ client }: TestS3, Bucket: string, Key: string): Promise<Record<string, string>> {
  const { TagSet = [] } = await client.send(new GetObjectTaggingCommand({ Bucket, Key }));
  return Object.fromEntries(TagSet.map(({ Key: key = '', Value = '' }) => [key, Value]));
}

await describeOnS3('moto', 'objects of a delivery on moto', (s3) => {
  test('get class, tags, metadata and encryption with the copy to their final place, whoever publishes', async () => {
    const bucket = await s3().bucket();
    const object: ObjectSettings = {
      storageClass: 'GLACIER_IR',
      tags: { team: 'web shop', of: 'd/year=2026' },
      metadata: { rows: '4', schema: 'v1' },
      encryption: { kind: 'kms', keyId: 'alias/lake', bucketKey: true },
      acl: 'bucket-owner-full-control',
    };
    const handle = await stage(storeOn(s3(), bucket).store, object);
    const staged = await head(s3(), bucket, handle.staged);
    expect(staged).toMatchObject({ ServerSideEncryption: 'aws:kms', Metadata: {} });
    expect(staged.StorageClass).toBeUndefined();
    expect(await tagsOf(s3(), bucket, handle.staged)).toEqual({});

    expect(await storeOn(s3(), bucket).store.publish(stored(handle))).toBe('published');
    expect(await head(s3(), bucket, handle.final)).toMatchObject({
      StorageClass: 'GLACIER_IR',
      Metadata: { rows: '4', schema: 'v1' },
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'alias/lake',
      BucketKeyEnabled: true,
    });
    expect(await tagsOf(s3(), bucket, handle.final)).toEqual(object.tags);
  });

  test.each(STORAGE_CLASSES)('land in the class %s', async (storageClass) => {
    const bucket = await s3().bucket();
    const { store } = storeOn(s3(), bucket);
    const handle = await stage(store, { storageClass });
    await store.publish(handle);
    const { Contents } = await s3().client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'd/' }));
    expect(Contents?.map((it) => it.StorageClass)).toEqual([storageClass]);
  });

  test('are as the bucket has it when the delivery says nothing', async () => {
    const bucket = await s3().bucket();
    const { store, sent } = storeOn(s3(), bucket);
    await store.publish(await stage(store));
    const names = sent.flatMap(({ input }) => Object.keys(input));
    expect(names.filter((name) => /Class|Tag|Metadata|Encryption|SSE|ACL|Owner/.test(name))).toEqual([]);
  });

  test('name the account the bucket must belong to in every request that writes', async () => {
    const bucket = await s3().bucket();
    const { store, sent } = storeOn(s3(), bucket);
    await store.publish(await stage(store, { bucketOwner: '123456789012' }));
    const written = sent.filter(({ name }) => /^(Put|Copy)Object/.test(name));
    expect(written.map(({ name }) => name.slice(0, 3))).toEqual(['Put', 'Cop', 'Put', 'Cop']);
    for (const { name, input } of written) {
      expect(input).toMatchObject({ ExpectedBucketOwner: '123456789012' });
      if (name.startsWith('Copy')) expect(input).toMatchObject({ ExpectedSourceBucketOwner: '123456789012' });
    }
  });

  test('with a key of the customer are copied after a restart and a change of keys, and need it', async () => {
    const bucket = await s3().bucket();
    const object: ObjectSettings = { encryption: { kind: 'customer', key: '2025' } };
    const before = storeOn(s3(), bucket, { '2025': 1 });
    const handle = await stage(before.store, object);
    expect(JSON.stringify(handle)).not.toContain(Buffer.alloc(32, 1).toString('base64'));

    const without = storeOn(s3(), bucket, { '2026': 2 });
    await expect(without.store.publish(stored(handle))).rejects.toMatchObject({ code: 'key-missing' });
    expect(without.sent).toEqual([]);

    const after = storeOn(s3(), bucket, { '2026': 2, '2025': 1 });
    expect(await after.store.publish(stored(handle))).toBe('published');
    const key = Buffer.alloc(32, 1).toString('base64');
    const copy = after.sent.find(({ name }) => name.startsWith('CopyObject'))?.input;
    expect(copy).toMatchObject({ SSECustomerKey: key, CopySourceSSECustomerKey: key });
  });

  test('land so in a versioned bucket too, and leave no version of their stage', async () => {
    const Bucket = `versions-${files}`;
    await s3().client.send(new CreateBucketCommand({ Bucket }));
    const on = { Status: 'Enabled' as const };
    await s3().client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: on }));
    const { store } = storeOn(s3(), Bucket);
    const handle = await stage(store, { tags: { a: 'b' }, storageClass: 'STANDARD_IA' });
    expect(handle.versionId).toMatch(/./);
    await store.publish(stored(handle));
    expect(await head(s3(), Bucket, handle.final)).toMatchObject({ StorageClass: 'STANDARD_IA' });
    expect((await store.list('')).files.map(({ path }) => path)).toEqual([handle.final]);
  });

  test('of a whole server are what its delivery says, fields filled in', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', s3().credentials.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3().credentials.secretAccessKey);
    const bucket = await s3().bucket();
    const at = { bucket, region: s3().region, endpoint: s3().endpoint, pathStyle: true };
    const place = await aPlace({ lake: { folder: undefined, s3: at } });
    const server = await startIn(place);
    try {
      const { url } = server.address;
      const object = {
        storageClass: 'ONEZONE_IA',
        tags: { of: '{delivery} of {stream}', part: '{partition}' },
        metadata: { rows: '{rows}', plan: '{plan}', format: '{format}' },
        encryption: 's3',
      };
      await aFlow(url, { object, format: 'csv', layout: 'p={p}/', eventTime: 'at' });
      const now = new Date().toISOString();
      await put(url, [{ id: 1, p: 'x y', at: now }, { id: 2, p: 'x y', at: now }, { id: 'without a time' }]);
      await flush(url);
      const files = await must<{ items: { path: string }[] }>(`${url}/v1/deliveries/d/files`, 'GET');
      const path = files.items[0]?.path ?? '';
      expect(await head(s3(), bucket, path)).toMatchObject({
        StorageClass: 'ONEZONE_IA',
        ServerSideEncryption: 'AES256',
        Metadata: { rows: '2', plan: '1', format: 'csv' },
      });
      expect(await tagsOf(s3(), bucket, path)).toEqual({ of: 'd of s', part: 'p=x_20y' });
      const { Contents = [] } = await s3().client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: '_rejected/' }),
      );
      expect(Contents.map((it) => it.StorageClass)).toEqual(['STANDARD']);
      const rejected = await head(s3(), bucket, Contents[0]?.Key ?? '');
      expect(rejected).toMatchObject({ ServerSideEncryption: 'AES256', Metadata: { rows: '1', format: 'ndjson' } });
    } finally {
      await server.close('the test ends');
      await place.dispose();
    }
  }, 60_000);
});

describe('an object that was stored with a key of the customer', () => {
  let server: Server;
  let endpoint: string;
  const rightKey = Buffer.alloc(32, 1).toString('base64');
  beforeAll(async () => {
    // Answers as S3 documents it; servers for tests keep no such objects.
    server = createServer((request, response) => {
      const given = request.headers['x-amz-server-side-encryption-customer-key'];
      const message =
        'The object was stored using a form of Server Side Encryption. The correct parameters must be provided.';
      const refusal = given === undefined ? [400, 'InvalidRequest', message] : [403, 'AccessDenied', 'Access Denied'];
      if (given === rightKey) response.writeHead(206, { 'content-range': 'bytes 0-3/4' }).end('rows');
      else {
        response.writeHead(Number(refusal[0]), { 'content-type': 'application/xml' });
        response.end(`<Error><Code>${refusal[1]}</Code><Message>${refusal[2]}</Message></Error>`);
      }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());
  const reader = (keys: Readonly<Record<string, number>>): LakeStore =>
    storeOn({ endpoint, region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }, 'b', keys)
      .store;

  test('is read with whichever of the known keys fits', async () => {
    const bytes = await reader({ other: 2, right: 1 }).read(lakePath('d/x'), { offset: 0, length: 4 });
    expect(Buffer.from(bytes ?? []).toString()).toBe('rows');
  });

  test('says that its key is missing when none fits', async () => {
    const refusal = { code: 'key-missing', message: expect.stringContaining('d/x') };
    await expect(reader({ other: 2 }).read(lakePath('d/x'))).rejects.toMatchObject(refusal);
    await expect(reader({}).read(lakePath('d/x'))).rejects.toMatchObject(refusal);
  });
});
