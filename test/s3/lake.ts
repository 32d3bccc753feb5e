/** A lake on a test's S3 server, straight or through a proxy, with fresh connections and short bounds. */
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { type S3Connection, connectS3 } from '../../src/lake/s3/s3-client.ts';
import { createS3Store } from '../../src/lake/s3/s3-store.ts';
import { lakePath } from '../../src/model/lake-path.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { LakeStore } from '../../src/ports/lake-store.ts';
import type { TestS3 } from './servers.ts';

export interface LakeOnS3 {
  readonly connection: S3Connection;
  readonly store: (bucket: string, clock: Clock, prefix?: string) => LakeStore;
}

/** One process's connection. `endpoint`: a proxy's instead of the server's own. */
export function connectLake(s3: TestS3, { endpoint = s3.endpoint, requestMs = 10_000 } = {}): LakeOnS3 {
  const { region, credentials } = s3;
  const connection = connectS3({ endpoint, region, credentials, pathStyle: true, requestMs });
  return { connection, store: (bucket, clock, prefix) => createS3Store({ connection, bucket, clock, prefix }) };
}

/** The lake as a stranger lists and reads it, through an AWS client alone. */
export function strangersView({ client }: TestS3, bucket: string, prefix: string): Pick<LakeStore, 'list' | 'read'> {
  return {
    async list(start, options) {
      const { Contents = [], IsTruncated = false } = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: `${prefix}${start}`,
          ...(options?.after !== undefined && { StartAfter: `${prefix}${options.after}` }),
        }),
      );
      const files = Contents.map(({ Key = '', Size = 0, LastModified }) => ({
        path: lakePath(Key.slice(prefix.length)),
        bytes: Size,
        modifiedMs: LastModified?.getTime() ?? 0,
      }));
      const last = files.at(-1);
      return IsTruncated && last !== undefined ? { files, next: last.path } : { files };
    },
    async read(path) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${prefix}${path}` }));
      return Body?.transformToByteArray();
    },
  };
}
