/**
 * `lakeward stream tail`: prints the records of a stream as they arrive, all shards. The server holds the waiting read, so nothing
 * is polled in a loop.
 */
import type { TailAnswer } from '../../app/control-answers.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT } from '../exit-code.ts';

const WAIT_MS = 20_000;
const PAGE_RECORDS = 1000;

export const streamTail: Command = {
  name: 'stream tail',
  summary: 'Prints the records of a stream as they arrive',
  arguments: [{ name: 'stream', about: 'its name' }],
  options: {
    from: { value: 'position', about: 'earliest, latest or a time like 2026-11-22T10:00:00Z (default latest)' },
    limit: { value: 'n', about: 'stop after this many records' },
    'no-follow': { about: 'stop at the end of the stream instead of waiting' },
  },
  examples: [
    'lakeward stream tail clicks',
    'lakeward stream tail clicks --from earliest --no-follow | head',
    'lakeward stream tail clicks --json | jq -r .partitionKey',
  ],
  run: tail,
};

async function tail(call: Invocation): Promise<number> {
  const limit = call.number('limit', 1) ?? Number.POSITIVE_INFINITY;
  const follow = !call.flag('no-follow');
  const client = call.client();
  const path = `/v1/streams/${encodeURIComponent(call.argument(0))}/records`;
  let position = `from=${encodeURIComponent(call.option('from') ?? 'latest')}`;
  let printed = 0;
  if (follow) call.terminal.say(`reading ${call.argument(0)}, Ctrl-C ends`);
  while (printed < limit && !call.signal.aborted) {
    const page = Math.min(PAGE_RECORDS, limit - printed);
    const query = `${position}&limit=${page}&waitMs=${follow ? WAIT_MS : 0}`;
    let answer: TailAnswer;
    try {
      answer = await client.get<TailAnswer>(`${path}?${query}`, call.signal);
    } catch (error) {
      if (call.signal.aborted) break;
      throw error;
    }
    for (const record of answer.records) {
      if (call.terminal.json) call.terminal.document(record);
      else call.terminal.data(record.json ?? record.data ?? `base64:${record.dataBase64 ?? ''}`);
    }
    printed += answer.records.length;
    position = `cursor=${encodeURIComponent(answer.cursor)}`;
    if (!follow && answer.records.length === 0) break;
  }
  return EXIT.ok;
}
