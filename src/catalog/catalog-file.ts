/**
 * The catalog's files, byte for byte: UTF-8 JSON and a line feed. `checksum` is the CRC-32 (8 hex digits) of the JSON text of
 * `body`, so that a damaged byte is noticed even where the JSON stays valid. Version 1:
 *
 *   catalog/log/<20-digit n>.json          {"format":1,"checksum","body":{"version":n,"nonce","writtenMs","edits":[{kind,key,document?}]}}
 *   catalog/checkpoint/<20-digit n>.json   the same, its edits making the whole state at version n from nothing
 *
 * in the data folder, below `_lakeward/` in a lake.
 *
 * An entry is made once with create-exclusive and never deleted; behind an aged checkpoint it is emptied to `{}`, which keeps
 * its number taken. A checkpoint may be deleted when a newer one exists.
 */
import { crc32 } from 'node:zlib';
import { LakewardError } from '../model/errors.ts';
import { lakePath, type LakePath } from '../model/lake-path.ts';
import type { CatalogEdit } from '../ports/catalog.ts';
import type { LakeStore } from '../ports/lake-store.ts';
import { editComplaint, isCount, isObject } from './document-shape.ts';

export const EMPTIED = new TextEncoder().encode('{}\n');
const FORMAT = 1;

/** Where a catalog lies: a store, and its folders there, each with `/` at its end. */
export interface CatalogPlace {
  readonly store: LakeStore;
  readonly log: string;
  readonly checkpoints: string;
}

export function catalogPlace(store: LakeStore, folder: string): CatalogPlace {
  return { store, log: `${folder}/log/`, checkpoints: `${folder}/checkpoint/` };
}

export interface CatalogFile {
  readonly version: number;
  readonly nonce: string;
  readonly writtenMs: number;
  readonly edits: readonly CatalogEdit[];
}

export function numberedPath(folder: string, version: number): LakePath {
  return lakePath(`${folder}${String(version).padStart(20, '0')}.json`);
}

/** The number in a path made by `numberedPath`, or undefined for another file in the folder. */
export function numberOf(folder: string, path: LakePath): number | undefined {
  const match = /^(\d{20})\.json$/.exec(path.slice(folder.length));
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

export function encodeFile(body: CatalogFile): Uint8Array {
  const checksum = checksumOf(JSON.stringify(body));
  return new TextEncoder().encode(`${JSON.stringify({ format: FORMAT, checksum, body })}\n`);
}

/** The file's content, or `emptied`. Throws `catalog-damaged` naming the path and what is wrong. */
export function decodeFile(path: LakePath, bytes: Uint8Array): CatalogFile | 'emptied' {
  let file: unknown;
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(path, 'it is no JSON', cause);
  }
  if (!isObject(file)) throw damaged(path, 'it is no object');
  if (Object.keys(file).length === 0) return 'emptied';
  if (file['format'] !== FORMAT) throw damaged(path, `its format is ${JSON.stringify(file['format'])}, not ${FORMAT}`);
  const body = file['body'];
  if (!isObject(body) || file['checksum'] !== checksumOf(JSON.stringify(body))) {
    throw damaged(path, 'its checksum does not match');
  }
  const complaint = bodyComplaint(body, path);
  if (complaint !== undefined) throw damaged(path, complaint);
  return body as unknown as CatalogFile;
}

function bodyComplaint(body: Readonly<Record<string, unknown>>, path: LakePath): string | undefined {
  if (!path.endsWith(`${String(body['version']).padStart(20, '0')}.json`)) return 'it names another version';
  if (typeof body['nonce'] !== 'string' || !isCount(body['writtenMs'])) return 'nonce or time is missing';
  return editsComplaint(body['edits']);
}

/** The first thing wrong with a list of edits. */
export function editsComplaint(edits: unknown): string | undefined {
  if (!Array.isArray(edits)) return 'edits is no list';
  for (const [i, edit] of edits.entries()) {
    const complaint = editComplaint(edit, `edits[${i}]`);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

export function damaged(path: LakePath, why: string, cause?: unknown): LakewardError {
  return new LakewardError('catalog-damaged', `${path} cannot be used: ${why}`, { cause, details: { path } });
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
