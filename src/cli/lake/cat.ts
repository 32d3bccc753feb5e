/** `lakeward lake cat`. */
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';

const PART_BYTES = 4 * 1024 * 1024;

export const lakeCat: Command = {
  name: 'lake cat',
  summary: 'Writes the bytes of a file of the lake to stdout, decrypted when Lakeward encrypted it',
  arguments: [{ name: 'path', about: 'as lake show lists it' }],
  options: {},
  examples: [
    'lakeward lake cat clicks/year=2026/month=11/day=22/hour=07/clicks-…-0000.parquet.lwenc > rows.parquet',
    'lakeward lake cat _rejected/clicks/2026-11-22/clicks-…-rejected.ndjson | head',
  ],
  async run(call) {
    const client = call.client();
    const path = encodeURIComponent(call.argument(0));
    for (let offset = 0; ; ) {
      const part = await client.bytes(`/v1/lake/file?path=${path}&offset=${offset}&length=${PART_BYTES}`, call.signal);
      await call.terminal.bytes(part);
      offset += part.length;
      if (part.length < PART_BYTES) return EXIT.ok;
    }
  },
};
