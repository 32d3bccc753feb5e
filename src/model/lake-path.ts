/**
 * Paths inside a lake: relative, `/` between segments, no empty, `.` or `..` segment, no NUL or backslash, each segment at
 * most 255 bytes, 1,024 in all: what both S3 and a file system can hold. A `LakePath` was checked once and is trusted after.
 * Names that start with `_` are skipped by the usual readers (Spark, Hive, Athena, Trino): the product's own files live there.
 */
import { LakewardError } from './errors.ts';

declare const brand: unique symbol;
export type LakePath = string & { readonly [brand]: 'LakePath' };

const SEGMENT_BYTES_MAX = 255;
export const LAKE_PATH_BYTES_MAX = 1024;
/** Folder of the product's own files: logs, stages, completeness markers. */
export const SYSTEM_FOLDER = '_lakeward';
/** Folder of rows that could not land. */
export const REJECTED_FOLDER = '_rejected';

const bytes = new TextEncoder();

/** Checks a path. Throws `argument-invalid` with the offending part. */
export function lakePath(text: string): LakePath {
  const segments = text.split('/');
  for (const segment of segments) {
    const bad =
      segment === '' ||
      segment === '.' ||
      segment === '..' ||
      /[\0\\]/.test(segment) ||
      bytes.encode(segment).length > SEGMENT_BYTES_MAX;
    if (bad) throw new LakewardError('argument-invalid', `'${segment}' cannot be a part of a lake path ('${text}')`);
  }
  if (bytes.encode(text).length > LAKE_PATH_BYTES_MAX) {
    throw new LakewardError(
      'argument-invalid',
      `a lake path has at most ${LAKE_PATH_BYTES_MAX} bytes ('${text.slice(0, 80)}…')`,
    );
  }
  return text as LakePath;
}

/** Says which lake this is; made once, when it is first used. */
export const LAKE_ID_PATH: LakePath = lakePath(`${SYSTEM_FOLDER}/lake.json`);
