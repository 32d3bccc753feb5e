/**
 * The parameters of every S3 request the lake makes, in one place. What an object is stored with (storage class, tags, encryption,
 * owner) is added here and nowhere else: `settings` belongs to a store, and a store costs nothing to make.
 */
import type {
  CopyObjectCommandInput,
  DeleteObjectCommandInput,
  GetObjectCommandInput,
  HeadObjectCommandInput,
  ListObjectsV2CommandInput,
  PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import type { LakePath } from '../../model/lake-path.ts';
import type { StageHandle } from '../../ports/lake-store.ts';

/** What the requests of one store carry beyond what the lake itself needs. */
export interface ObjectSettings {
  /** Files of the product itself (log entries, checkpoints) and stages. */
  readonly put?: Partial<PutObjectCommandInput>;
  /** A stage on its way to its final place: the final storage class, tags and encryption. */
  readonly copy?: (handle: StageHandle) => Partial<CopyObjectCommandInput>;
  /** Reading a file, or asking for one. */
  readonly read?: Partial<Pick<GetObjectCommandInput & HeadObjectCommandInput, 'RequestPayer' | 'ExpectedBucketOwner'>>;
}

export interface S3Place {
  readonly bucket: string;
  /** Ends at a slash, or is empty. */
  readonly prefix: string;
  readonly settings: ObjectSettings;
}

export const keyOf = ({ prefix }: S3Place, path: string): string => `${prefix}${path}`;

export function putInput(
  place: S3Place,
  path: LakePath,
  { body, bytes, checksum }: { body: NonNullable<PutObjectCommandInput['Body']>; bytes: number; checksum: string },
): PutObjectCommandInput {
  return {
    ...place.settings.put,
    Bucket: place.bucket,
    Key: keyOf(place, path),
    Body: body,
    ContentLength: bytes,
    ChecksumCRC32: base64OfHex(checksum),
  };
}

export function copyInput(place: S3Place, handle: StageHandle): CopyObjectCommandInput {
  const source = `${place.bucket}/${keyOf(place, handle.staged)}`.split('/').map(encodeURIComponent).join('/');
  return {
    ...place.settings.copy?.(handle),
    Bucket: place.bucket,
    Key: keyOf(place, handle.final),
    CopySource: handle.versionId === undefined ? source : `${source}?versionId=${encodeURIComponent(handle.versionId)}`,
    ChecksumAlgorithm: 'CRC32',
  };
}

export function getInput(place: S3Place, path: LakePath, range?: string): GetObjectCommandInput {
  return {
    ...place.settings.read,
    Bucket: place.bucket,
    Key: keyOf(place, path),
    ...(range !== undefined && { Range: range }),
  };
}

export function headInput(place: S3Place, path: LakePath, versionId?: string): HeadObjectCommandInput {
  return {
    ...place.settings.read,
    Bucket: place.bucket,
    Key: keyOf(place, path),
    ...(versionId !== undefined && { VersionId: versionId }),
  };
}

export function deleteInput(place: S3Place, path: LakePath, versionId?: string): DeleteObjectCommandInput {
  return {
    Bucket: place.bucket,
    Key: keyOf(place, path),
    ...(versionId !== undefined && { VersionId: versionId }),
  };
}

/** `after` is a key of the bucket, not a path of the lake. */
export function listInput(
  place: S3Place,
  prefix: string,
  { after, limit }: { after: string | undefined; limit: number },
): ListObjectsV2CommandInput {
  return {
    Bucket: place.bucket,
    Prefix: keyOf(place, prefix),
    MaxKeys: limit,
    ...(after !== undefined && { StartAfter: after }),
  };
}

export function hexOfBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('hex');
}

function base64OfHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}
