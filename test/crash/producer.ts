/**
 * Producers of a crash run: they write through HTTP all the time, both forms in turn, and keep a ledger. Without `resend` an event is sent
 * once, never again: an answer that was lost leaves it `sent`, which may or may not land; an acknowledged one must land exactly once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from '../bench/clickstream.ts';

export interface Ledger {
  /** Event ids `<client>-<counter>`. */
  readonly sent: Set<string>;
  readonly acknowledged: Set<string>;
}

export const EVENT_ID = /"event_id":"([a-z]\d+-\d+)"/;
const HOURS = 3;
const FROM_MS = Date.UTC(2026, 0, 15, 6);
/** Every so many events one is broken: not JSON, though its id can still be read. */
const BROKEN_EVERY = 97;

function eventText(client: string, counter: number): string {
  const text = JSON.stringify({
    event_id: `${client}-${counter}`,
    client,
    counter,
    event_time: new Date(FROM_MS + (counter % HOURS) * 3_600_000 + counter).toISOString(),
    note: 'x'.repeat(counter % 200),
  });
  return counter % BROKEN_EVERY === 0 ? `${text.slice(0, -1)},` : text;
}

/** Runs one producer until the signal; its key is its name, so its events must stay in order. */
export async function produce(options: {
  readonly client: string;
  readonly stream: string;
  readonly url: string;
  readonly seed: number;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
  /** Sends again what was not answered, and now and then what was: for deliveries that drop duplicates. */
  readonly resend?: boolean;
}): Promise<void> {
  const { client, ledger, signal } = options;
  const random = seeded(options.seed);
  let counter = 0;
  while (!signal.aborted) {
    const events = Array.from({ length: 1 + Math.floor(random() * 40) }, () => ({
      id: `${client}-${++counter}`,
      text: eventText(client, counter),
    }));
    for (const { id } of events) ledger.sent.add(id);
    await deliver(options, events, random);
    await sleep(random() * 10);
  }
}

export type Event = { readonly id: string; readonly text: string };
export type Target = {
  readonly client: string;
  readonly stream: string;
  readonly url: string;
  /** An answer later than this is none; waits as long as it takes without. */
  readonly timeoutMs?: number;
};

const within = ({ timeoutMs }: Target): { signal?: AbortSignal } =>
  timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) };

/** How long the same events are sent again, ms: far less than the window of the deliveries. */
const RESEND_MS = 3000;

/** Sends events once; or until they are answered and the dice are content, before any newer ones, so that order holds. */
async function deliver(
  target: Target & { readonly ledger: Ledger; readonly resend?: boolean },
  events: readonly Event[],
  random: () => number,
): Promise<void> {
  const untilMs = performance.now() + RESEND_MS;
  let left = events;
  for (;;) {
    let answered = false;
    try {
      const stored = random() < 0.5 ? await putRecords(target, left) : await postRecords(target, left);
      for (const index of stored) target.ledger.acknowledged.add(left[index]?.id ?? '');
      answered = true;
    } catch {
      await sleep(20);
    }
    if (target.resend !== true || performance.now() > untilMs || (answered && random() < 0.7)) return;
    // A broken event is set aside each time it comes.
    left = left.filter(({ text }) => text.endsWith('}'));
    if (left.length === 0) return;
  }
}

/** Indexes of the events the Kinesis form acknowledged. */
export async function putRecords(target: Target, events: readonly Event[]): Promise<number[]> {
  const response = await fetch(target.url, {
    ...within(target),
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Kinesis_20131202.PutRecords',
      'x-amz-date': '20260101T000000Z',
      authorization: `AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`,
    },
    body: JSON.stringify({
      StreamName: target.stream,
      Records: events.map(({ text }) => ({ Data: Buffer.from(text).toString('base64'), PartitionKey: target.client })),
    }),
  });
  if (!response.ok) throw new Error(await response.text());
  const { Records } = (await response.json()) as { Records: { SequenceNumber?: string }[] };
  return Records.flatMap((record, index) => (record.SequenceNumber === undefined ? [] : [index]));
}

/** Indexes of the events the plain form acknowledged. */
export async function postRecords(target: Target, events: readonly Event[]): Promise<number[]> {
  const response = await fetch(`${target.url}/v1/streams/${target.stream}/records`, {
    ...within(target),
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', 'x-partition-key': target.client },
    body: events.map(({ text }) => text).join('\n'),
  });
  if (response.status !== 200 && response.status !== 207) throw new Error(await response.text());
  const { records } = (await response.json()) as { records: { index: number; sequenceNumber?: string }[] };
  return records.flatMap(({ index, sequenceNumber }) => (sequenceNumber === undefined ? [] : [index]));
}
