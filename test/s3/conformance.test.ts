import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { probeLake } from '../../src/landing/probe.ts';
import { catalogSuite } from '../conformance/catalog.suite.ts';
import { type LakeStoreUnderTest, lakeStoreSuite } from '../conformance/lake-store.suite.ts';
import { connectLake } from './lake.ts';
import { describeOnS3, s3Kinds, type TestS3 } from './servers.ts';

const clock = systemClock();

async function onS3(s3: TestS3): Promise<LakeStoreUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-s3-local-'));
  const { connection, store } = connectLake(s3);
  let locals = 0;
  return {
    store: store(await s3.bucket(), clock),
    async local(bytes) {
      const path = join(folder, `local-${locals++}`);
      await writeFile(path, bytes);
      return path;
    },
    localExists: (local) =>
      access(local).then(
        () => true,
        () => false,
      ),
    async close() {
      connection.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function probe(s3: TestS3): Promise<void> {
  const made = await onS3(s3);
  try {
    await probeLake(made.store, { nonce: clock.uuid(), local: await made.local(Buffer.from('probe\n')) });
    expect((await made.store.list('')).files).toEqual([]);
  } finally {
    await made.close();
  }
}

for (const kind of s3Kinds('versitygw', 'moto')) {
  await describeOnS3(kind, `a lake on ${kind}`, (s3) => {
    lakeStoreSuite('the S3 store', () => onS3(s3()));

    test('passes the probe of its conditions, again and again', async () => {
      for (let i = 0; i < 5; i++) await probe(s3());
    });
  });
}

// What differs between stores is in the suite above.
await describeOnS3('versitygw', 'a catalog in a bucket', (s3) => {
  catalogSuite('a log in a bucket', async () => {
    const { connection, store } = connectLake(s3());
    const bucket = await s3().bucket();
    return {
      connect: () => createCatalog({ store: store(bucket, clock), folder: '_lakeward/catalog', clock }),
      until: (holds) => vi.waitFor(() => expect(holds()).toBe(true), { timeout: 10_000, interval: 50 }),
      dispose: async () => connection.close(),
    };
  });
});

await describeOnS3('s3rver', 'a lake on a store without conditions (s3rver)', (s3) => {
  test('is refused by the probe, which names the condition', async () => {
    await expect(probe(s3())).rejects.toMatchObject({
      code: 'lake-unsuitable',
      message: expect.stringContaining('breaks a condition of exactly-once'),
    });
  });
});
