/**
 * How the files of a delivery are kept as objects: storage class, tags, metadata, encryption, access. A specification holds texts
 * with fields (`{partition}`); a staged file holds them filled in, so that whoever publishes it, in whatever process and under
 * whatever specification, publishes it the same way. Keys are named by their id, never held.
 */

export const STORAGE_CLASSES = [
  'STANDARD',
  'STANDARD_IA',
  'ONEZONE_IA',
  'GLACIER_IR',
  'GLACIER',
  'DEEP_ARCHIVE',
  'INTELLIGENT_TIERING',
] as const;
export type StorageClass = (typeof STORAGE_CLASSES)[number];

/** Ready-made access rules of S3; `bucket-owner-full-control` is for a bucket of another account. */
export const CANNED_ACLS = [
  'private',
  'bucket-owner-full-control',
  'bucket-owner-read',
  'authenticated-read',
  'aws-exec-read',
  'public-read',
  'public-read-write',
] as const;
export type CannedAcl = (typeof CANNED_ACLS)[number];

/**
 * Who encrypts, with which key. s3, kms: the store, transparently. customer: the store, with a key sent along with every request and
 * kept by nobody else. client: this process, before the file leaves it.
 */
export type ObjectEncryption =
  | { readonly kind: 's3' }
  | { readonly kind: 'kms'; readonly keyId?: string; readonly bucketKey?: boolean }
  | { readonly kind: 'customer'; readonly key: string }
  | { readonly kind: 'client'; readonly key: string };
export const ENCRYPTIONS = ['s3', 'kms', 'customer', 'client'] as const satisfies ObjectEncryption['kind'][];

export interface ObjectSettings {
  readonly storageClass?: StorageClass;
  readonly tags?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly encryption?: ObjectEncryption;
  readonly acl?: CannedAcl;
  /** Account id the bucket must belong to. */
  readonly bucketOwner?: string;
}

/** What becomes of a file some days after it was made; the last step may be its end. */
export type LifecycleStep = {
  readonly afterDays: number;
  /** Only files with all of these tags; without, all files of the delivery. */
  readonly tags?: Readonly<Record<string, string>>;
} & ({ readonly to: StorageClass } | { readonly expire: true });

/** What a lake can do for a delivery. */
export interface LakeOffers {
  readonly kind: 'folder' | 's3';
  /** Ids of the configured keys; `raw` ones are at hand as bytes, the others only wrap and unwrap. */
  readonly keys: readonly { readonly id: string; readonly raw: boolean }[];
}

/** Ends the name of a file that this product encrypted. */
export const ENCRYPTED_EXTENSION = '.lwenc';

export function isEncryptedName(path: string): boolean {
  return path.endsWith(ENCRYPTED_EXTENSION);
}
