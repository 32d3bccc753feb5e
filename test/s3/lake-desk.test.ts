/** What operators do with a lake in a bucket from the command line: links, lifecycle rules, the report, files to stdout. */
import {
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { expect, test, vi } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { type Captured, documents, lakeward } from '../cli/captured-run.ts';
import { aFlow, aPlace, flush, must, put, startIn } from '../hostile/running-server.ts';
import { describeOnS3, s3Kinds, type TestS3 } from './servers.ts';

interface Desk {
  readonly url: string;
  readonly bucket: string;
  on(line: string): Promise<Captured>;
}

async function withServer(s3: TestS3, use: (desk: Desk) => Promise<void>): Promise<void> {
  vi.stubEnv('AWS_ACCESS_KEY_ID', s3.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3.credentials.secretAccessKey);
  const bucket = await s3.bucket();
  const at = { bucket, prefix: 'lake', region: s3.region, endpoint: s3.endpoint, pathStyle: true };
  const place = await aPlace({ lake: { folder: undefined, s3: at } });
  const server = await startIn(place);
  const { url } = server.address;
  try {
    await use({ url, bucket, on: (line) => lakeward(line.split(' '), { url }) });
  } finally {
    await server.close('the test ends');
    await place.dispose();
  }
}

async function landed({ url }: Desk): Promise<string> {
  await put(url, [{ id: 1 }, { id: 2 }]);
  await flush(url);
  const { items } = await must<{ items: { path: string }[] }>(`${url}/v1/deliveries/d/files`, 'GET');
  return items[0]?.path ?? '';
}

await describeOnS3('moto', 'the desk of a lake on moto', (s3) => {
  test('plans and makes lifecycle rules, keeps those of others, and follows the deliveries', { timeout: 60_000 }, () =>
    withServer(s3(), async (desk) => {
      const held = async () =>
        (await s3().client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: desk.bucket }))).Rules ?? [];
      const theirs = { ID: 'theirs', Status: 'Enabled' as const, Filter: { Prefix: '' }, Expiration: { Days: 9 } };
      const LifecycleConfiguration = { Rules: [theirs] };
      await s3().client.send(
        new PutBucketLifecycleConfigurationCommand({ Bucket: desk.bucket, LifecycleConfiguration }),
      );
      const lifecycle = [
        { after: '30d', to: 'STANDARD_IA' },
        { after: '1d', tags: { kind: 'raw' }, expire: true },
      ];
      await aFlow(desk.url, { lifecycle });

      const plan = await desk.on('lake lifecycle plan');
      expect(plan.stdout).toMatch(/^\+ lakeward-\w+-d-0 {2}lake\/d\/: after 30d to STANDARD_IA$/m);
      expect(plan.stdout).toContain('lake/d/ tagged kind=raw: after 1d expire');
      expect(plan.stderr).toContain("rule 'theirs' also takes the landing logs");
      expect(plan.stderr).toContain('2 changes to make');
      expect(await held()).toHaveLength(1);

      expect((await desk.on('lake lifecycle apply')).stderr).toContain('2 changes made');
      const made = await held();
      expect(made.map(({ ID, Expiration, Transitions }) => [ID, Expiration?.Days, Transitions?.[0]?.Days])).toEqual([
        ['theirs', 9, undefined],
        [expect.stringMatching(/-d-0$/), undefined, 30],
        [expect.stringMatching(/-d-1$/), 1, undefined],
      ]);
      expect((await desk.on('lake lifecycle plan')).stderr).toContain('0 changes to make');

      await must(`${desk.url}/v1/deliveries/d`, 'DELETE');
      expect((await desk.on('lake lifecycle apply')).stderr).toContain('2 changes made');
      expect((await held()).map(({ ID }) => ID)).toEqual(['theirs']);
    }),
  );

  test('adds up classes and costs, and gives the bytes of plain files', { timeout: 60_000 }, () =>
    withServer(s3(), async (desk) => {
      await aFlow(desk.url, { object: { storageClass: 'GLACIER_IR' } });
      const path = await landed(desk);
      expect((await desk.on(`lake cat ${path}`)).stdout).toContain('"id":1');
      const missing = await desk.on('lake cat d/no-such-file');
      expect(missing).toMatchObject({ code: EXIT.failed, stderr: expect.stringContaining('[not-found]') });

      const { stdout } = await desk.on('lake report');
      const lines = stdout.trim().split('\n');
      expect(lines[0]).toContain('storage_class,files,bytes');
      expect(lines.find((line) => line.includes(',data,'))).toMatch(/^files,d\/[^,]*,d,data,GLACIER_IR,1,\d+,/);
      expect(lines.find((line) => line.includes(',system,'))).toContain(',STANDARD,');
      expect(lines.at(-1)).toMatch(/^total,/);
      const [report] = documents<{ rows: object[] }>(await desk.on('lake report --json --depth 0'));
      expect(report?.rows).toContainEqual(expect.objectContaining({ prefix: 'd/', files: 1, suggestion: '' }));
    }),
  );
});

await describeOnS3('versitygw', 'the desk of a lake on versitygw', (s3) => {
  test('makes links that hold without credentials', { timeout: 60_000 }, () =>
    withServer(s3(), async (desk) => {
      await aFlow(desk.url);
      const path = await landed(desk);
      const link = (await desk.on(`lake url ${path} --expires 5m`)).stdout.trim();
      expect(link).toContain('X-Amz-Expires=300');
      const answer = await fetch(link);
      expect(answer.status).toBe(200);
      expect(await answer.text()).toContain('"id":1');
      expect((await fetch(link.replace(/X-Amz-Signature=..../, 'X-Amz-Signature=0000'))).status).toBe(403);
      const missing = await desk.on('lake url d/no-such-file');
      expect(missing).toMatchObject({ code: EXIT.failed, stderr: expect.stringContaining('[not-found]') });
      const long = await desk.on(`lake url ${path} --expires 30d`);
      expect(long).toMatchObject({ code: EXIT.failed, stderr: expect.stringContaining('1s to 7d') });
    }),
  );

  test('says clearly that this store has no lifecycle rules', { timeout: 60_000 }, () =>
    withServer(s3(), async (desk) => {
      const refused = await desk.on('lake lifecycle plan');
      expect(refused.code).toBe(EXIT.failed);
      expect(refused.stderr).toMatch(/lifecycle rules: the store does not support this .*\[lake-unsuitable\]/);
    }),
  );

  test('reads a large object of somebody else by range, never whole', { timeout: 60_000 }, () =>
    withServer(s3(), async (desk) => {
      const Body = Buffer.alloc(9 * 2 ** 20, 'x');
      Body.write('the end', Body.length - 7);
      await s3().client.send(new PutObjectCommand({ Bucket: desk.bucket, Key: 'lake/theirs/big.txt', Body }));
      const at = `${desk.url}/v1/lake/file?path=theirs/big.txt`;
      expect(await (await fetch(`${at}&offset=${Body.length - 7}`)).text()).toBe('the end');
      expect((await (await fetch(at)).arrayBuffer()).byteLength).toBe(8 * 2 ** 20);
      expect((await desk.on('lake cat theirs/big.txt')).stdout.length).toBe(Body.length);
    }),
  );
});

for (const kind of s3Kinds('versitygw', 'moto')) {
  await describeOnS3(kind, `deleted files of a versioned bucket on ${kind}`, (s3) => {
    test('come back when a landing log names them, and not otherwise', { timeout: 60_000 }, () =>
      withServer(s3(), async (desk) => {
        const { client } = s3();
        const VersioningConfiguration = { Status: 'Enabled' as const };
        await client.send(new PutBucketVersioningCommand({ Bucket: desk.bucket, VersioningConfiguration }));
        const on = (path: string) => ({ Bucket: desk.bucket, Key: `lake/${path}` });
        await aFlow(desk.url);
        const path = await landed(desk);
        for (const stray of ['d/compacted.parquet', 'theirs/notes.txt']) {
          await client.send(new PutObjectCommand({ ...on(stray), Body: 'x' }));
          await client.send(new DeleteObjectCommand(on(stray)));
        }
        await client.send(new DeleteObjectCommand(on(path)));
        await client.send(new DeleteObjectCommand(on(path)));
        expect((await desk.on(`lake cat ${path}`)).stderr).toContain('[not-found]');

        const later = new Date(Date.now() + 3_600_000).toISOString();
        expect((await desk.on(`lake restore d/ --as-of ${later}`)).stderr).toContain('0 files came back');
        const dry = await desk.on('lake restore d/ --dry-run');
        expect(dry.stdout).toBe(`${path}\n`);
        expect((await desk.on(`lake cat ${path}`)).stderr).toContain('[not-found]');

        const restored = await desk.on('lake restore d/');
        expect(restored.stdout).toBe(`${path}\n`);
        expect(restored.stderr).toContain("left d/compacted.parquet: the landing log of 'd' does not name it");
        expect((await desk.on(`lake cat ${path}`)).stdout).toContain('"id":1');
        expect((await desk.on('lake restore theirs/')).stdout).toBe('theirs/notes.txt\n');

        await put(desk.url, [{ id: 3 }]);
        await flush(desk.url);
        const { items } = await must<{ items: object[] }>(`${desk.url}/v1/deliveries/d/files`, 'GET');
        expect(items).toHaveLength(2);
      }),
    );
  });
}
