/**
 * The implementation of `Notifier`: an HTTP POST, signed when there is a secret, or records of a stream of this server. An address is called
 * as it is written: no redirect is followed, and of an answer the status alone is looked at, so that nothing of it can get anywhere.
 */
import { createHmac } from 'node:crypto';
import type { FrontDoor } from '../ingest/front-door.ts';
import { LakewardError } from '../model/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Notice, Notifier } from '../ports/notifier.ts';
import { packageVersion } from './package-version.ts';

const ANSWER_MS = 10_000;

export interface NotifierOptions {
  readonly clock: Clock;
  /** Signs what goes to an address. */
  readonly secret: string | undefined;
}

export interface OpenNotifier extends Notifier {
  /** Streams take records from now on. */
  serve(door: Pick<FrontDoor, 'put'>): void;
}

export function createNotifier({ clock, secret }: NotifierOptions): OpenNotifier {
  let door: Pick<FrontDoor, 'put'> | undefined;

  async function post(url: string, notices: readonly Notice[], signal: AbortSignal): Promise<number> {
    const body = JSON.stringify({ v: 1, events: notices });
    const second = Math.floor(clock.nowMs() / 1000);
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'user-agent': `lakeward/${packageVersion()}`,
    };
    if (secret !== undefined) {
      const mac = createHmac('sha256', secret).update(`${second}.${body}`).digest('hex');
      headers['lakeward-signature'] = `t=${second},v1=${mac}`;
    }
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
    await response.body?.cancel();
    return response.status;
  }

  /** Within the time a receiver has. */
  async function posted(url: string, notices: readonly Notice[], signal: AbortSignal | undefined): Promise<void> {
    const timer = new AbortController();
    const late = new AbortController();
    void clock.sleep(ANSWER_MS, timer.signal).then(
      () => late.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)),
      () => undefined,
    );
    let status: number;
    try {
      status = await post(url, notices, AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])]));
    } catch (error) {
      if (signal?.aborted === true) throw error;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw failed(new URL(url), cause instanceof Error ? cause.message : String(cause), error);
    } finally {
      timer.abort();
    }
    if (status < 200 || status > 299) throw failed(new URL(url), `it answered ${status}`);
  }

  return {
    serve: (opened) => (door = opened),
    async send(to, notices, call) {
      if ('url' in to) return posted(to.url, notices, call?.signal);
      if (door === undefined) throw new LakewardError('notify-failed', 'the streams of this server are not open yet');
      const records = notices.map((notice) => {
        return { key: notice.partition, data: new TextEncoder().encode(JSON.stringify({ v: 1, ...notice })) };
      });
      await door.put(to.stream, records, call);
    },
  };
}

/** What stands behind the path may be a secret of the receiver. */
function failed({ origin }: URL, why: string, cause?: unknown): LakewardError {
  return new LakewardError('notify-failed', `${origin} did not take the notices: ${why}`, { cause });
}
