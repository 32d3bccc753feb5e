/**
 * The event ids of one delivery around a conversion: fetches the files the landing log names into a local folder, from which the
 * engines read them, takes those a conversion made, and says what the entry holds of them. The log is the truth; the folder is a
 * copy that may be forgotten at any moment. Nothing is fetched for a delivery that does not drop duplicates.
 */
import { inParallel } from '../landing/bounded-parallel.ts';
import type { AppendKeys, KeyFile, KnownKeys } from '../landing/known-keys.ts';
import { remember } from '../landing/known-keys.ts';
import type { DedupeRule } from '../model/delivery.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import { MIB } from '../model/limits.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ConvertDedupe, ConvertResult } from '../ports/converter.ts';
import type { ScratchFolders } from './scratch.ts';

/** Gets a file of event ids from the lake. */
export type ReadKeys = (file: KeyFile, call?: CallOptions) => Promise<Uint8Array>;

/** What a landing says of its ids, and what is remembered when it has landed. */
export interface LandingKeys {
  readonly appended: AppendKeys;
  readonly after: KnownKeys;
}

export interface IdMemory {
  /** What the converter is told to drop the duplicates of these files' rows. */
  job(rule: DedupeRule, files: readonly KeyFile[], read: ReadKeys, call?: CallOptions): Promise<ConvertDedupe>;
  /** Takes the ids of a conversion's rows, which will land under the nonce on top of what is known. */
  adopt(landing: AdoptOptions): Promise<LandingKeys>;
  /** A file that was adopted or fetched. */
  content(file: KeyFile): Promise<Uint8Array>;
  /** Removes the files nobody asks for any more. */
  keep(known: KnownKeys): Promise<void>;
  /** A conversion failed: when it was for a file of the folder, all are fetched again. */
  failed(error: unknown): Promise<void>;
  /** Removes the folder; the next job makes it anew. */
  forget(): Promise<void>;
}

export interface AdoptOptions {
  readonly nonce: string;
  readonly rule: DedupeRule;
  readonly known: KnownKeys;
  readonly firstArrivalMs: number | undefined;
  /** Behind the names of the files. */
  readonly extension: string;
  readonly converted: ConvertResult['dedupe'];
}

/** Larger files are fetched one at a time. */
const SMALL_BYTES = MIB;

export function idMemory(scratch: ScratchFolders, delivery: string): IdMemory {
  let making: Promise<string> | undefined;
  let here = new Set<string>();

  function folder(): Promise<string> {
    making ??= scratch.make().catch((error: unknown) => {
      making = undefined;
      throw error;
    });
    return making;
  }

  async function forget(): Promise<void> {
    const path = await making;
    making = undefined;
    here = new Set();
    if (path !== undefined) await scratch.remove(path);
  }

  async function fetch(file: KeyFile, read: ReadKeys, call: CallOptions | undefined): Promise<void> {
    await scratch.write(`${await folder()}/${file.name}`, await read(file, call));
    here.add(file.name);
  }

  return {
    async job({ key, windowMs }, files, read, call) {
      const missing = files.filter(({ name }) => !here.has(name));
      await inParallel(
        missing.filter(({ bytes }) => bytes < SMALL_BYTES),
        (file) => fetch(file, read, call),
      );
      for (const file of missing) if (file.bytes >= SMALL_BYTES) await fetch(file, read, call);
      return {
        delivery,
        key,
        windowMs,
        folder: await folder(),
        files: files.map(({ name }) => name),
        keys: files.reduce((sum, file) => sum + file.keys, 0),
      };
    },
    async adopt({ nonce, rule, known, firstArrivalMs, extension, converted }) {
      const files: KeyFile[] = [];
      for (const [i, { local, ...file }] of (converted?.files ?? []).entries()) {
        const name = `${nonce}-${i}${extension}`;
        await scratch.move(local, `${await folder()}/${name}`);
        here.add(name);
        files.push({ name, ...file });
      }
      const { duplicateRows = 0, unkeyedRows = 0 } = converted ?? {};
      const { last } = known;
      const appended: AppendKeys = {
        ...rule,
        ...(last === undefined ? {} : { after: last }),
        ...(firstArrivalMs === undefined ? {} : { firstArrivalMs }),
        duplicateRows,
        unkeyedRows,
        files,
      };
      return { appended, after: remember(known, { n: Number.MAX_SAFE_INTEGER, nonce }, appended) };
    },
    async content({ name }) {
      if (here.has(name)) return await scratch.read(`${await folder()}/${name}`);
      throw new LakewardError('convert-failed', `the local event ids ${name} were dropped; the landing starts over`);
    },
    async keep({ files, retired }) {
      const wanted = new Set([...files, ...retired].map(({ name }) => name));
      for (const name of here) {
        if (wanted.has(name)) continue;
        here.delete(name);
        await scratch.remove(`${await folder()}/${name}`);
      }
    },
    async failed(error) {
      if (isLakewardError(error, 'convert-failed') && error.details?.['lack'] === 'keys') await forget();
    },
    forget,
  };
}
