/**
 * `lakeward delivery flush`. A long one shows on a terminal how far it is.
 */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import { isLakewardError } from '../../model/errors.ts';
import type { Command, Invocation } from '../command.ts';
import type { ControlClient } from '../control-client.ts';
import { plural } from '../wording.ts';
import { deliveryPath, printOutcome } from './status-text.ts';

const LOOK_MS = 1000;

export const deliveryFlush: Command = {
  name: 'delivery flush',
  summary: 'Lands now what is in the stream; done when the files are visible',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {},
  examples: ['lakeward delivery flush clicks-hourly'],
  async run(call) {
    const name = call.argument(0);
    const client = call.client();
    const landed = new AbortController();
    const watched = watch(call, { client, name, signal: landed.signal });
    try {
      const status = await flushed(client, name, call.signal);
      landed.abort();
      await watched;
      const code = printOutcome(call, status, 'flushed');
      call.terminal.next(`lakeward lake ls ${name}`);
      return code;
    } finally {
      landed.abort();
      await watched;
    }
  },
};

/** A landing may outlast what `fetch` waits for an answer. Asking again does no harm: what has landed is not landed again. */
async function flushed(client: ControlClient, name: string, signal: AbortSignal): Promise<DeliveryStatus> {
  for (;;) {
    try {
      return await client.send<DeliveryStatus>('POST', `${deliveryPath(name)}/flush`, undefined, signal);
    } catch (error) {
      const isLong = isLakewardError(error) && error.details?.['reason'] === 'UND_ERR_HEADERS_TIMEOUT';
      if (!isLong) throw error;
    }
  }
}

interface Watched {
  readonly client: ControlClient;
  readonly name: string;
  readonly signal: AbortSignal;
}

/** Draws rows landed since the call and records waiting, until aborted. Never throws: the flush itself tells what is wrong. */
async function watch(call: Invocation, { client, name, signal }: Watched): Promise<void> {
  if (!call.terminal.live) return;
  const progress = call.terminal.progress(`landing ${name}`);
  let before: number | undefined;
  try {
    while (!signal.aborted) {
      const { rows, pending } = await client.get<DeliveryStatus>(deliveryPath(name), signal);
      before ??= rows;
      progress.set(rows - before, { note: `${plural(pending.records, 'record')} waiting` });
      await call.clock.sleep(LOOK_MS, signal);
    }
  } catch {
    // Aborted, or the server is busy or gone.
  } finally {
    progress.end();
  }
}
