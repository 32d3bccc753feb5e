import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { describeOnS3, s3Kinds } from './servers.ts';

for (const kind of s3Kinds('versitygw', 'moto', 's3rver')) {
  await describeOnS3(kind, `${kind} as a test starts it`, (s3) => {
    test('takes objects into fresh buckets', async () => {
      const [one, two] = [await s3().bucket(), await s3().bucket()];
      await s3().client.send(new PutObjectCommand({ Bucket: one, Key: 'a/b', Body: 'rows' }));
      const got = await s3().client.send(new GetObjectCommand({ Bucket: one, Key: 'a/b' }));
      expect(await got.Body?.transformToString()).toBe('rows');
      expect((await s3().client.send(new ListObjectsV2Command({ Bucket: two }))).KeyCount).toBe(0);
    });

    // It keeps everything in memory.
    if (kind === 'moto') return;
    test('is killed and comes back at its address with what it had', async () => {
      const bucket = await s3().bucket();
      await s3().client.send(new PutObjectCommand({ Bucket: bucket, Key: 'kept', Body: 'rows' }));
      await s3().kill();
      const list = (): Promise<unknown> => s3().client.send(new ListObjectsV2Command({ Bucket: bucket }));
      await expect(list()).rejects.toThrow('ECONNREFUSED');
      await s3().restart();
      expect(await list()).toMatchObject({ KeyCount: 1, Contents: [{ Key: 'kept' }] });
    });
  });
}
