/** A lake on an S3 server of this machine for benchmarks, and what landing asked of it: requests by operation, as they are billed. */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { join } from 'node:path';
import { missing } from '../../infra/dev/s3-install.ts';
import { startS3Server } from '../../infra/dev/s3-server.ts';
import { round } from './report.ts';

export interface LakeOnS3 {
  /** The section `lake` of a configuration. */
  readonly config: object;
  readonly endpoint: string;
  readonly env: Record<string, string>;
  stop(): Promise<void>;
}

/** Or what is missing for one. */
export async function lakeOnS3(folder: string): Promise<LakeOnS3 | string> {
  const lack = await missing('versitygw');
  if (lack !== undefined) return lack;
  const server = await startS3Server('versitygw', { folder: join(folder, 's3') });
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket: 'lake' }));
  client.destroy();
  return {
    endpoint,
    config: { s3: { bucket: 'lake', endpoint, region, pathStyle: true } },
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    stop: () => server.end('SIGTERM'),
  };
}

/** US$ for 1,000 requests to S3 Standard in us-east-1; deletions are free. */
const PRICES: Readonly<Record<string, number>> = {
  PutObject: 0.005,
  CopyObject: 0.005,
  ListObjectsV2: 0.005,
  GetObject: 0.0004,
  HeadObject: 0.0004,
  DeleteObject: 0,
};

/** Requests since the server's start per GB (10^9 bytes) of landed files, and what AWS would ask for them. */
export async function requestRow(url: string, landedBytes: number): Promise<Record<string, number>> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const gigabytes = landedBytes / 1e9;
  const row: Record<string, number> = {};
  let dollars = 0;
  for (const [, operation = '', count] of metrics.matchAll(
    /^lakeward_lake_requests_total\{operation="(\w+)".*\} (\d+)$/gm,
  )) {
    row[operation] = round((row[operation] ?? 0) + Number(count) / gigabytes);
    dollars += ((PRICES[operation] ?? 0) * Number(count)) / 1000 / gigabytes;
  }
  return { ...row, US$: round(dollars) };
}
