/** A lake on a test's S3 server, straight or through a proxy, with fresh connections and short bounds. */
import { type S3Connection, connectS3 } from '../../src/lake/s3/s3-client.ts';
import { createS3Store } from '../../src/lake/s3/s3-store.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import type { TestS3 } from './servers.ts';

export interface LakeOnS3 {
  readonly connection: S3Connection;
  store(bucket: string, clock: Clock): LakeStore;
}

/** One process's connection. `endpoint`: a proxy's instead of the server's own. */
export function connectLake(s3: TestS3, { endpoint = s3.endpoint, requestMs = 10_000 } = {}): LakeOnS3 {
  const { region, credentials } = s3;
  const connection = connectS3({ endpoint, region, credentials, pathStyle: true, requestMs });
  return { connection, store: (bucket, clock) => createS3Store({ connection, bucket, clock }) };
}
