/**
 * The parameters of every S3 request the lake makes, in one place. What an object is stored with (storage class, tags, encryption,
 * owner) is said by the file that is staged and by the handle that is published, and added here and nowhere else.
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
import type { ObjectSettings } from '../../model/object-settings.ts';
import type { StageHandle } from '../../ports/lake-store.ts';
import { copyParameters, type CustomerKey, putParameters } from './object-parameters.ts';

export interface S3Place {
  readonly bucket: string;
  /** Ends at a slash, or is empty. */
  readonly prefix: string;
  readonly customerKey: CustomerKey;
}

export const keyOf = ({ prefix }: S3Place, path: string): string => `${prefix}${path}`;

interface PutBody {
  readonly body: NonNullable<PutObjectCommandInput['Body']>;
  readonly bytes: number;
  /** CRC-32, 8 hex digits. */
  readonly checksum: string;
  readonly object?: ObjectSettings | undefined;
}

export function putInput(
  place: S3Place,
  path: LakePath,
  { body, bytes, checksum, object }: PutBody,
): PutObjectCommandInput {
  return {
    ...putParameters(object, place.customerKey),
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
    ...copyParameters(handle.object, place.customerKey),
    Bucket: place.bucket,
    Key: keyOf(place, handle.final),
    CopySource: handle.versionId === undefined ? source : `${source}?versionId=${encodeURIComponent(handle.versionId)}`,
    ChecksumAlgorithm: 'CRC32',
  };
}

export function getInput(place: S3Place, path: LakePath, range?: string): GetObjectCommandInput {
  return {
    Bucket: place.bucket,
    Key: keyOf(place, path),
    ...(range !== undefined && { Range: range }),
  };
}

export function headInput(place: S3Place, path: LakePath, versionId?: string): HeadObjectCommandInput {
  return {
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
