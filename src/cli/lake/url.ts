/** `lakeward lake url`. */
import { DURATION } from '../accepted.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export const lakeUrl: Command = {
  name: 'lake url',
  summary: 'Makes a link to a file of a lake on S3, which anybody may read it with for a time',
  arguments: [{ name: 'path', about: 'as lake show lists it' }],
  options: {
    expires: { value: 'duration', about: 'how long it holds, to 7d (default 1h)', accepts: DURATION },
  },
  examples: ['lakeward lake url clicks/year=2026/month=11/day=22/hour=07/clicks-…-0000.parquet --expires 15m'],
  async run(call) {
    const path = call.argument(0);
    const query = new URLSearchParams({ path, expires: call.option('expires') ?? '1h' });
    const link = await call.client().get<{ url: string }>(`/v1/lake/url?${query.toString()}`, call.signal);
    if (call.terminal.json) call.terminal.document(link);
    else call.terminal.data(link.url);
    if (path.endsWith('.lwenc')) call.terminal.say('the link gives the encrypted file; lake cat decrypts it');
    return EXIT.ok;
  },
};
