/**
 * What a landing must know of shards that other processes land, so that its watermark is one of the whole stream: how far they have landed,
 * and whether those that seem quiet are read to their ends. Costs nothing where this process lands all.
 */
import type { LandingLog } from '../landing/landing-log.ts';
import type { ShardHighs } from '../landing/shard-highs.ts';
import type { Positions, StreamDocument } from '../model/stream.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { ClosedShards } from './closed-shards.ts';
import { landedPositions, newestOf } from './log-holder.ts';
import type { DeliveryRoom } from './room.ts';
import type { ProgressBook } from './shard-progress.ts';

export interface WholeStream {
  readonly from: Positions;
  readonly ends: Positions;
  readonly highs: ShardHighs;
}

interface OwnPart {
  readonly from: Positions;
  readonly ends: Positions;
  readonly closed: ClosedShards;
}

/** Reads the log on when others land too. Without an answer of the broker their quiet shards count as busy. */
export async function wholeStream(
  at: {
    readonly room: DeliveryRoom;
    readonly stream: StreamDocument;
    readonly log: LandingLog;
    readonly progress: ProgressBook;
  },
  { from, ends, closed }: OwnPart,
  call: CallOptions,
): Promise<WholeStream> {
  const { room, log, progress } = at;
  const stream = newestOf(room, at.stream);
  const othersOf = (): Positions =>
    new Map([...landedPositions(log.view(), stream)].filter(([shard]) => !from.has(shard)));
  if (othersOf().size === 0) return { from, ends, highs: log.view().highs };
  await log.refresh(call);
  const others = othersOf();
  const { highs } = log.view();
  const quiet = new Set([...progress.quiet(others.keys(), highs), ...closed.keys()]);
  const asked = new Map([...others].filter(([shard]) => quiet.has(shard)));
  const now = { minBytes: 1, minRecords: 1, waitMs: 0, signal: call.signal };
  const answer = asked.size === 0 ? undefined : await room.broker.pending(stream.id, asked, now);
  return { from: new Map([...others, ...from]), ends: new Map([...(answer?.ends ?? []), ...ends]), highs };
}
