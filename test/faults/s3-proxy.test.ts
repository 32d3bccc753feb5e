import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { describeOnS3, s3Kinds, type TestS3 } from '../s3/servers.ts';
import { S3_FAULTS, type S3Fault, seededFaults, startS3Proxy } from './s3-proxy.ts';

/** Puts an object while the fault is on; gives what the client was told, and what is there afterwards. */
async function putWith(s3: TestS3, fault: S3Fault): Promise<{ told: string; held: string | undefined }> {
  const Bucket = await s3.bucket();
  const proxy = await startS3Proxy({ target: s3.endpoint, choose: () => fault, silenceMs: 200, lateMs: 50 });
  const { region, credentials } = s3;
  const client = new S3Client({
    endpoint: proxy.endpoint,
    region,
    credentials,
    forcePathStyle: true,
    maxAttempts: 1,
  });
  try {
    const told = await client
      .send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x'.repeat(100_000), IfNoneMatch: '*' }))
      .then(
        () => 'done',
        (error: unknown) => (error as Error).name,
      );
    await proxy.calm();
    const held = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'a' })).then(
      (answer) => answer.Body?.transformToString(),
      () => undefined,
    );
    return { told, held: held === undefined ? undefined : `${held.length} bytes` };
  } finally {
    client.destroy();
    await proxy.close();
  }
}

for (const kind of s3Kinds('versitygw')) {
  await describeOnS3(kind, `a proxy before ${kind}`, (s3) => {
    test('lets every kind of request through unchanged while it is calm', async () => {
      const Bucket = await s3().bucket();
      const proxy = await startS3Proxy({
        target: s3().endpoint,
        choose: () => undefined,
        silenceMs: 1,
        lateMs: 1,
      });
      const { region, credentials } = s3();
      const client = new S3Client({ endpoint: proxy.endpoint, region, credentials, forcePathStyle: true });
      await client.send(new PutObjectCommand({ Bucket, Key: 'a/ü', Body: 'rows' }));
      await client.send(new CopyObjectCommand({ Bucket, Key: 'b', CopySource: `${Bucket}/a/%C3%BC` }));
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'b' }));
      expect(head.ContentLength).toBe(4);
      await client.send(new DeleteObjectCommand({ Bucket, Key: 'a/ü' }));
      const { Contents } = await client.send(new ListObjectsV2Command({ Bucket }));
      expect(Contents?.map(({ Key }) => Key)).toEqual(['b']);
      expect(proxy.counts.size).toBe(0);
      client.destroy();
      await proxy.close();
    });

    test.each<[S3Fault, string, 'done' | 'undone']>([
      ['slow-down', 'SlowDown', 'undone'],
      ['conflict', 'ConditionalRequestConflict', 'undone'],
      ['error-before', 'InternalError', 'undone'],
      ['error-after', 'InternalError', 'done'],
      ['reset-before', 'Error', 'undone'],
      ['reset-after', 'Error', 'done'],
      ['cut-upload', 'Error', 'undone'],
      ['silence-after', 'Error', 'done'],
      ['late', 'Error', 'done'],
      ['delay', 'done', 'done'],
    ])('tells of %s as "%s" and leaves a PUT %s', async (fault, told, effect) => {
      const outcome = await putWith(s3(), fault);
      expect(outcome).toEqual({
        told: expect.stringContaining(told),
        held: effect === 'done' ? '100000 bytes' : undefined,
      });
    });
  });
}

test('the seed alone decides which request meets which fault, and every kind comes up', () => {
  const put = (turn: number) => ({ method: 'PUT', path: '/b/a', headers: { 'if-none-match': '*' }, turn });
  const get = (turn: number) => ({ method: 'GET', path: '/b/a', headers: {}, turn });
  const turns = Array.from({ length: 500 }, (_, turn) => turn);
  const chosen = (seed: number) => turns.flatMap((turn) => [put(turn), get(turn)]).map(seededFaults(seed, 0.3));
  expect(chosen(1)).toEqual(chosen(1));
  expect(chosen(1)).not.toEqual(chosen(2));
  expect(new Set(chosen(1))).toEqual(new Set([undefined, ...S3_FAULTS]));
  expect(chosen(1).filter(Boolean).length / 1000).toBeCloseTo(0.3, 1);
});
