/** `lakeward lake sweep`. */
import type { SweepReport } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { deliveryPath } from '../delivery/status-text.ts';
import { EXIT } from '../exit-code.ts';
import { count, duration, plural, size, table, time } from '../wording.ts';

export const lakeSweep: Command = {
  name: 'lake sweep',
  summary: 'Removes staged files that no landing needs any more; the server does so by itself, hourly',
  arguments: [{ name: 'delivery', about: 'its name' }],
  options: { 'dry-run': { about: 'only says what would be removed' } },
  examples: ['lakeward lake sweep clicks-hourly --dry-run', 'lakeward lake sweep clicks-hourly --dry-run --json'],
  async run(call) {
    const { terminal } = call;
    const name = call.argument(0);
    const dryRun = call.flag('dry-run');
    const client = call.client();
    const report = await client.send<SweepReport>('POST', `${deliveryPath(name)}/sweep`, { dryRun }, call.signal);
    if (terminal.json) {
      terminal.document({ delivery: name, dryRun, ...report });
      return EXIT.ok;
    }
    const rows = byNonce(report);
    const header = ['landing', 'files', 'bytes', 'newest', dryRun ? 'would be' : 'was'];
    if (rows.length > 0) for (const line of table(header, rows, ['files', 'bytes'])) terminal.data(line);
    const bytes = report.files.reduce((sum, file) => sum + file.bytes, 0);
    const files = plural(report.files.length, 'staged file');
    const verb = dryRun ? 'would be removed' : 'removed';
    terminal.say(`${files} (${size(bytes)}) older than ${duration(report.olderThanMs)} ${verb}`);
    if (report.more) terminal.say('there is more than one sweep takes');
    if (dryRun && report.files.length > 0) terminal.next(`lakeward lake sweep ${name}`);
    return EXIT.ok;
  },
};

function byNonce({ files }: SweepReport): string[][] {
  const landings = new Map<string, { files: number; bytes: number; modifiedMs: number; condemned: boolean }>();
  for (const { nonce, bytes, modifiedMs, condemned } of files) {
    const known = landings.get(nonce) ?? { files: 0, bytes: 0, modifiedMs: 0, condemned };
    known.files += 1;
    known.bytes += bytes;
    known.modifiedMs = Math.max(known.modifiedMs, modifiedMs);
    landings.set(nonce, known);
  }
  return [...landings].map(([nonce, it]) => [
    nonce,
    count(it.files),
    size(it.bytes),
    time(it.modifiedMs),
    it.condemned ? 'removed' : 'condemned, removed',
  ]);
}
