/**
 * Event ids in the simulation of landings: which records are resends of which, what a landing drops by the files its log names, and
 * whether in the end every event is among the data exactly once. `narrow`: a window that old files leave, with resends right behind
 * their originals. `wide`: nothing leaves; resends come on another shard and among rejected rows too.
 */
import { crc32 } from 'node:zlib';
import type { KeysToWrite } from '../../src/landing/key-files.ts';
import type { AppendKeys, KeyFile, KnownKeys } from '../../src/landing/known-keys.ts';
import { filesFor } from '../../src/landing/known-keys.ts';
import type { DedupeRule } from '../../src/model/delivery.ts';

export type Resends = 'narrow' | 'wide';

/** What a landing drops and says of it. */
export interface Sieve {
  readonly rule: DedupeRule;
  /** The records that are no duplicates, in order. */
  landing(records: readonly string[]): string[];
  /** What the entry says, and the file to write before it. */
  keys(nonce: string, after: string | undefined): { readonly dedupe: AppendKeys; readonly write: KeysToWrite[] };
}

/** The event a record `shard:offset` tells of; undefined when it has no id. */
function eventOf(record: string, resends: Resends): string | undefined {
  const [shard = 0, k = 0] = record.split(':').map(Number);
  if (shard !== 0) return resends === 'wide' && k % 3 === 0 ? `e${k}` : undefined;
  if (k % 3 === 1) return `e${k - 1}`;
  if (resends === 'wide' && k === 5) return 'e2';
  return resends === 'wide' && k === 8 ? 'e3' : `e${k}`;
}

function arrivalOf(record: string): number {
  return 1000 * (1 + Number(record.split(':')[1]));
}

export const ruleOf = (resends: Resends): DedupeRule => ({
  key: 'id',
  windowMs: resends === 'wide' ? 1_000_000 : 2_000,
});

/** Compares with the files; `ofReplay`: the window stays where it is. */
export async function sieveOf(
  resends: Resends,
  files: readonly KeyFile[],
  read: (file: KeyFile) => Promise<Uint8Array>,
  ofReplay = false,
): Promise<Sieve> {
  const rule = ruleOf(resends);
  const known = new Set<string>();
  for (const file of files) {
    for (const event of JSON.parse(new TextDecoder().decode(await read(file))) as string[]) known.add(event);
  }
  const own = new Map<string, number>();
  const arrivals: number[] = [];
  let duplicateRows = 0;
  let unkeyedRows = 0;
  return {
    rule,
    landing: (records) =>
      records.filter((record) => {
        const event = eventOf(record, resends);
        if (event === undefined) unkeyedRows++;
        if (event === undefined) return true;
        arrivals.push(arrivalOf(record));
        if (known.has(event) || own.has(event)) duplicateRows++;
        if (known.has(event) || own.has(event)) return false;
        own.set(event, arrivalOf(record));
        return true;
      }),
    keys(nonce, after) {
      const content = new TextEncoder().encode(JSON.stringify([...own.keys()]));
      const checksum = crc32(content).toString(16).padStart(8, '0');
      const name = `${nonce}-0`;
      const file = { name, keys: own.size, bytes: content.length, checksum, lastArrivalMs: Math.max(...own.values()) };
      const first = arrivals.length === 0 || ofReplay ? {} : { firstArrivalMs: Math.min(...arrivals) };
      const compared = after === undefined ? {} : { after };
      const none = own.size === 0;
      return {
        dedupe: { ...rule, ...compared, ...first, duplicateRows, unkeyedRows, files: none ? [] : [file] },
        write: none ? [] : [{ name, content }],
      };
    },
  };
}

export function knownFiles(resends: Resends, known: KnownKeys): readonly KeyFile[] {
  return filesFor(known, ruleOf(resends));
}

/** Throws when an event is among the data twice. Gives whether a record that is nowhere is a duplicate of one that is there. */
export function judgeEvents(resends: Resends, data: Iterable<string>): (missing: string) => boolean {
  const landed = new Map<string, string>();
  for (const record of data) {
    const event = eventOf(record, resends);
    if (event === undefined) continue;
    const other = landed.get(event);
    if (other !== undefined) throw new Error(`event ${event} has landed twice: as ${other} and as ${record}`);
    landed.set(event, record);
  }
  return (missing) => landed.has(eventOf(missing, resends) ?? '');
}
