/**
 * Object settings as parameters of S3 requests. A stage is a plain object of the bucket that is encrypted and owned as the file will be;
 * class, tags, metadata and access come with the copy to its final place, from the handle alone, so that whoever publishes makes the
 * same object. Keys of customers are sent with each request and kept by nobody.
 */
import { createHash } from 'node:crypto';
import type { CopyObjectCommandInput, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { ObjectEncryption, ObjectSettings } from '../../model/object-settings.ts';

/** The bytes of a key by its id. Throws `key-missing`. */
export type CustomerKey = (id: string) => Uint8Array;

interface KeyParameters {
  readonly SSECustomerAlgorithm: string;
  readonly SSECustomerKey: string;
  readonly SSECustomerKeyMD5: string;
}

export function keyParameters(key: Uint8Array): KeyParameters {
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: Buffer.from(key).toString('base64'),
    SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
  };
}

export function putParameters(
  object: ObjectSettings | undefined,
  customerKey: CustomerKey,
): Partial<PutObjectCommandInput> {
  if (object === undefined) return {};
  const { encryption, bucketOwner } = object;
  return {
    ...(encryption !== undefined && encryptionParameters(encryption, customerKey)),
    ...(bucketOwner !== undefined && { ExpectedBucketOwner: bucketOwner }),
  };
}

export function copyParameters(
  object: ObjectSettings | undefined,
  customerKey: CustomerKey,
): Partial<CopyObjectCommandInput> {
  if (object === undefined) return {};
  const { storageClass, tags, metadata, encryption, acl, bucketOwner } = object;
  return {
    ...putParameters(object, customerKey),
    ...(encryption?.kind === 'customer' && sourceKey(keyParameters(customerKey(encryption.key)))),
    ...(bucketOwner !== undefined && { ExpectedSourceBucketOwner: bucketOwner }),
    ...(storageClass !== undefined && { StorageClass: storageClass }),
    ...(tags !== undefined && { TaggingDirective: 'REPLACE' as const, Tagging: queryOf(tags) }),
    ...(metadata !== undefined && { MetadataDirective: 'REPLACE' as const, Metadata: { ...metadata } }),
    ...(acl !== undefined && { ACL: acl }),
  };
}

function encryptionParameters(
  encryption: ObjectEncryption,
  customerKey: CustomerKey,
): Partial<PutObjectCommandInput & CopyObjectCommandInput> {
  switch (encryption.kind) {
    case 's3':
      return { ServerSideEncryption: 'AES256' };
    case 'kms': {
      const { keyId, bucketKey } = encryption;
      return {
        ServerSideEncryption: 'aws:kms',
        ...(keyId !== undefined && { SSEKMSKeyId: keyId }),
        ...(bucketKey !== undefined && { BucketKeyEnabled: bucketKey }),
      };
    }
    case 'customer':
      return keyParameters(customerKey(encryption.key));
    case 'client':
      break;
  }
  return {};
}

function sourceKey(key: KeyParameters): Partial<CopyObjectCommandInput> {
  return {
    CopySourceSSECustomerAlgorithm: key.SSECustomerAlgorithm,
    CopySourceSSECustomerKey: key.SSECustomerKey,
    CopySourceSSECustomerKeyMD5: key.SSECustomerKeyMD5,
  };
}

function queryOf(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join('&');
}
