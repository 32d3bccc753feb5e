/**
 * Demands to land what is in the stream now, each with the ends it saw. A demand is met when every shard has landed up to there, and
 * fails with the fault that stops the worker first.
 */
import type { Positions } from '../model/stream.ts';

export interface FlushRequests {
  /** Resolves when the positions given to `settle` have reached `ends`. */
  add(kind: 'request' | 'shutdown', ends: Positions): Promise<void>;
  /** What is still demanded once the positions have landed; stopping goes before asking. */
  demand(positions: Positions): 'request' | 'shutdown' | undefined;
  settle(positions: Positions): void;
  fail(error: unknown): void;
}

interface Request {
  readonly kind: 'request' | 'shutdown';
  readonly ends: Positions;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function flushRequests(): FlushRequests {
  let open: Request[] = [];

  return {
    add(kind, ends) {
      return new Promise<void>((resolve, reject) => {
        open.push({ kind, ends, resolve, reject });
      });
    },
    demand(positions) {
      const unmet = open.filter((request) => !isMet(request, positions));
      if (unmet.some((request) => request.kind === 'shutdown')) return 'shutdown';
      return unmet.length > 0 ? 'request' : undefined;
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
  return [...ends].every(([shard, end]) => (positions.get(shard) ?? 0) >= end);
}
