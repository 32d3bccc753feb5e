/**
 * How the shards of a stream change: split, merge and scale are one thing, another division of the hash keys. It comes about in rounds.
 * In each some open shards, the parents, are closed and their children opened, and no child has more than two parents, as readers of
 * the Kinesis wire expect; so most changes take one round, and few more than two. Pure.
 */
import type { HashRange } from './hash-range.ts';
import { HASH_KEY_MAX, splitEvenly } from './hash-range.ts';
import type { ChildDocument, ReshardDocument, ShardDocument, StreamDocument } from './stream.ts';

interface OpenShard extends HashRange {
  readonly index: number;
}

/** The open shards, in order of their hash keys. */
export function openShards(document: Pick<StreamDocument, 'shards'>): OpenShard[] {
  return document.shards
    .filter(({ closedMs }) => closedMs === undefined)
    .map((shard) => ({ index: shard.index, start: BigInt(shard.startingHashKey), end: BigInt(shard.endingHashKey) }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
}

/** The shards that storage must be there for: those of a round under way too. */
export function storageShards({ shards, reshard }: Pick<StreamDocument, 'shards' | 'reshard'>): number {
  return shards.length + (reshard?.children.length ?? 0);
}

/** First hash keys of `count` shards of equal size. */
export function evenStarts(count: number): bigint[] {
  return splitEvenly(count).map(({ start }) => start);
}

/** The next round towards a division into shards that start at `target`; undefined when it is reached. */
export function planRound(
  document: Pick<StreamDocument, 'shards'>,
  target: readonly bigint[],
): ReshardDocument | undefined {
  const open = openShards(document);
  const wanted = rangesFrom(roundStarts(open, target));
  const isThere = (range: HashRange): boolean =>
    open.some(({ start, end }) => start === range.start && end === range.end);
  const fresh = wanted.filter((range) => !isThere(range));
  if (fresh.length === 0) return undefined;
  const children = fresh.map(
    (range): ChildDocument => ({
      startingHashKey: String(range.start),
      endingHashKey: String(range.end),
      parents: open.filter((shard) => overlap(shard, range)).map(({ index }) => index),
    }),
  );
  const parents = [...new Set(children.flatMap((child) => child.parents))].sort((a, b) => a - b);
  return { target: target.map(String), parents, children };
}

/** The target, and within each of its ranges every second border of the open shards that lie in it. */
function roundStarts(open: readonly OpenShard[], target: readonly bigint[]): bigint[] {
  return rangesFrom(target).flatMap((range) => {
    const borders = open.map(({ start }) => start).filter((start) => start > range.start && start <= range.end);
    return [range.start, ...borders.filter((_, i) => i % 2 === 1)];
  });
}

function rangesFrom(starts: readonly bigint[]): HashRange[] {
  return starts.map((start, i) => ({ start, end: (starts[i + 1] ?? HASH_KEY_MAX + 1n) - 1n }));
}

function overlap(a: HashRange, b: HashRange): boolean {
  return a.start <= b.end && b.start <= a.end;
}

/** The stream once the round is over: parents closed where their records end, children open, and the next round begun if there is one. */
export function finishRound(
  document: StreamDocument,
  ends: ReadonlyMap<number, number>,
  nowMs: number,
): StreamDocument {
  const { reshard, ...rest } = document;
  if (reshard === undefined) return document;
  const isParent = ({ index }: ShardDocument): boolean => reshard.parents.includes(index);
  // Later than every parent, also when the clock went back: sequence numbers of children are to be higher.
  const atMs = Math.max(nowMs, ...document.shards.filter(isParent).map(({ createdMs }) => createdMs + 1));
  const shards = [
    ...document.shards.map((shard) =>
      isParent(shard) ? { ...shard, closedMs: atMs, closedEnd: ends.get(shard.index) ?? 0 } : shard,
    ),
    ...reshard.children.map((child, i) => ({ ...child, index: document.shards.length + i, createdMs: atMs })),
  ];
  const next = planRound({ shards }, reshard.target.map(BigInt));
  if (next === undefined) return { ...rest, shards };
  const unused = next.parents.every((index) => index >= document.shards.length);
  return { ...rest, shards, reshard: { ...next, ...(unused && { unused }) } };
}
