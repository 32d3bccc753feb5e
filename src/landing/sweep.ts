/**
 * Stray stages: files that a landing staged (or files of event ids it wrote) and no entry names, since it died or was superseded before
 * its end. They cost storage and nothing else, so only those older than a day are looked at. First an entry condemns their nonces, then they go: a slow worker of
 * such a nonce finds its entry invalid and starts over. Whoever asks what a sweep would take gets what a sweep would take.
 */
import type { LakePath } from '../model/lake-path.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { StrayStage } from '../ports/deliveries.ts';
import { inParallel } from './bounded-parallel.ts';
import type { LogView } from './follow.ts';
import { namedKeys, nonceOfKeys } from './key-files.ts';
import { listOld } from './list-old.ts';
import { nonceOfStage } from './paths.ts';
import { again } from './room.ts';
import { createNext, publishNewest, type Session } from './session.ts';

/** Files one sweep takes; more are left to the next. */
const SWEPT_MAX = 10_000;
const NONCES_AT_ONCE = 500;

export interface Strays {
  /** `condemned`: by an entry made already. */
  readonly files: readonly StrayStage[];
  /** There may be more than one sweep takes. */
  readonly more: boolean;
}

/** What the next sweep would take. Of a view whose newest entry is published: then no entry names what lies in a stage. */
export async function strayStages({ room }: Session, view: LogView, call?: CallOptions): Promise<Strays> {
  const cutMs = room.clock.nowMs() - room.tuning.sweepAfterMs;
  const { stages, keyFiles } = room.paths;
  const isNamed = namedKeys(view.state, room);
  const oldStages = await listOld(room, { prefix: stages, cutMs, max: SWEPT_MAX }, call);
  const oldKeys = await listOld(room, { prefix: keyFiles, cutMs, max: Number.POSITIVE_INFINITY }, call);
  const old = [
    ...oldStages.map((file) => ({ ...file, nonce: nonceOfStage(stages, file.path) })),
    ...oldKeys
      .filter(({ path }) => !isNamed(path))
      .map((file) => ({ ...file, nonce: nonceOfKeys(keyFiles, file.path) })),
  ];
  const known = new Set(view.state.condemned);
  const nonces = new Set(old.map(({ nonce }) => nonce));
  const fresh = new Set([...nonces].filter((nonce) => !known.has(nonce)).slice(0, NONCES_AT_ONCE));
  const files = old
    .filter(({ nonce }) => known.has(nonce) || fresh.has(nonce))
    .map((file) => ({ ...file, condemned: known.has(file.nonce) }));
  return { files, more: oldStages.length >= SWEPT_MAX };
}

/**
 * What is listed under a condemned nonce can be deleted at any time. A number taken by somebody else ends this try, with nothing
 * taken: what was listed may be named by now.
 */
export async function sweep(session: Session, view: LogView, call?: CallOptions): Promise<Strays> {
  const { room } = session;
  const strays = await strayStages(session, view, call);
  if (strays.files.length === 0) return strays;
  const nonces = [...new Set(strays.files.filter(({ condemned }) => !condemned).map(({ nonce }) => nonce))];
  if (nonces.length > 0) {
    const proposal = { nonce: room.clock.uuid(), body: { kind: 'sweep' as const, nonces } };
    if ((await createNext(session, view, proposal, call)) === 'other') return { files: [], more: false };
    await publishNewest(session, call, { confirmed: true });
  }
  await inParallel(strays.files, ({ path }) =>
    again(room, () => room.store.discard({ staged: path as LakePath }, call), call),
  );
  room.telemetry.log.info('stray stages swept', { delivery: room.delivery, files: strays.files.length });
  await room.step('swept');
  return strays;
}
