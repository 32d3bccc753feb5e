/**
 * Pages of a listing. S3 lists by the UTF-8 bytes of the key and goes on behind any key, so a page needs no state of the one before.
 * Keys that cannot be paths of a lake (folder markers that end at a slash, say) are somebody else's and left out.
 */
import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { LakewardError } from '../../model/errors.ts';
import { type LakePath, lakePath } from '../../model/lake-path.ts';
import type { ListedFile, ListPage } from '../../ports/lake-store.ts';
import { comparePaths } from '../path-order.ts';
import { keyOf, listInput, type S3Place } from './requests.ts';

const LIST_MAX = 1000;

interface Query {
  readonly prefix: string;
  readonly after?: LakePath;
  readonly limit?: number;
}

export async function listPage(
  send: (command: ListObjectsV2Command) => Promise<ListObjectsV2CommandOutput>,
  place: S3Place,
  { prefix, after, limit = LIST_MAX }: Query,
): Promise<ListPage> {
  let cursor = after === undefined ? undefined : keyOf(place, after);
  for (;;) {
    const input = listInput(place, prefix, { after: cursor, limit: Math.min(limit, LIST_MAX) });
    const { Contents = [], IsTruncated = false } = await send(new ListObjectsV2Command(input));
    const files = Contents.flatMap(({ Key = '', Size = 0, LastModified, StorageClass = 'STANDARD' }) =>
      fileOf(place, Key, { bytes: Size, modifiedMs: LastModified?.getTime() ?? 0, storageClass: StorageClass }),
    );
    checkOrder(cursor, Contents);
    const last = files.at(-1);
    if (!IsTruncated) return { files };
    if (last !== undefined) return { files, next: last.path };
    cursor = Contents.at(-1)?.Key;
    if (cursor === undefined) return { files };
  }
}

/** A store that lists otherwise (S3's directory buckets do) would be read with gaps or for ever. */
function checkOrder(cursor: string | undefined, listed: readonly { readonly Key?: string | undefined }[]): void {
  let before = cursor;
  for (const { Key = '' } of listed) {
    if (before !== undefined && comparePaths(Key, before) <= 0) {
      throw new LakewardError(
        'lake-unsuitable',
        `the store does not list in the order of keys ('${Key}' after '${before}')`,
      );
    }
    before = Key;
  }
}

function fileOf(place: S3Place, key: string, facts: Omit<ListedFile, 'path'>): ListedFile[] {
  try {
    return [{ path: lakePath(key.slice(place.prefix.length)), ...facts }];
  } catch {
    return [];
  }
}
