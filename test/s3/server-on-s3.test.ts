/** A whole server with its lake in a bucket: what it promises there, and what it says when the bucket is not what it needs. */
import { CreateBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { expect, test, vi } from 'vitest';
import { aFlow, aPlace, api, flush, must, type Place, put, startIn } from '../hostile/running-server.ts';
import { describeOnS3, s3Kinds, type TestS3 } from './servers.ts';

interface Status {
  readonly lake: string;
  readonly guarantee: string;
}

async function placeOn(s3: TestS3, settings: object = {}): Promise<Place & { readonly bucket: string }> {
  const bucket = await s3.bucket();
  vi.stubEnv('AWS_ACCESS_KEY_ID', s3.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3.credentials.secretAccessKey);
  const at = { bucket, prefix: 'a/lake', region: s3.region, endpoint: s3.endpoint, pathStyle: true };
  return { bucket, ...(await aPlace({ lake: { folder: undefined, s3: { ...at, ...settings } } })) };
}

async function keysIn(s3: TestS3, bucket: string): Promise<string[]> {
  const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = '' }) => Key);
}

for (const kind of s3Kinds('versitygw')) {
  await describeOnS3(kind, `a server with its lake on ${kind}`, (s3) => {
    test('lands below the prefix, shows what landed, and goes on after a restart', async () => {
      const place = await placeOn(s3());
      let server = await startIn(place);
      try {
        const { url } = server.address;
        expect(await must<Status>(`${url}/v1/status`, 'GET')).toMatchObject({
          lake: `s3://${place.bucket}/a/lake at ${s3().endpoint}`,
          guarantee: 'exactly-once',
        });
        await aFlow(url, { eventTime: 'at' });
        const at = new Date().toISOString();
        await put(url, [{ id: 1, at }, { id: 2, at }, { id: 'without a time' }]);
        await flush(url);
        await server.close('restarted by the test');
        server = await startIn(place);
        await put(server.address.url, [{ id: 3, at }]);
        await flush(server.address.url);

        const base = `${server.address.url}/v1/deliveries/d`;
        const files = await must<{ items: { path: string; rows: number }[] }>(`${base}/files`, 'GET');
        expect(files.items.reduce((rows, file) => rows + file.rows, 0)).toBe(3);
        const rejected = await must<{ items: { code: string }[] }>(`${base}/rejected`, 'GET');
        expect(rejected.items.map(({ code }) => code)).toEqual(['event-time-missing']);

        const keys = await keysIn(s3(), place.bucket);
        expect(keys.every((key) => key.startsWith('a/lake/'))).toBe(true);
        expect(keys.filter((key) => /\/(staged|probe)\//.test(key))).toEqual([]);
        expect(keys).toEqual(expect.arrayContaining(files.items.map(({ path }) => `a/lake/${path}`)));

        const metrics = await (await fetch(`${server.address.url}/metrics`)).text();
        expect(metrics).toMatch(/lakeward_lake_requests_total\{operation="CopyObject",status="200"\} [1-9]/);
        expect(metrics).toContain('lakeward_lake_exactly_once 1');
      } finally {
        await server.close('the test ends');
        await place.dispose();
      }
    });

    test('takes records while the bucket is not there, says why nothing lands, and lands once it is', async () => {
      const place = await placeOn(s3(), { bucket: 'not-yet-there' });
      const server = await startIn(place);
      try {
        const { url } = server.address;
        await aFlow(url);
        await put(url, [{ id: 1 }]);
        const { json } = await api(`${url}/v1/deliveries/d/flush`, 'POST', {});
        expect(json.error).toMatchObject({ code: 'lake-unavailable' });
        expect(json.error.message).toContain('there is no such bucket at this endpoint');

        await s3().client.send(new CreateBucketCommand({ Bucket: 'not-yet-there' }));
        await vi.waitFor(() => flush(url), { timeout: 15_000, interval: 50 });
        const files = await must<{ items: { rows: number }[] }>(`${url}/v1/deliveries/d/files`, 'GET');
        expect(files.items.map(({ rows }) => rows)).toEqual([1]);
      } finally {
        await server.close('the test ends');
        await place.dispose();
      }
    });
  });
}

await describeOnS3('s3rver', 'a store without conditional writes', (s3) => {
  test('is refused, with the condition that it breaks', async () => {
    const place = await placeOn(s3());
    await expect(startIn(place)).rejects.toMatchObject({
      code: 'lake-unsuitable',
      message: expect.stringContaining('an existing file is not created again') as string,
    });
    await place.dispose();
  });

  test('is used when the operator accepts at-least-once, and labelled so', async () => {
    const place = await placeOn(s3(), { guarantee: 'at-least-once' });
    const server = await startIn(place);
    try {
      const { url } = server.address;
      expect(await must<Status>(`${url}/v1/status`, 'GET')).toMatchObject({ guarantee: 'at-least-once' });
      expect(await (await fetch(`${url}/metrics`)).text()).toContain('lakeward_lake_exactly_once 0');
      await aFlow(url);
      await put(url, [{ id: 1 }]);
      await flush(url);
      const files = await must<{ items: { rows: number }[] }>(`${url}/v1/deliveries/d/files`, 'GET');
      expect(files.items.map(({ rows }) => rows)).toEqual([1]);
    } finally {
      await server.close('the test ends');
      await place.dispose();
    }
  });
});
