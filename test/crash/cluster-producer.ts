/**
 * Producers of a cluster run: each writes to any of the ingest processes, in both forms, and sends what was not clearly answered again,
 * under the same ids, to the next one, until it is answered. Every sending and every acknowledgement is in the ledger.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from '../bench/clickstream.ts';
import type { ClusterLedger } from './cluster-checker.ts';
import { type Event, postRecords, putRecords } from './producer.ts';

const FROM_MS = Date.UTC(2026, 0, 15, 6);
/** So many events of a producer have one event hour; then the next begins. */
const EVENTS_AN_HOUR = 1500;
/** Every so many events one is an hour late, and one is broken: not JSON, though its id can still be read. */
const LATE_EVERY = 41;
const BROKEN_EVERY = 97;
const PRODUCTS = 3;
const ANSWER_MS = 4000;
/** Answered events are sent again all the same now and then, as a client whose answer was lost on the way does. */
const AGAIN_SHARE = 0.03;

function eventText(client: string, counter: number): string {
  const hour = Math.floor(counter / EVENTS_AN_HOUR) - (counter % LATE_EVERY === 0 ? 1 : 0);
  const text = JSON.stringify({
    event_id: `${client}-${counter}`,
    client,
    product_id: `p${counter % PRODUCTS}`,
    event_time: new Date(FROM_MS + hour * 3_600_000 + (counter % EVENTS_AN_HOUR) * 2400).toISOString(),
    note: 'x'.repeat(counter % 200),
  });
  return counter % BROKEN_EVERY === 0 ? `${text.slice(0, -1)},` : text;
}

export async function produceToCluster(options: {
  readonly client: string;
  readonly stream: string;
  readonly urls: readonly string[];
  readonly seed: number;
  readonly ledger: ClusterLedger;
  /** Ends it, once what it has begun to send is answered. */
  readonly signal: AbortSignal;
  readonly pauseMs: number;
}): Promise<void> {
  const { client, ledger, signal } = options;
  const random = seeded(options.seed);
  let counter = 0;
  while (!signal.aborted) {
    const events = Array.from({ length: 1 + Math.floor(random() * 40) }, () => {
      const text = eventText(client, ++counter);
      return { id: `${client}-${counter}`, text };
    });
    for (const { id, text } of events) {
      ledger.events.set(id, { sent: 0, acknowledged: 0, isBroken: !text.endsWith('}') });
    }
    await deliver(options, events, random);
    await sleep(random() * options.pauseMs);
  }
}

type Sending = Parameters<typeof produceToCluster>[0];

async function deliver(sending: Sending, events: readonly Event[], random: () => number): Promise<void> {
  const { client, stream, urls, ledger } = sending;
  let left = events;
  for (let turn = Math.floor(random() * urls.length); left.length > 0; turn++) {
    const target = { client, stream, url: urls[turn % urls.length] ?? '', timeoutMs: ANSWER_MS };
    for (const { id } of left) count(ledger, id, 'sent');
    try {
      const stored = new Set(random() < 0.5 ? await putRecords(target, left) : await postRecords(target, left));
      for (const index of stored) count(ledger, left[index]?.id ?? '', 'acknowledged');
      const sendAgain = random() < AGAIN_SHARE;
      left = left.filter((_, index) => sendAgain || !stored.has(index));
    } catch (error) {
      // Without an answer they are stored or not; without a connection they were not even sent.
      if (isRefused(error)) for (const { id } of left) count(ledger, id, 'sent', -1);
    }
    if (left.length > 0) await sleep(50 + random() * 150);
  }
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}

function count(ledger: ClusterLedger, id: string, what: 'sent' | 'acknowledged', by = 1): void {
  const event = ledger.events.get(id);
  if (what === 'acknowledged') ledger.acknowledgements++;
  if (event !== undefined) event[what] += by;
}
