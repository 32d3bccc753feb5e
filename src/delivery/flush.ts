/**
 * The flush decision: what waits in the stream, the rule and the time to either a reason to land now, or what to wait for. Pure.
 * Age counts from the arrival of the oldest waiting record, so a record is landed at most `ageMs` (and a landing's duration) after it
 * came, with or without further traffic; also when the wall clock went back: then the time it was seen to wait counts.
 */
import type { FlushReason, FlushRule } from '../model/delivery.ts';

export interface FlushFacts {
  readonly pending: {
    readonly records: number;
    readonly bytes: number;
    readonly oldestArrivalMs: number | undefined;
  };
  /** For how long this worker has seen something waiting, by the monotonic clock; undefined when it has not looked before. */
  readonly seenForMs: number | undefined;
  readonly rule: FlushRule;
  readonly nowMs: number;
  /** An operator asked for a landing, or the process is stopping: what waits is landed whatever the rule says. */
  readonly demand: 'request' | 'shutdown' | undefined;
}

/** What to ask of `Broker.pending` before deciding again. */
export interface FlushWait {
  readonly minBytes: number;
  readonly minRecords: number;
  readonly waitMs: number;
}

export type FlushDecision = { readonly flush: FlushReason } | { readonly flush: undefined; readonly wait: FlushWait };

/** How long to wait for the first record before asking anew: only a bound, a record ends the wait at once. */
const IDLE_WAIT_MS = 600_000;

export function decideFlush(facts: FlushFacts): FlushDecision {
  const { pending, rule, nowMs } = facts;
  if (pending.records === 0) {
    return { flush: undefined, wait: { minBytes: 1, minRecords: 1, waitMs: IDLE_WAIT_MS } };
  }
  if (facts.demand !== undefined) return { flush: facts.demand };
  if (pending.bytes >= rule.bytes) return { flush: 'bytes' };
  if (pending.records >= rule.records) return { flush: 'records' };
  // An arrival in the future (the wall clock went back) has no age; what was seen waiting has one all the same.
  const ageMs = Math.max(0, facts.seenForMs ?? 0, nowMs - (pending.oldestArrivalMs ?? nowMs));
  if (ageMs >= rule.ageMs) return { flush: 'age' };
  const waitMs = rule.ageMs - ageMs;
  return { flush: undefined, wait: { minBytes: rule.bytes, minRecords: rule.records, waitMs } };
}
