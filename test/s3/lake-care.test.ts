/** The care of a lake in a bucket: what is lost is found and rebuilt, what is nobody's is told, and rows that may be copied yet wait to be erased. */
import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, test, vi } from 'vitest';
import type { CheckReport, EraseReport, RepairReport } from '../../src/app/control-answers.ts';
import { documents, lakeward } from '../cli/captured-run.ts';
import { aFlow, aPlace, flush, must, put, startIn } from '../hostile/running-server.ts';
import { describeOnS3, s3Kinds } from './servers.ts';

for (const kind of s3Kinds('versitygw')) {
  await describeOnS3(kind, `the care of a lake on ${kind}`, (s3) => {
    test('finds and rebuilds what is lost, and erases what no copy can bring back', { timeout: 180_000 }, async () => {
      const Bucket = await s3().bucket();
      vi.stubEnv('AWS_ACCESS_KEY_ID', s3().credentials.accessKeyId);
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3().credentials.secretAccessKey);
      const { region, endpoint, client } = s3();
      const place = await aPlace({
        lake: { folder: undefined, s3: { bucket: Bucket, region, endpoint, pathStyle: true } },
      });
      let server = await startIn(place);
      let { url } = server.address;
      const findings = async (code: number): Promise<string[]> => {
        const answer = await lakeward(['lake', 'check', 'd', '--deep', '--json'], { url });
        expect(answer).toMatchObject({ code });
        const [{ reports } = { reports: [] }] = documents<{ reports: CheckReport[] }>(answer);
        return reports.flatMap((report) => report.findings.map(({ problem, path }) => `${problem} ${path}`)).sort();
      };
      try {
        await aFlow(url, { eventTime: 'at' });
        for (const day of [1, 2]) await put(url, [{ id: day, user: 'eve', at: `2026-01-0${day}T06:00:00Z` }]);
        await flush(url);
        expect(await findings(0)).toEqual([]);
        const files = await must<{ items: { path: string }[] }>(`${url}/v1/deliveries/d/files`, 'GET');
        const [lost = ''] = files.items.map(({ path }) => path);
        await client.send(new DeleteObjectCommand({ Bucket, Key: lost }));
        await client.send(new PutObjectCommand({ Bucket, Key: 'd/notes.txt', Body: 'mine' }));
        expect(await findings(4)).toEqual([`lost ${lost}`, 'stray d/notes.txt']);
        const [repaired] = documents<RepairReport>(await lakeward(['lake', 'repair', 'd', '--json'], { url }));
        expect(repaired).toMatchObject({ rebuilt: [lost] });
        expect(await findings(4)).toEqual(['stray d/notes.txt']);
        const erased = await lakeward(['lake', 'erase', 'd', '--key', 'user=eve', '--json'], { url });
        expect(erased).toMatchObject({ code: 4 });
        const [report] = documents<EraseReport>(erased);
        expect(report).toMatchObject({ waitingRows: 2, rewrittenFiles: 0 });

        // With a bound of seconds on copies inside the store.
        await server.close('restarted by the test');
        server = await startIn(place, { LAKEWARD_CRASH_AT: 'nowhere' });
        url = server.address.url;
        const erase = (): ReturnType<typeof lakeward> => lakeward(['lake', 'erase', 'd', '--key', 'user=eve'], { url });
        await expect.poll(async () => (await erase()).code, { timeout: 90_000, interval: 1000 }).toBe(0);
        const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'd/' }));
        expect(Contents.map(({ Key }) => Key)).toEqual(['d/notes.txt']);
      } finally {
        await server.close('the test ends');
        await place.dispose();
      }
    });
  });
}
