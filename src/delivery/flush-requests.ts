/**
 * Demands to land what is in the stream now, each with the ends it saw. A demand is met when every shard that this process works on has
 * landed up to there, and fails with the fault that stops the worker first.
 */
import type { Positions } from '../model/stream.ts';

export interface FlushRequests {
  /** Resolves when the positions given to `settle` have reached `ends`; a shard without a position is others' by now. */
  add(kind: 'request' | 'shutdown', ends: Positions): Promise<void>;
  /** Lands up to these ends, in place of those said before: nobody here waits for it. */
  want(ends: WantedEnds): void;
  /** What is still demanded once the positions have landed; stopping goes before asking. */
  demand(positions: Positions): 'request' | 'shutdown' | undefined;
  settle(positions: Positions): void;
  fail(error: unknown): void;
}

/** By shard (as text, as in the catalog). */
type WantedEnds = Readonly<Record<string, number>> | undefined;

interface Request {
  readonly kind: 'request' | 'shutdown';
  readonly ends: Positions;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function flushRequests(first: WantedEnds): FlushRequests {
  let open: Request[] = [];
  let wanted = first;

  return {
    add(kind, ends) {
      return new Promise<void>((resolve, reject) => {
        open.push({ kind, ends, resolve, reject });
      });
    },
    want(ends) {
      wanted = ends;
    },
    demand(positions) {
      const unmet = open.filter((request) => !isMet(request, positions));
      if (unmet.some((request) => request.kind === 'shutdown')) return 'shutdown';
      const isWanted = [...positions].some(([shard, at]) => at < (wanted?.[String(shard)] ?? 0));
      return unmet.length > 0 || isWanted ? 'request' : undefined;
    },
    settle(positions) {
      open = open.filter((request) => {
        const met = isMet(request, positions);
        if (met) request.resolve();
        return !met;
      });
    },
    fail(error) {
      const failed = open;
      open = [];
      for (const request of failed) request.reject(error);
    },
  };
}

function isMet({ ends }: Request, positions: Positions): boolean {
  return [...ends].every(([shard, end]) => (positions.get(shard) ?? end) >= end);
}
