/**
 * Whether the store takes the settings of a delivery's objects, found out with a file of one byte before the first file is staged: class,
 * tags and access come with the copy to the final place, when the rows are committed already, and what the store refuses then could
 * never be published. Asked once for each kind of settings; values of tags and metadata are known to be sound.
 */
import { crc32 } from 'node:zlib';
import { CopyObjectCommand, DeleteObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type LakePath, lakePath } from '../../model/lake-path.ts';
import type { ObjectSettings } from '../../model/object-settings.ts';
import { s3Failure } from './failures.ts';
import { crcHex } from './local-body.ts';
import { copyParameters } from './object-parameters.ts';
import { copyInput, deleteInput, putInput, type S3Place } from './requests.ts';

export interface TrialOptions {
  readonly client: S3Client;
  readonly place: S3Place;
  readonly bounds: () => NonNullable<Parameters<S3Client['send']>[1]>;
}

/** Throws what the store says, `key-missing`. `staged`: a fresh path, beside which the trial takes place. */
export type SettingsTrial = (staged: LakePath, object: ObjectSettings | undefined) => Promise<void>;

const BYTE = new Uint8Array(1);

export function settingsTrial({ client, place, bounds }: TrialOptions): SettingsTrial {
  const tried = new Map<string, Promise<void>>();

  async function tryOut(path: LakePath, object: ObjectSettings): Promise<void> {
    const checksum = crcHex(crc32(BYTE));
    const [staged, final] = [lakePath(`${path}.trial`), lakePath(`${path}.trial-copy`)];
    const versions: (string | undefined)[] = [];
    try {
      const put = putInput(place, staged, { body: BYTE, bytes: BYTE.length, checksum, object });
      versions.push((await client.send(new PutObjectCommand(put), bounds())).VersionId);
      const copy = copyInput(place, { staged, final, bytes: BYTE.length, checksum, object });
      versions.push((await client.send(new CopyObjectCommand(copy), bounds())).VersionId);
    } catch (error) {
      throw s3Failure(error, "keep files as the delivery's 'object' says; change that or the bucket's rules");
    } finally {
      // What stays is swept as any stray stage.
      const gone = [staged, final].map((one, i) => new DeleteObjectCommand(deleteInput(place, one, versions[i])));
      await Promise.allSettled(gone.map((command) => client.send(command, bounds())));
    }
  }

  return async (staged, object) => {
    if (object === undefined || Object.keys(copyParameters(object, place.customerKey)).length === 0) return;
    const { tags = {}, metadata = {}, ...rest } = object;
    const kind = JSON.stringify([rest, Object.keys(tags), Object.keys(metadata)]);
    const trial = tried.get(kind) ?? tryOut(staged, object);
    tried.set(kind, trial);
    try {
      await trial;
    } catch (error) {
      if (tried.get(kind) === trial) tried.delete(kind);
      throw error;
    }
  };
}
