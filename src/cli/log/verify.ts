/** `lakeward log verify`: works on the files alone; the only command beside `serve` and `demo` that needs no server. */
import { resolve } from 'node:path';
import type { LogReport } from '../../app/log-verify.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { count, plural, size, table } from '../wording.ts';

export const logVerify: Command = {
  name: 'log verify',
  summary: 'Checks every byte of the log of a data folder while no server runs on it',
  arguments: [],
  options: { data: { value: 'folder', about: 'the data folder (default ./lakeward-data)' } },
  examples: ['lakeward log verify', 'lakeward log verify --data /var/lib/lakeward --json'],
  async run(call) {
    const { verifyDataFolder } = await import('../../app/log-verify.ts');
    const folder = resolve(call.option('data') ?? 'lakeward-data');
    const progress = call.terminal.progress('segments');
    let segments = 0;
    let bytes = 0;
    let reports: readonly LogReport[];
    try {
      reports = await verifyDataFolder(folder, (report) => {
        segments += 1;
        bytes += report.bytes;
        progress.set(segments, { bytes });
      });
    } finally {
      progress.end();
    }
    const sound = reports.every((report) => report.sound);
    if (call.terminal.json) call.terminal.document({ folder, sound, streams: reports });
    else for (const line of described(reports)) call.terminal.data(line);
    call.terminal.say(sound ? `${folder}: sound` : `${folder}: damage found`);
    return sound ? EXIT.ok : EXIT.findings;
  },
};

function described(reports: readonly LogReport[]): string[] {
  if (reports.length === 0) return ['no streams'];
  const rows = reports.map((report) => [
    report.stream,
    count(report.segments.length),
    count(report.frames),
    count(report.records),
    size(report.bytes),
    report.sound ? 'sound' : 'DAMAGED',
  ]);
  const lines = table(['stream id', 'segments', 'frames', 'records', 'bytes', ''], rows, [
    'segments',
    'frames',
    'records',
    'bytes',
  ]);
  return [...lines, ...reports.flatMap(findings)];
}

function findings(report: LogReport): string[] {
  const lines: string[] = [];
  for (const { file, damaged, tornBytes, headDamaged } of report.segments) {
    const at = `${report.stream}/${file}`;
    if (headDamaged) lines.push(`${at}: the head is damaged`);
    for (const { from, to } of damaged) lines.push(`${at}: bytes ${count(from)} to ${count(to)} are damaged`);
    if (tornBytes > 0) lines.push(`${at}: ${plural(tornBytes, 'byte')} of unfinished writes at the end (no damage)`);
  }
  for (const name of report.missing) lines.push(`${report.stream}/${name}: missing`);
  if (report.stateDamaged) lines.push(`${report.stream}/state.json: damaged`);
  for (const { shard, from, to } of report.lostOffsets) {
    lines.push(`${report.stream}: up to ${to - from} records of shard ${shard} are lost (offsets ${from} to ${to})`);
  }
  return lines;
}
