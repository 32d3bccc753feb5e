/**
 * `lakeward lake wait`: for batch schedulers, which start a job when its hour is complete. A server that is away for a while in between, as in an
 * update, does not end the wait.
 */
import type { Completeness } from '../../app/control-answers.ts';
import { isLakewardError } from '../../model/errors.ts';
import { parseDurationMs } from '../../model/units.ts';
import { DURATION } from '../accepted.ts';
import type { Command, Invocation } from '../command.ts';
import { deliveryPath } from '../delivery/status-text.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { plural, size, time } from '../wording.ts';

/** The server answers after that at the latest. */
const ASK_MS = 20_000;
const AGAIN_MS = 1000;

export const lakeWait: Command = {
  name: 'lake wait',
  summary: 'Waits until an hour, or any partition of time, is complete, and tells what it holds',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: {
    partition: { value: 'path', about: 'folders of a time, like year=2026/month=01/day=31' },
    hour: {
      value: 'hour',
      about: 'an hour in UTC, like 2026-01-31T10',
      accepts: { words: 'an hour like 2026-01-31T10', test: (text) => /^\d{4}-\d{2}-\d{2}T\d{2}$/.test(text) },
    },
    anyway: { about: 'waits also while the delivery is paused or suspended, or nothing has landed' },
    timeout: { value: 'duration', about: 'gives up after that, with exit code 5 (default: never)', accepts: DURATION },
  },
  examples: [
    'lakeward lake wait clicks-hourly --hour 2026-01-31T10 --timeout 2h',
    'lakeward lake wait clicks-hourly --partition year=2026/month=01/day=31/hour=10 --timeout 0s --json',
  ],
  async run(call) {
    const name = call.argument(0);
    const [partition, hour] = [call.option('partition'), call.option('hour')];
    if ((partition === undefined) === (hour === undefined)) throw new UsageError('give either --partition or --hour');
    const what = partition === undefined ? `hour=${hour}` : `partition=${encodeURIComponent(partition)}`;
    const anyway = call.flag('anyway') ? '&anyway=true' : '';
    const found = await waited(call, `${deliveryPath(name)}/complete?${what}${anyway}`);
    if (call.terminal.json) call.terminal.document(found);
    else {
      const held = `${plural(found.rows, 'row')} in ${plural(found.files, 'file')} (${size(found.bytes)})`;
      call.terminal.data(`${name} ${partition ?? hour} ${found.complete ? 'is complete' : 'is not complete'}: ${held}`);
      if (found.heldRows !== undefined) call.terminal.say(`${plural(found.heldRows, 'late row')} for it held`);
      if (!found.complete) {
        call.terminal.say(`its time ends at ${time(found.endsAtMs)}; the watermark is at ${time(found.watermarkMs)}`);
      }
    }
    if (found.complete) return EXIT.ok;
    if (found.blocked === undefined || anyway !== '') return EXIT.timeout;
    call.terminal.say(`it cannot become complete: ${found.blocked.message} (--anyway waits nevertheless)`);
    return EXIT.blocked;
  },
};

/** The last answer when the time is over. */
async function waited(call: Invocation, path: string): Promise<Completeness> {
  const timeout = call.option('timeout');
  const endMs = call.clock.monotonicMs() + (timeout === undefined ? Infinity : (parseDurationMs(timeout) ?? 0));
  const client = call.client();
  let met = false;
  for (;;) {
    const leftMs = Math.max(0, Math.min(ASK_MS, Math.floor(endMs - call.clock.monotonicMs())));
    try {
      const found = await client.get<Completeness>(`${path}&waitMs=${leftMs}`, call.signal);
      met = true;
      const isBlocked = found.blocked !== undefined && !call.flag('anyway');
      if (found.complete || isBlocked || call.clock.monotonicMs() >= endMs) return found;
    } catch (error) {
      const isAway = isLakewardError(error) && (error.code === 'server-unreachable' || error.retryable);
      if (!met || !isAway || call.clock.monotonicMs() >= endMs) throw error;
      await call.clock.sleep(AGAIN_MS, call.signal);
    }
  }
}
