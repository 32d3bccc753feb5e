/**
 * Where the landing log of a delivery keeps its files in a lake. Numbers have 20 digits, so that listing order is number order.
 */
import { type LakePath, lakePath, SYSTEM_FOLDER } from '../model/lake-path.ts';

const DIGITS = 20;
const PART = /\/(\d{20})-[^/]*\.ndjson$/;
const NUMBERED = /\/(\d{20})\.json$/;

export interface LandingPaths {
  entry(n: number): LakePath;
  readonly entries: string;
  checkpoint(n: number): LakePath;
  readonly checkpoints: string;
  /** List of files of one checkpoint; never written twice. */
  part(n: number, nonce: string): LakePath;
  readonly parts: string;
  /** Event ids of one landing; never written twice. */
  keys(name: string): LakePath;
  readonly keyFiles: string;
  staged(nonce: string, name: string): LakePath;
  readonly stages: string;
  complete(partition: string): LakePath;
  readonly markers: string;
  reopened(partition: string, n: number): LakePath;
  readonly reopenings: string;
  /** Late rows that are held; below it lie folders as in the lake. */
  readonly held: string;
  /** The files of a partition as of an entry. */
  manifest(partition: string, n: number): LakePath;
  readonly manifests: string;
  /** There while manifests are kept, of every partition. */
  readonly manifested: LakePath;
  /** What an entry completed and reopened, to be told. */
  notice(n: number): LakePath;
  readonly notices: string;
  /** The partition that a marker, or a manifest, is of. */
  partitionOf(marker: string): string;
}

export function landingPaths(folder: string): LandingPaths {
  const top = `${SYSTEM_FOLDER}/${folder}`;
  const entries = `${top}/log/0/`;
  const checkpoints = `${top}/checkpoint/`;
  const parts = `${top}/files/`;
  const keyFiles = `${top}/keys/`;
  const stages = `${top}/staged/`;
  const markers = `${top}/complete/`;
  const reopenings = `${top}/reopened/`;
  const manifests = `${top}/manifest/`;
  const notices = `${top}/notices/`;
  const held = `${top}/held/`;
  const number = (n: number): string => String(n).padStart(DIGITS, '0');
  return {
    entry: (n) => lakePath(`${entries}${number(n)}.json`),
    entries,
    checkpoint: (n) => lakePath(`${checkpoints}${number(n)}.json`),
    checkpoints,
    part: (n, nonce) => lakePath(`${parts}${number(n)}-${nonce}.ndjson`),
    parts,
    keys: (name) => lakePath(`${keyFiles}${name}`),
    keyFiles,
    staged: (nonce, name) => lakePath(`${stages}${nonce}/${name}`),
    stages,
    complete: (partition) => lakePath(`${markers}${partition}.json`),
    markers,
    reopened: (partition, n) => lakePath(`${reopenings}${partition}/${number(n)}.json`),
    reopenings,
    held,
    manifest: (partition, n) => lakePath(`${manifests}${partition === '' ? '' : `${partition}/`}${number(n)}.json`),
    manifests,
    notice: (n) => lakePath(`${notices}${number(n)}.json`),
    notices,
    manifested: lakePath(`${top}/manifest.json`),
    partitionOf(marker) {
      if (marker.startsWith(markers)) return marker.slice(markers.length, -'.json'.length);
      const top = marker.startsWith(reopenings) ? reopenings : manifests;
      return marker.slice(top.length, Math.max(top.length, marker.lastIndexOf('/')));
    },
  };
}

/** Whether a data file is held: it lies where no reader looks. */
export function isHeld(path: string): boolean {
  return path.startsWith(`${SYSTEM_FOLDER}/`);
}

/** The number in the name of an entry or checkpoint, undefined for any other file. */
export function numberOf(path: string): number | undefined {
  const digits = NUMBERED.exec(path)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The number of the checkpoint that a list of files was written for. */
export function numberOfPart(path: string): number | undefined {
  const digits = PART.exec(path)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The nonce in the path of a stage. */
export function nonceOfStage(stages: string, path: string): string {
  return path.slice(stages.length).split('/')[0] ?? '';
}
