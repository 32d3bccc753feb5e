/**
 * The commit point: makes a numbered file with create-exclusive and finds out whose it became. An unclear answer is repeated, never
 * guessed: absent on read-back means nothing (the first attempt may still arrive), `exists` is resolved by the nonce. Only a number
 * seen to hold another nonce is lost.
 */
import { LakewardError } from '../model/errors.ts';
import type { CallOptions } from '../ports/call-options.ts';
import { type Entry, parseEntry } from './entry.ts';
import { repeated } from './retry.ts';
import { again, type LandingRoom } from './room.ts';

/** own: this entry holds the number, durably. other: another does, or the number was emptied. */
export async function createEntry(
  room: LandingRoom,
  entry: Entry,
  bytes: Uint8Array,
  call?: CallOptions,
): Promise<'own' | 'other'> {
  const path = room.paths.entry(entry.n);
  return repeated(
    { clock: room.clock, tries: room.tuning.tries },
    async () => {
      if ((await room.store.create(path, bytes, call)) === 'created') return 'own';
      const held = await again(room, () => room.store.read(path, call), call);
      // There and yet not there: no answer. The repetition asks again.
      if (held === undefined) throw new LakewardError('lake-unavailable', `${path} exists but cannot be read`);
      const found = parseEntry(held, entry.n, path);
      return found !== 'emptied' && room.rules.isOwn(found.nonce, entry.nonce) ? 'own' : 'other';
    },
    call,
  );
}

/**
 * Makes sure an entry that was read is durable before anything is built on it: whoever made it may have died before syncing. To
 * create it once more with the bytes it holds is the store's way to say so.
 */
export async function confirmEntry(room: LandingRoom, n: number, bytes: Uint8Array, call?: CallOptions): Promise<void> {
  await again(room, () => room.store.create(room.paths.entry(n), bytes, call), call);
}
