/**
 * Deleted objects of a versioned bucket. A deletion without a version puts a marker on top of the versions; who takes the markers away has
 * the object again as it was. Objects that were overwritten are left as they are: files of the lake never are.
 */
import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';

export interface DeletedObject {
  readonly key: string;
  /** When its newest version was deleted. */
  readonly deletedMs: number;
  /** Version ids of the markers on top, newest first. */
  readonly markers: readonly string[];
}

/** As the listing of versions has them. */
export interface ObjectVersion {
  readonly key: string;
  readonly versionId: string;
  readonly modifiedMs: number;
  readonly isMarker: boolean;
  readonly isLatest: boolean;
}

/**
 * Those whose latest version is a marker, put there at `sinceMs` or later, and that have a version below. `versions`: of each key all,
 * newest first.
 */
export function deletedAmong(versions: readonly ObjectVersion[], sinceMs: number): DeletedObject[] {
  const found: DeletedObject[] = [];
  const sinceSecondMs = Math.floor(sinceMs / 1000) * 1000;
  for (const [key, held] of Map.groupBy(versions, (version) => version.key)) {
    const first = held.findIndex(({ isMarker }) => !isMarker);
    const markers = held.slice(0, Math.max(first, 0));
    const oldest = markers.at(-1);
    if (oldest === undefined || oldest.modifiedMs < sinceSecondMs) continue;
    found.push({ key, deletedMs: oldest.modifiedMs, markers: markers.map(({ versionId }) => versionId) });
  }
  return found;
}

type Bounds = Parameters<S3Client['send']>[1];

/** Pages that each hold whole keys. */
export async function* versionPages(
  client: S3Client,
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  bounds: () => NonNullable<Bounds>,
): AsyncGenerator<readonly ObjectVersion[]> {
  let cut: ObjectVersion[] = [];
  let next: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (next !== undefined) {
    const page: ListObjectVersionsCommandOutput = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...next }),
      bounds(),
    );
    const listed = [
      ...(page.Versions ?? []).map((version) => ({ ...version, isMarker: false })),
      ...(page.DeleteMarkers ?? []).map((marker) => ({ ...marker, isMarker: true })),
    ].map(
      ({ Key = '', VersionId = '', LastModified, IsLatest = false, isMarker }): ObjectVersion => ({
        key: Key,
        versionId: VersionId,
        modifiedMs: LastModified?.getTime() ?? 0,
        isMarker,
        isLatest: IsLatest,
      }),
    );
    const { NextKeyMarker, NextVersionIdMarker, IsTruncated = false } = page;
    next =
      IsTruncated && NextKeyMarker !== undefined
        ? {
            KeyMarker: NextKeyMarker,
            ...(NextVersionIdMarker !== undefined && { VersionIdMarker: NextVersionIdMarker }),
          }
        : undefined;
    const all = [...cut, ...listed].sort(newestFirst);
    // The last key of a page may go on in the next.
    cut = next === undefined ? [] : all.filter(({ key }) => key === NextKeyMarker);
    yield next === undefined ? all : all.filter(({ key }) => key !== NextKeyMarker);
  }
}

/** Newest marker first, so that a try that breaks off leaves the object deleted. */
export async function undelete(
  client: S3Client,
  bucket: string,
  { object, bounds }: { readonly object: DeletedObject; readonly bounds: () => NonNullable<Bounds> },
): Promise<void> {
  for (const VersionId of object.markers) {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: object.key, VersionId }), bounds());
  }
}

/**
 * Times are whole seconds, and versions and markers of one come apart from each other: a marker goes first then, since one that lies
 * below a version can be taken away without harm.
 */
function newestFirst(a: ObjectVersion, b: ObjectVersion): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  if (a.isLatest !== b.isLatest) return a.isLatest ? -1 : 1;
  if (a.modifiedMs !== b.modifiedMs) return b.modifiedMs - a.modifiedMs;
  return Number(b.isMarker) - Number(a.isMarker);
}
